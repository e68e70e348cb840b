# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The thread that looks after a process's calls: it keeps verdicts new and frees calls that hang.

Runs while calls are routed, and ends when there have been none for a while.
"""

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from read_replica.engine.health.monitor import SECONDS_BETWEEN_ROUNDS
from read_replica.engine.health.server_probes import ServerProbes
from read_replica.engine.locks import Lock
from read_replica.engine.replicas.replica import Replica
from read_replica.engine.scope import Scope

if TYPE_CHECKING:
	from read_replica.engine.router import Router

# A frozen server is to hold the first call for at most 1.2 s: a statement that takes longer than this
# lets the server be asked whether it is alive, and health.SECONDS_TO_SHOW_LIFE is its time to answer.
SECONDS_UNTIL_ASKED = 0.3
SECONDS_BETWEEN_LOOKS = 0.1

# The server's own limit ends a statement; a server that does not is cut off so much later.
SECONDS_BEHIND_TIMEOUT = 5.0

SECONDS_UNTIL_IDLE = 60.0


class Watchdog:
	"""Of one router; started by its first call, and again by the first one after a rest or a fork."""

	def __init__(self, router: "Router"):
		self._router = router
		self._lock = Lock()
		self._thread: threading.Thread | None = None
		self._teller: threading.Thread | None = None
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
			self._router.health.rest()

	def _run(self) -> None:
		health = self._router.health
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
						health.keep_up()
						self._tell_others()
					elif now >= next_reading:
						next_reading = next_round
						health.read_up()
					self._free_calls_that_hang()
				except Exception as error:
					# Whatever it is, calls must not be left without a watchdog.
					self._router.host.log("watchdog_failed", error=f"{type(error).__name__}: {error}")
					time.sleep(SECONDS_BETWEEN_ROUNDS)
				time.sleep(SECONDS_BETWEEN_LOOKS)
		finally:
			health.rest()
			self._server_probes.leave_all_but(())
			if self._teller is not None:
				self._teller.join()
			self._router.host.shared.close()

	def _tell_others(self) -> None:
		"""In a thread beside this one, as the primary may be asked there and hang: calls must be freed meanwhile."""
		if self._teller is None or not self._teller.is_alive():
			self._teller = threading.Thread(target=self._tell, name="read_replica teller", daemon=True)
			self._teller.start()

	def _tell(self) -> None:
		try:
			self._router.share_counts()
			if self._router.health.is_prober:
				self._router.host.shared.watch()
		except Exception as error:
			self._router.events.now_and_then("watchdog_failed", error=f"{type(error).__name__}: {error}")

	def _free_calls_that_hang(self) -> None:
		now = time.monotonic()
		late: dict[str, float] = {}
		probed: dict[tuple[str, str], list[Scope]] = {}
		for scope in tuple(self._router.scopes):
			since = scope.running_since
			if since is None:
				continue
			if now - since > scope.need.timeout + SECONDS_BEHIND_TIMEOUT:
				scope.cut()
			elif now - since > SECONDS_UNTIL_ASKED:
				name = scope.replica.name
				if self._has_server_probe(scope):
					probed.setdefault((name, scope.server), []).append(scope)
				else:
					late[name] = min(since, late.get(name, since))
		for replica in self._router.replicas:
			if not self._router.health.shows_life(replica.name, late.get(replica.name)):
				self._free_calls_of(replica)
		self._server_probes.leave_all_but(probed)
		for (_, server), scopes in probed.items():
			if not self._server_probes.shows_life(scopes[0].replica, server):
				_free(scope for scope in scopes if scope.server == server)

	def _free_calls_of(self, replica: Replica) -> None:
		scopes = tuple(self._router.scopes)
		_free(scope for scope in scopes if scope.replica is replica and not self._has_server_probe(scope))

	def _has_server_probe(self, scope: Scope) -> bool:
		"""Whether the probe of a call's address may be with another server than the call is."""
		return bool(scope.server) and self._router.selector.are_several(scope.replica.name)


def _free(scopes: Iterable[Scope]) -> None:
	for scope in scopes:
		if scope.running_since is not None:
			scope.cut()
