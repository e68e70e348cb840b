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
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import click
import frappe
from frappe.utils import get_sites

from read_replica.core import rq_data
from read_replica.core.replacements import install_in_workers
from read_replica.database.bookkeeping import is_before_migrate
from read_replica.database.event_log import log_event
from read_replica.engine.forks import apart_from_forks
from read_replica.engine.shared.redis_state import impatient
from read_replica.jobs import workers
from read_replica.jobs.rules import TAKEOVER_AFTER
from read_replica.site import is_mariadb

SECONDS_BETWEEN_BEATS = 60.0
LEAST_SECONDS_BETWEEN_BEATS = 5.0

# On a bench with very many sites, a round of them takes no more of the time than one part in so many, as long
# as no server is taken for gone meanwhile.
LEAST_INTERVAL_IN_ROUNDS = 20

LONGEST_WAIT_IN_INTERVALS = 2

# A server that is gone after some seconds is to be seen several times in them.
BEATS_IN_THE_SHORTEST_LIMIT = 3

# Of each answer of a database: a job may have to wait for it. The first error ends what is done in a site.
MOST_SECONDS_OF_AN_ANSWER = 2
SECONDS_TO_WAIT_FOR_A_LOCK = 1

SECONDS_TO_SAY_GOODBYE = 10
SECONDS_A_FORK_NEEDS = 0.001


class Heartbeat:
	"""The thread that notes an RQ worker of this process while the block runs."""

	def __init__(self, worker: Any):
		self._name = worker.name
		self._queues = list(worker.queue_names())
		# The worker waits for minutes on its own connection.
		self._redis = impatient(worker.connection)
		# A job that is executed in this process may change the current folder.
		self._sites_path = os.path.abspath(".")
		self._seconds = SECONDS_BETWEEN_BEATS
		self._rounds = 0
		self._has_noted_itself = False
		self._failing: set[str] = set()
		self._without_app: set[str] = set()
		# Database servers that hang, in this round: a bench may have many sites on one.
		self._hanging: set[tuple] = set()
		self._ended = threading.Event()
		self._thread = threading.Thread(target=self._beat, name="read_replica.jobs.heartbeat", daemon=True)

	def __enter__(self) -> "Heartbeat":
		self._thread.start()
		return self

	def __exit__(self, *exception) -> None:
		self._ended.set()
		self._thread.join(SECONDS_TO_SAY_GOODBYE)

	def _beat(self) -> None:
		while not self._ended.is_set():
			began = time.monotonic()
			# A worker that does not reach it can take no job.
			limits = self._note_in_each_site() if self._reaches_redis() else []
			noted, self._seconds = self._seconds, seconds_between_beats(limits, time.monotonic() - began)
			# Its notes say in how many seconds there is another, and it is alive for a few times as many.
			self._ended.wait(min(self._seconds, LONGEST_WAIT_IN_INTERVALS * noted))
		self._in_each_site(self._note_end)

	def _reaches_redis(self) -> bool:
		"""Whether the Redis of its queues answers. Its answer is also what other benches know this worker by."""
		with apart_from_forks():
			try:
				if self._rounds < workers.ROUNDS_UNTIL_NOTED or not self._has_noted_itself:
					self._redis.ping()
				else:
					workers.mark_in_redis(self._redis, self._name, self._seconds)
			except Exception as error:
				# One that answers, and refuses it, does for the worker's own questions.
				return not rq_data.is_unreachable(error)
			finally:
				# No process of a job inherits it.
				self._redis.connection_pool.disconnect()
		return True

	def _note_in_each_site(self) -> list[float]:
		limits = self._in_each_site(self._note)
		self._has_noted_itself = self._has_noted_itself or bool(limits)
		self._rounds += 1
		return limits

	def _note(self) -> float:
		workers.note(self._name, self._queues, self._seconds)
		return workers.shortest_limit()

	def _note_end(self) -> float:
		workers.note_end(self._name)
		return 0

	def _in_each_site(self, work: Callable[[], float]) -> list[float]:
		"""What `work` returns in each site of this bench that has this app."""
		found = []
		self._hanging.clear()
		for site in self._sites():
			# What Frappe cannot even begin with has no log of its own either, and fails in all else.
			with apart_from_forks(), suppress(Exception):
				found += self._in_site(site, work)
			# A fork that waits goes first.
			time.sleep(SECONDS_A_FORK_NEEDS)
		return found

	def _sites(self) -> list[str]:
		try:
			sites = get_sites(self._sites_path)
		except OSError:
			# A network file system that does not answer just now.
			return []
		asks_all = self._rounds % workers.ROUNDS_BETWEEN_LOOKS_FOR_THE_APP == 0
		return [site for site in sites if asks_all or site not in self._without_app]

	def _in_site(self, site: str, work: Callable[[], float]) -> list[float]:
		with _initialised(site, self._sites_path):
			server = (frappe.local.conf.db_host, frappe.local.conf.db_port)
			if server in self._hanging:
				return []
			began = time.monotonic()
			try:
				found = [work()] if _connect_to_mariadb() else []
			except Exception as error:
				if time.monotonic() - began >= MOST_SECONDS_OF_AN_ANSWER:
					self._hanging.add(server)
				if not is_before_migrate(error):
					self._say_that_it_fails(site, error)
					return []
				# A site without this app, or before its migrate, has no such table.
				found = []
		self._failing.discard(site)
		self._without_app = self._without_app - {site} if found else self._without_app | {site}
		return found

	def _say_that_it_fails(self, site: str, error: Exception) -> None:
		if site not in self._failing:
			self._failing.add(site)
			log_event("worker_not_noted", worker=self._name, error=f"{type(error).__name__} {error}")


@contextmanager
def _initialised(site: str, sites_path: str) -> Iterator[None]:
	try:
		frappe.init(site=site, sites_path=sites_path)
		yield
	finally:
		frappe.destroy()


def _connect_to_mariadb() -> bool:
	"""Connect to the site's database, if it is one of MariaDB; whether it is."""
	frappe.connect(set_admin_as_user=False)
	if not is_mariadb():
		return False
	_be_impatient(frappe.local.db)
	return True


def _be_impatient(db: Any) -> None:
	"""Let nothing on this connection take long: a server that hangs, or a migrate that holds the table."""
	limits = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), MOST_SECONDS_OF_AN_ANSWER)
	settings = db.get_connection_settings() | limits
	db.get_connection_settings = lambda: settings
	seconds = SECONDS_TO_WAIT_FOR_A_LOCK
	db.sql(f"set session lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")


def seconds_between_beats(limits: list[float], round_took: float = 0) -> float:
	"""How often a worker notes itself, where servers are gone after these times; 0: never."""
	shortest = min((limit for limit in limits if limit), default=TAKEOVER_AFTER)
	least = min(LEAST_SECONDS_BETWEEN_BEATS, SECONDS_BETWEEN_BEATS)
	wanted = max(SECONDS_BETWEEN_BEATS, LEAST_INTERVAL_IN_ROUNDS * round_took)
	return max(least, min(wanted, shortest / BEATS_IN_THE_SHORTEST_LIMIT))


def with_heartbeat(core: Callable) -> Callable:
	"""RQ's Worker.work, with a heartbeat; without one if that cannot begin."""

	@functools.wraps(core)
	def work(self, *args, **kwargs):
		with ExitStack() as stack:
			try:
				stack.enter_context(Heartbeat(self))
			except Exception as error:
				# Jobs are what a worker is for. RQ's list still has it.
				click.secho(f"This worker cannot note that it is alive: {error!r}", fg="yellow", err=True)
			return core(self, *args, **kwargs)

	return work


# RQ's own, where it is replaced.
_core_run_worker: Callable | None = None


def install() -> None:
	"""Let each RQ worker of this process, and of those that it starts, note itself; once per process."""
	global _core_run_worker
	_core_run_worker = install_in_workers(with_heartbeat, run_worker) or _core_run_worker


def run_worker(*args, **kwargs) -> None:
	"""RQ's worker_pool.run_worker, in a new process: one that was not forked knows nothing of this app yet.

	A pool of workers that do not fork starts its processes as Python likes best, from 3.14 on by a server of
	forks. There, this function is found by its name.
	"""
	install()
	_core_run_worker(*args, **kwargs)
