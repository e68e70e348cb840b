# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which replicas are alive and fresh: what this process knows, and how all of a site come to know it.

One process of a site asks the replicas, once a second, and publishes its verdicts; which one is
settled by a claim in Redis that runs out when its holder dies. The others read what is published.
After MediaWiki's and MaxScale's monitors; a call never waits for one while a verdict is at hand.
"""

import hashlib
import os
import secrets
import time
from typing import Literal

from read_replica.engine import dialect
from read_replica.engine.dialect import HealthAnswer, Position
from read_replica.engine.events import Events
from read_replica.engine.health.health_check import SECONDS_TO_ANSWER, HealthCheck
from read_replica.engine.health.verdict import Verdict, from_text, to_text
from read_replica.engine.host import Host
from read_replica.engine.locks import Lock, after_fork
from read_replica.engine.replicas.replica import Replica
from read_replica.engine.settings import Settings

SECONDS_BETWEEN_ROUNDS = 1.0

# A claim outlives a round that is late, and its holder's death by not much.
SECONDS_OF_A_CLAIM = 2.5

# Until the next round, and the reading of what it has found, are overdue, a lag stands as measured.
SECONDS_A_VERDICT_IS_NEW = 2.5

# After that, a verdict is no longer at hand.
SECONDS_A_VERDICT_HOLDS = 5.0

# A statement that runs for long is an occasion to ask: how long a server has to answer then, and how
# long its answer counts.
SECONDS_TO_SHOW_LIFE = 0.5
SECONDS_BETWEEN_SIGNS = 10.0

# How often a process that knows nothing yet asks whether the one that is looking has found something.
SECONDS_UNTIL_ASKED_AGAIN = 0.02

Judgement = Literal["good", "lagging", "down", "unknown"]


class HealthMonitor:
	"""The verdicts of one process about one site's replicas. Safe to share between threads."""

	def __init__(self, replicas: list[Replica], settings: Settings, host: Host, events: Events):
		self.check = HealthCheck(replicas, host, settings.connect_timeout)
		# Processes that still work with other settings have verdicts, and a prober, of their own.
		self._fleet = _digest_of(replicas)
		self._host = host
		self._events = events
		self._lock = Lock()
		self._settings = settings
		self._verdicts: dict[str, Verdict] = {}
		self._heard_at = float("-inf")
		self._found_at = float("-inf")
		# Replicas that did not answer this process, whatever another one has found.
		self.silent: set[str] = set()
		self._begin()
		after_fork(self, HealthMonitor._begin_in_child)

	def _begin_in_child(self) -> None:
		self.check.begin_in_child()
		self._begin()

	def _begin(self) -> None:
		"""A process has a name of its own for its claims."""
		self._owner = f"{os.getpid()}-{secrets.token_hex(4)}"
		self.is_prober = False

	# What a call asks

	@property
	def age(self) -> float:
		"""Seconds since the verdicts were new to this process."""
		return time.monotonic() - self._heard_at

	def verdict_of(self, name: str) -> Verdict | None:
		"""What is known of a replica now, its lag grown by the time that nothing was heard; else None."""
		verdict, age = self._verdicts.get(name), self.age
		if verdict is None or age > SECONDS_A_VERDICT_HOLDS:
			return None
		return verdict.older_by(age - SECONDS_A_VERDICT_IS_NEW)

	def has(self, name: str, position: Position) -> bool:
		"""Whether a replica is known to have a position."""
		verdict = self._verdicts.get(name)
		return verdict is not None and verdict.position.covers(position)

	def verdict_from(self, name: str, answer: HealthAnswer, wanted: Position) -> Verdict:
		"""The verdict on a server that has just answered a question of health on a connection of a call's.

		Its lag is told by the samples of the primary that this process knows, and by their age.

		:param wanted: the position that it was asked for
		"""
		position = answer.position.joined(wanted) if wanted and answer.reached else answer.position
		as_of = self.check.history.as_of(position)
		lag = None if as_of is None else self.check.history.newest - as_of + self.age
		return Verdict(name, "up", lag, as_of, position, answer.read_only, "", answer.server)

	def judge(self, verdict: Verdict | None, max_lag: float) -> Judgement:
		"""Whether the replica of this verdict may answer a call that accepts a lag of `max_lag` seconds."""
		if verdict is None:
			return "unknown"
		if verdict.state == "down" or verdict.name in self.silent:
			return "down"
		if verdict.lag is None or verdict.lag > max_lag:
			return "lagging"
		return "good"

	def look_now(self) -> None:
		"""Look at the replicas, however well they are known."""
		with self._lock:
			self._look(wait_for_connections=True)

	def look_if_unknown(self) -> None:
		"""Let there be a look at the replicas now, if that has been too long ago to say anything."""
		if self.age <= SECONDS_A_VERDICT_HOLDS:
			return
		with self._lock:
			if self.age > SECONDS_A_VERDICT_HOLDS and not (self._read_published() or self._is_told()):
				self._look(wait_for_connections=True)

	def _is_told(self) -> bool:
		"""Wait for the process that is looking now; False if that is this one's part, or takes too long."""
		deadline = time.monotonic() + self._settings.connect_timeout + 2 * SECONDS_TO_ANSWER
		while time.monotonic() < deadline:
			self.is_prober = self._host.shared.claim(self._fleet, self._owner, SECONDS_OF_A_CLAIM)
			if self._read_published():
				return True
			if self.is_prober:
				return False
			time.sleep(SECONDS_UNTIL_ASKED_AGAIN)
		return False

	# What the watchdog does

	def shows_life(self, name: str, since: float | None) -> bool:
		"""Whether a replica still answers, so far as that is known now.

		:param since: the time.monotonic() since which a statement has been running there for
			suspiciously long; the replica is then asked, unless it has answered after that
		"""
		probe = self.check.probes[name]
		if since is None and not probe.silent_for:
			return True
		with self._lock:
			probe.answer()
			if probe.silent_for > SECONDS_TO_SHOW_LIFE:
				self.silent.add(name)
				return False
			if not probe.silent_for and probe.is_connected:
				self.silent.discard(name)
			if since is not None:
				verdict = self._verdicts.get(name)
				said_to_be_down = verdict is not None and verdict.state == "down"
				now = time.monotonic()
				if probe.heard_at < max(since, now - (1 if said_to_be_down else SECONDS_BETWEEN_SIGNS)):
					probe.open_meanwhile()
					probe.ask(dialect.ping)
			return True

	def keep_up(self) -> None:
		"""Once a round: look at the replicas, if that is this process's part, or read what was found."""
		with self._lock:
			was_prober = self.is_prober
			self.is_prober = self._host.shared.claim(self._fleet, self._owner, SECONDS_OF_A_CLAIM)
			if self.is_prober:
				self._look(wait_for_connections=not was_prober)
			else:
				self.check.primary_probe.close()
				self._read_published()

	def read_up(self) -> None:
		"""Between rounds: read what another process has found."""
		if not self.is_prober:
			with self._lock:
				self._read_published()

	def rest(self) -> None:
		"""Close what is kept open for looking."""
		with self._lock:
			self._host.shared.give_up_claim(self._fleet, self._owner)
			self.is_prober = False
			self.check.close()

	def _read_published(self) -> bool:
		"""Take over published verdicts; False if there are none that are new to this process."""
		published = self._host.shared.read_health(self._fleet)
		if not published:
			return False
		text, holds_for = published
		try:
			verdicts, history, found_at = from_text(text)
		except ValueError:
			# Of another version of this app; its process will publish again, or lose its claim.
			return False
		if found_at == self._found_at:
			return False
		self._found_at = found_at
		self.check.history.begin_with(history)
		self._learn({verdict.name: verdict for verdict in verdicts}, SECONDS_A_VERDICT_HOLDS - holds_for)
		return True

	def _learn(self, verdicts: dict[str, Verdict], age: float = 0) -> None:
		self._verdicts = verdicts
		self._heard_at = time.monotonic() - age
		for name, verdict in verdicts.items():
			# Whoever found it up has had an answer; unless our own question still waits for one.
			if verdict.state == "up" and not self.check.probes[name].silent_for:
				self.silent.discard(name)

	def _look(self, wait_for_connections: bool) -> None:
		"""Look at all servers, and let the other processes know what was found."""
		verdicts = self.check.look(wait_for_connections)
		for name, verdict in verdicts.items():
			if verdict.state == "down" and self.check.probes[name].is_connected:
				self.silent.add(name)
			elif verdict.state == "up":
				self.silent.discard(name)
		self._tell(verdicts)
		self._learn(verdicts)
		self._found_at = time.time()
		text = to_text(verdicts.values(), self.check.history.history, self._found_at)
		self._host.shared.publish_health(self._fleet, text, SECONDS_A_VERDICT_HOLDS)

	def _tell(self, verdicts: dict[str, Verdict]) -> None:
		"""Log what has changed since the last look."""
		for name, new in verdicts.items():
			old = self._verdicts.get(name)
			lagging = _is_lagging(new, self._settings.defaults.max_lag)
			if new.state == "down" and (old is None or old.state != "down"):
				self._events.down(name, new.error)
			elif new.state == "up" and (old is None or old.state == "down"):
				self._events.back(name)
			if lagging and not (old and _is_lagging(old, self._settings.defaults.max_lag)):
				seconds = new.lag and round(new.lag, 3)
				self._host.log("lagging", replica=name, seconds=seconds, error=new.error)


def _digest_of(replicas: list[Replica]) -> str:
	addresses = [(r.name, r.endpoint.host, r.endpoint.port, r.endpoint.user) for r in replicas]
	return hashlib.sha1(repr(addresses).encode(), usedforsecurity=False).hexdigest()[:12]


def _is_lagging(verdict: Verdict, max_lag: float) -> bool:
	return verdict.state == "up" and (verdict.lag is None or verdict.lag > max_lag)
