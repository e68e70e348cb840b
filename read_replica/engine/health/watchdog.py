# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The watchdog thread of a process: it keeps verdicts new and frees calls that hang.

It runs while calls are routed, and ends when there have been none for a while.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from read_replica.engine.events import Events
from read_replica.engine.health.monitor import SECONDS_BETWEEN_ROUNDS, HealthMonitor
from read_replica.engine.health.server_probes import ServerProbes
from read_replica.engine.host import Host
from read_replica.engine.locks import Lock
from read_replica.engine.replicas.replica import Replica

# A frozen server is to hold the first call for at most 1.2 s: a statement that takes longer than this
# lets the server be asked whether it is alive, and monitor.SECONDS_TO_ANSWER_PING is its time to answer.
SECONDS_UNTIL_ASKED = 0.3
SECONDS_BETWEEN_LOOKS = 0.1

# The server's own limit ends a statement; a server that does not is cut off so much later.
SECONDS_BEHIND_TIMEOUT = 5.0

SECONDS_UNTIL_IDLE = 60.0


class RunningCall(Protocol):
	"""What the watchdog must know of a call that reads from a replica, and do with it."""

	# Since when the replica has been working on a statement, by time.monotonic(); None: it is not.
	running_since: float | None

	@property
	def replica(self) -> Replica: ...

	@property
	def server(self) -> str:
		"""Which server at the replica's address answers, where its connection knows that."""

	@property
	def timeout(self) -> float:
		"""The seconds after which the server ends a statement."""

	def cut(self) -> None:
		"""Let the statement that is running fail at once."""


class Watchdog:
	"""Looks after the calls of one router; started by its first call, and again after a rest or a fork.

	:param calls: the calls that are open in this process
	:param are_several: whether a replica's address, by its name, is known to lead to several servers
	:param share_counts: adds what this process has counted to the site's counters
	"""

	def __init__(
		self,
		replicas: Sequence[Replica],
		host: Host,
		events: Events,
		health: HealthMonitor,
		calls: Callable[[], Collection[RunningCall]],
		are_several: Callable[[str], bool],
		share_counts: Callable[[], None],
	):
		self._replicas = replicas
		self._host = host
		self._events = events
		self._health = health
		self._calls = calls
		self._are_several = are_several
		self._share_counts = share_counts
		self._lock = Lock()
		self._thread: threading.Thread | None = None
		self._sharing_thread: threading.Thread | None = None
		self._last_call = 0.0
		self._wanted = True
		self._server_probes = ServerProbes()

	def notice_call(self) -> None:
		"""There is something to look after: to be called by each routed call."""
		self._last_call = time.monotonic()
		if self._thread is None or not self._thread.is_alive():
			self._start()

	def _start(self) -> None:
		with self._lock:
			if self._wanted and (self._thread is None or not self._thread.is_alive()):
				self._thread = threading.Thread(target=self._run, name="read_replica watchdog", daemon=True)
				self._thread.start()

	def stop(self) -> None:
		"""Let the thread end, and do not start it again; it closes what it has kept open."""
		with self._lock:
			self._wanted = False
			is_running = self._thread is not None and self._thread.is_alive()
		if not is_running:
			# A call may have looked at the replicas all the same.
			self._health.release()

	def _run(self) -> None:
		next_round = 0.0
		next_reading = 0.0
		try:
			while self._wanted and time.monotonic() - self._last_call < SECONDS_UNTIL_IDLE:
				try:
					now = time.monotonic()
					if now >= next_round:
						next_round = max(
							next_round + SECONDS_BETWEEN_ROUNDS, now + SECONDS_BETWEEN_ROUNDS / 2
						)
						next_reading = now + SECONDS_BETWEEN_ROUNDS / 2
						self._health.run_round()
						self._share_beside()
					elif now >= next_reading:
						next_reading = next_round
						self._health.refresh()
					self._free_calls_that_hang()
				except Exception as error:
					# Whatever it is, calls must not be left without a watchdog.
					self._host.log("watchdog_failed", error=f"{type(error).__name__}: {error}")
					time.sleep(SECONDS_BETWEEN_ROUNDS)
				time.sleep(SECONDS_BETWEEN_LOOKS)
		finally:
			self._health.release()
			self._server_probes.close_all_but(())
			if self._sharing_thread is not None:
				self._sharing_thread.join()
			self._host.shared.close()

	def _share_beside(self) -> None:
		"""In a thread beside this one, as the primary may be asked there and hang: calls must be freed meanwhile."""
		if self._sharing_thread is None or not self._sharing_thread.is_alive():
			self._sharing_thread = threading.Thread(
				target=self._share, name="read_replica sharing", daemon=True
			)
			self._sharing_thread.start()

	def _share(self) -> None:
		try:
			if self._host.shared.is_uninstalled():
				# The thread rests, and begins again with the next call if the app is installed again.
				self._last_call = float("-inf")
				return
			self._share_counts()
			if self._health.is_prober:
				self._host.shared.watch()
		except Exception as error:
			self._events.log_throttled("watchdog_failed", error=f"{type(error).__name__}: {error}")

	def _free_calls_that_hang(self) -> None:
		now = time.monotonic()
		late: dict[str, float] = {}
		late_at_servers: dict[tuple[str, str], list[RunningCall]] = {}
		for call in tuple(self._calls()):
			since = call.running_since
			if since is None:
				continue
			if now - since > call.timeout + SECONDS_BEHIND_TIMEOUT:
				call.cut()
			elif now - since > SECONDS_UNTIL_ASKED:
				name = call.replica.name
				if self._has_server_probe(call):
					late_at_servers.setdefault((name, call.server), []).append(call)
				else:
					late[name] = min(since, late.get(name, since))
		for replica in self._replicas:
			if not self._health.still_answers(replica.name, late.get(replica.name)):
				self._free_calls_of(replica)
		self._server_probes.close_all_but(late_at_servers)
		for (_, server), calls in late_at_servers.items():
			if not self._server_probes.still_answers(calls[0].replica, server):
				_free(call for call in calls if call.server == server)

	def _free_calls_of(self, replica: Replica) -> None:
		calls = tuple(self._calls())
		_free(call for call in calls if call.replica is replica and not self._has_server_probe(call))

	def _has_server_probe(self, call: RunningCall) -> bool:
		"""Whether the probe of a call's address may be with another server than the call is."""
		return bool(call.server) and self._are_several(call.replica.name)


def _free(calls: Iterable[RunningCall]) -> None:
	for call in calls:
		if call.running_since is not None:
			call.cut()
