# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A worker notes itself, from its start to its end, in the database of each site of its bench.

An idle worker of RQ runs none of our code: it waits in Redis for up to seven minutes. So a thread of its
process does it. It has connections of its own, and no fork of a job cuts its work in two (see
engine/forks). A site whose database does not answer is asked again at the next beat.
"""

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import frappe
from frappe.utils import get_sites

from read_replica import workers
from read_replica.engine.forks import apart_from_forks
from read_replica.logs import log_event
from read_replica.own_transaction import is_before_migrate
from read_replica.site import is_mariadb

SECONDS_BETWEEN_BEATS = 60.0
LEAST_SECONDS_BETWEEN_BEATS = 5.0

# On a bench with very many sites, a round of them takes no more of the time than one part in so many.
LEAST_TIMES_OF_A_ROUND = 20

# A server that is gone after some seconds is to be seen several times in them.
BEATS_IN_THE_SHORTEST_LIMIT = 3

# Of each answer of a database: a fork may have to wait for it.
MOST_SECONDS_OF_AN_ANSWER = 4

# A worker that could not note itself in some site at its first beat has done so by then.
ROUNDS_UNTIL_NOTED = 3

SECONDS_TO_SAY_GOODBYE = 10
SECONDS_A_FORK_NEEDS = 0.001


class Heartbeat:
	"""The thread that notes an RQ worker of this process while the block runs."""

	def __init__(self, worker: Any):
		self._name = worker.name
		self._queues = list(worker.queue_names())
		# A job that is executed in this process may change the current folder.
		self._sites_path = os.path.abspath(".")
		self._seconds = SECONDS_BETWEEN_BEATS
		self._rounds = 0
		self._failing: set[str] = set()
		self._ended = threading.Event()
		self._thread = threading.Thread(target=self._beat, name="read_replica.heartbeat", daemon=True)

	def __enter__(self) -> "Heartbeat":
		self._thread.start()
		return self

	def __exit__(self, *exception) -> None:
		self._ended.set()
		self._thread.join(SECONDS_TO_SAY_GOODBYE)

	def _beat(self) -> None:
		while not self._ended.is_set():
			began = time.monotonic()
			limits = self._in_each_site(self._note)
			self._rounds += 1
			round_took = time.monotonic() - began
			self._seconds = max(seconds_between_beats(limits), LEAST_TIMES_OF_A_ROUND * round_took)
			self._ended.wait(self._seconds)
		self._in_each_site(self._note_end)

	def _note(self) -> float:
		workers.note(self._name, self._queues, self._seconds)
		if self._rounds >= ROUNDS_UNTIL_NOTED:
			workers.say_that_it_notes_itself(self._name, self._seconds)
		return workers.shortest_limit()

	def _note_end(self) -> float:
		workers.note_end(self._name)
		return 0

	def _in_each_site(self, work: Callable[[], float]) -> list[float]:
		"""What `work` returns in each site of this bench that has this app."""
		found = []
		for site in self._sites():
			# What Frappe cannot even begin with has no log of its own either, and fails in all else.
			with apart_from_forks(), suppress(Exception):
				found += self._in_site(site, work)
			# A fork that waits goes first.
			time.sleep(SECONDS_A_FORK_NEEDS)
		return found

	def _sites(self) -> list[str]:
		try:
			return get_sites(self._sites_path)
		except OSError:
			# A network file system that does not answer just now.
			return []

	def _in_site(self, site: str, work: Callable[[], float]) -> list[float]:
		with _connected(site, self._sites_path):
			try:
				found = [work()] if is_mariadb() else []
			except Exception as error:
				# A site without this app, or before its migrate, has no such table.
				if not is_before_migrate(error):
					self._say_that_it_fails(site, error)
				return []
		self._failing.discard(site)
		return found

	def _say_that_it_fails(self, site: str, error: Exception) -> None:
		if site not in self._failing:
			self._failing.add(site)
			log_event("worker_not_noted", worker=self._name, error=f"{type(error).__name__} {error}")


@contextmanager
def _connected(site: str, sites_path: str) -> Iterator[None]:
	frappe.init(site=site, sites_path=sites_path)
	try:
		frappe.connect(set_admin_as_user=False)
		if is_mariadb():
			_be_impatient(frappe.local.db)
		yield
	finally:
		frappe.destroy()


def _be_impatient(db: Any) -> None:
	"""Let nothing on this connection take long: a server that hangs, or a migrate that holds the table."""
	seconds = MOST_SECONDS_OF_AN_ANSWER
	limits = {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
	settings = db.get_connection_settings() | limits
	db.get_connection_settings = lambda: settings
	with suppress(Exception):
		# If it does not answer, the next statement says so.
		db.sql(f"set session lock_wait_timeout = {seconds - 1}, innodb_lock_wait_timeout = {seconds - 1}")


def seconds_between_beats(limits: list[float]) -> float:
	"""How often a worker notes itself, where servers are gone after these times; 0: never."""
	shortest = min((limit for limit in limits if limit), default=float("inf"))
	least = min(LEAST_SECONDS_BETWEEN_BEATS, SECONDS_BETWEEN_BEATS)
	return max(least, min(SECONDS_BETWEEN_BEATS, shortest / BEATS_IN_THE_SHORTEST_LIMIT))


def work_with(core: Callable) -> Callable:
	"""RQ's Worker.work, with a heartbeat."""

	@functools.wraps(core)
	def work(self, *args, **kwargs):
		with Heartbeat(self):
			return core(self, *args, **kwargs)

	return work


# RQ's own, where it is replaced.
core_run_worker: Callable | None = None


def run_worker(*args, **kwargs) -> None:
	"""RQ's worker_pool.run_worker, in a new process: one that was not forked knows nothing of this app yet.

	A pool of workers that do not fork starts its processes as Python likes best, from 3.14 on by a server of
	forks. There, this function is found by its name.
	"""
	from read_replica import shims

	shims.install_in_workers()
	core_run_worker(*args, **kwargs)
