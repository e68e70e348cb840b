# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Heartbeat of an RQ worker: a thread writes to the database of each site that the worker is alive.

A thread, because an idle RQ worker runs none of our code: it waits on Redis for up to seven minutes. The
thread has connections of its own, and is never in the middle of its work when RQ forks for a job (see
engine/forks). A site whose database does not answer is tried again at the next beat.
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
from read_replica.engine.forks import forks_held_back
from read_replica.engine.shared.redis_state import impatient
from read_replica.jobs import workers
from read_replica.jobs.rule_set import TAKEOVER_AFTER
from read_replica.site import is_mariadb

SECONDS_BETWEEN_BEATS = 60.0
LEAST_SECONDS_BETWEEN_BEATS = 5.0

# The interval between beats is at least so many times as long as a round over all sites, which takes long on
# a bench with very many; unless servers would count as gone meanwhile.
LEAST_INTERVAL_IN_ROUNDS = 20

# The longest wait until the next beat, in intervals as they were last written to the databases.
LONGEST_WAIT_IN_INTERVALS = 2

# Beats within the shortest time after which a server counts as gone.
BEATS_IN_THE_SHORTEST_LIMIT = 3

# The timeout of each answer of a database, as a fork for a job may have to wait for it. After an error,
# nothing more is done on that site.
MOST_SECONDS_OF_AN_ANSWER = 2
SECONDS_TO_WAIT_FOR_A_LOCK = 1

SECONDS_TO_SAY_GOODBYE = 10
SECONDS_A_FORK_NEEDS = 0.001


class Heartbeat:
	"""Writes in a thread that an RQ worker is alive while the block runs, and then that it has ended.

	:param worker: an rq.Worker of this process
	"""

	def __init__(self, worker: Any):
		self._name = worker.name
		self._queues = list(worker.queue_names())
		# The worker waits for minutes on its own connection.
		self._redis = impatient(worker.connection)
		# An absolute path: a job that is executed in this process may change the current folder.
		self._sites_path = os.path.abspath(".")
		self._seconds = SECONDS_BETWEEN_BEATS
		self._rounds = 0
		self._has_noted_itself = False
		self._failing: set[str] = set()
		self._without_app: set[str] = set()
		# Database servers that did not answer in this round: a bench may have many sites on one.
		self._hanging: set[tuple] = set()
		self._ended = threading.Event()
		self._thread = threading.Thread(target=self._beat, name="read_replica.jobs.heartbeat", daemon=True)

	def __enter__(self) -> "Heartbeat":
		self._thread.start()
		return self

	def __exit__(self, *exception: Any) -> None:
		self._ended.set()
		self._thread.join(SECONDS_TO_SAY_GOODBYE)

	def _beat(self) -> None:
		while not self._ended.is_set():
			began = time.monotonic()
			# A worker that does not reach Redis can take no job, and so is not alive.
			limits = self._note_in_each_site() if self._reaches_redis() else []
			noted, self._seconds = self._seconds, seconds_between_beats(limits, time.monotonic() - began)
			# The databases have the last interval, and take the worker for gone after a few of these.
			self._ended.wait(min(self._seconds, LONGEST_WAIT_IN_INTERVALS * noted))
		self._in_each_site(self._note_end)

	def _reaches_redis(self) -> bool:
		"""Whether the Redis of the queues answers; also writes there the mark for other benches."""
		with forks_held_back():
			try:
				if self._rounds < workers.ROUNDS_UNTIL_NOTED or not self._has_noted_itself:
					self._redis.ping()
				else:
					workers.mark_in_redis(self._redis, self._name, self._seconds)
			except Exception as error:
				# A Redis that answers, and refuses this, still serves the worker.
				return not rq_data.is_unreachable(error)
			finally:
				# So that the process of a job does not inherit the connection.
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
		"""Call `work` on each site of this bench that has this app; returns its results."""
		found = []
		self._hanging.clear()
		for site in self._sites():
			# A site that Frappe cannot even initialise has no log either, and fails in everything else.
			with forks_held_back(), suppress(Exception):
				found += self._in_site(site, work)
			# Lets a fork that waits for this thread go first.
			time.sleep(SECONDS_A_FORK_NEEDS)
		return found

	def _sites(self) -> list[str]:
		try:
			sites = get_sites(self._sites_path)
		except OSError:
			# As from a network file system that does not answer just now.
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
					self._log_failure(site, error)
					return []
				# Without this app, or before its migrate, the site has no such table.
				found = []
		self._failing.discard(site)
		self._without_app = self._without_app - {site} if found else self._without_app | {site}
		return found

	def _log_failure(self, site: str, error: Exception) -> None:
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
	"""Connect to the site's database with short timeouts; False if it is not MariaDB."""
	frappe.connect(set_admin_as_user=False)
	if not is_mariadb():
		return False
	_set_short_timeouts(frappe.local.db)
	return True


def _set_short_timeouts(db: Any) -> None:
	"""Let no statement wait long, as for a server that hangs or a migrate that locks the table."""
	limits = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), MOST_SECONDS_OF_AN_ANSWER)
	settings = db.get_connection_settings() | limits
	db.get_connection_settings = lambda: settings
	seconds = SECONDS_TO_WAIT_FOR_A_LOCK
	db.sql(f"set session lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")


def seconds_between_beats(limits: list[float], round_took: float = 0) -> float:
	"""Returns the seconds between two beats of a worker.

	:param limits: of each site, the shortest time in seconds after which a server counts as gone; 0: never
	:param round_took: seconds that the last round over all sites took
	"""
	shortest = min((limit for limit in limits if limit), default=TAKEOVER_AFTER)
	least = min(LEAST_SECONDS_BETWEEN_BEATS, SECONDS_BETWEEN_BEATS)
	wanted = max(SECONDS_BETWEEN_BEATS, LEAST_INTERVAL_IN_ROUNDS * round_took)
	return max(least, min(wanted, shortest / BEATS_IN_THE_SHORTEST_LIMIT))


def with_heartbeat(core: Callable) -> Callable:
	"""Wraps RQ's Worker.work so that it runs with a heartbeat, or without one if that cannot begin.

	:param core: RQ's Worker.work
	"""

	@functools.wraps(core)
	def work(self: Any, *args: Any, **kwargs: Any) -> Any:
		with ExitStack() as stack:
			try:
				stack.enter_context(Heartbeat(self))
			except Exception as error:
				# The worker is still in RQ's list, and must go on with its jobs.
				click.secho(f"This worker cannot note that it is alive: {error!r}", fg="yellow", err=True)
			return core(self, *args, **kwargs)

	return work


# RQ's own worker_pool.run_worker, once it is replaced.
_core_run_worker: Callable | None = None


def install() -> None:
	"""Give each RQ worker of this process, and of those that it starts, a heartbeat; once per process."""
	global _core_run_worker
	_core_run_worker = install_in_workers(with_heartbeat, run_worker) or _core_run_worker


def run_worker(*args: Any, **kwargs: Any) -> None:
	"""Install this app's replacements in a new process, then call RQ's worker_pool.run_worker.

	RQ's worker pool starts processes by Python's default method, from 3.14 on a fork server: such a process
	has not inherited what the parent replaced. It finds this function by its name, as it is pickled.
	"""
	install()
	_core_run_worker(*args, **kwargs)
