# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The health monitor: which replicas are alive and how late they are, known to all processes of a site.

One process of a site, the prober, checks the replicas once a second and publishes its verdicts in Redis. Which
process that is, a claim in Redis decides, which expires when its holder dies. The others read the verdicts. After
the monitors of MediaWiki and MaxScale. No call waits for a health check while there is a verdict.
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
from read_replica.engine.health.lag_samples import LagSamples
from read_replica.engine.health.verdict import Published, Verdict, from_text, to_text
from read_replica.engine.host import Host
from read_replica.engine.locks import Lock, after_fork
from read_replica.engine.replicas.replica import Replica
from read_replica.engine.settings import Settings
from read_replica.engine.shared.process_list import ProcessNote

SECONDS_BETWEEN_ROUNDS = 1.0

# Long enough for a round that is late, and short enough for another process to take over soon after a death.
SECONDS_OF_A_CLAIM = 2.5

# For so long a lag counts as measured: until the next round, and the reading of its verdicts, are overdue.
SECONDS_A_VERDICT_IS_NEW = 2.5

# After so long, a verdict no longer counts.
SECONDS_A_VERDICT_HOLDS = 5.0

# While a statement runs for long, its server is pinged: how long it has to answer, and how long the answer counts.
SECONDS_TO_ANSWER_PING = 0.5
SECONDS_BETWEEN_PINGS = 10.0

# How often a process without verdicts asks Redis for those of the prober.
SECONDS_UNTIL_ASKED_AGAIN = 0.02

Judgement = Literal["good", "lagging", "down", "unknown"]


class HealthMonitor:
	"""The verdicts on a site's replicas that one process has. Safe to share between threads."""

	def __init__(self, replicas: list[Replica], settings: Settings, host: Host, events: Events) -> None:
		self.health_check = HealthCheck(replicas, host, settings.connect_timeout)
		# Processes with other settings, as during a change of them, have their own verdicts and their own prober.
		self.fleet = _digest_of(replicas)
		self._host = host
		self._events = events
		self._lock = Lock()
		self._settings = settings
		# What the site accepts: a replica that is later is logged. Changes with the site's policy.
		self.max_lag = settings.defaults.max_lag
		self._verdicts: dict[str, Verdict] = {}
		self._updated_at = float("-inf")
		self._found_at = float("-inf")
		self._lag_samples = LagSamples()
		# The names of the replicas that were down in the last verdicts.
		self.down: frozenset[str] = frozenset()
		# The last value of the host's `revision` that this process has heard of.
		self.revision: str | None = None
		self._revised_at = float("-inf")
		# The replicas that do not answer this process, whatever the prober has found.
		self.silent: set[str] = set()
		self._begin()
		after_fork(self, HealthMonitor._begin_in_child)

	def _begin_in_child(self) -> None:
		self.health_check.begin_in_child()
		self._begin()

	def _begin(self) -> None:
		"""Take a name for the claims of this process."""
		self._owner = f"{os.getpid()}-{secrets.token_hex(4)}"
		self.is_prober = False

	# For calls

	@property
	def age(self) -> float:
		"""Return the seconds since the verdicts of this process were new."""
		return time.monotonic() - self._updated_at

	@property
	def revision_age(self) -> float:
		"""Return the seconds since the primary was asked for `revision`, at least; infinite if it never was."""
		return time.monotonic() - self._revised_at

	def verdict_of(self, name: str) -> Verdict | None:
		"""Return the verdict on a replica, or None if it is too old.

		If no new verdict has come for a while, its lag grows by that time.
		"""
		verdict, age = self._verdicts.get(name), self.age
		if verdict is None or age > SECONDS_A_VERDICT_HOLDS:
			return None
		return verdict.older_by(age - SECONDS_A_VERDICT_IS_NEW)

	def has(self, name: str, position: Position) -> bool:
		"""Return whether a replica is known to have reached a position."""
		verdict = self._verdicts.get(name)
		return verdict is not None and verdict.position.covers(position)

	def verdict_from(self, name: str, answer: HealthAnswer, wanted: Position) -> Verdict:
		"""Return the verdict on a server that has just answered a health query on a call's own connection.

		Its lag follows from the samples of the primary that this process has, and from their age.

		:param wanted: the position that it was asked for
		"""
		position = answer.position.joined(wanted) if wanted and answer.reached else answer.position
		as_of = self.health_check.positions.as_of(position)
		lag = None if as_of is None else self.health_check.positions.sampled_at - as_of + self.age
		return Verdict(name, "up", lag, as_of, position, answer.read_only, "", answer.server)

	def judge(self, verdict: Verdict | None, max_lag: float) -> Judgement:
		"""Return whether the replica of this verdict may answer a call that accepts a lag of `max_lag` seconds."""
		if verdict is None:
			return "unknown"
		if verdict.state == "down" or verdict.name in self.silent:
			return "down"
		if verdict.lag is None or verdict.lag > max_lag:
			return "lagging"
		return "good"

	def check_now(self) -> None:
		"""Check the replicas now, also if the verdicts are new."""
		with self._lock:
			self._check(wait_for_connections=True)

	def check_if_unknown(self) -> None:
		"""Wait for a check of the replicas, by this process or another, if there are no verdicts that still count."""
		if self.age <= SECONDS_A_VERDICT_HOLDS:
			return
		with self._lock:
			if self.age > SECONDS_A_VERDICT_HOLDS and not (self._read_published() or self._wait_for_prober()):
				self._check(wait_for_connections=True)

	def _wait_for_prober(self) -> bool:
		"""Wait for the verdicts of the prober; False if this process is the prober, or if that takes too long."""
		deadline = time.monotonic() + self._settings.connect_timeout + 2 * SECONDS_TO_ANSWER
		while time.monotonic() < deadline:
			self.is_prober = self._host.shared.claim(self.fleet, self._owner, SECONDS_OF_A_CLAIM)
			if self._read_published():
				return True
			if self.is_prober:
				return False
			time.sleep(SECONDS_UNTIL_ASKED_AGAIN)
		return False

	# For the watchdog

	def still_answers(self, name: str, since: float | None) -> bool:
		"""Return whether a replica still answers, as far as is known now.

		:param since: the time.monotonic() since which a statement has been running there for suspiciously long; the
			replica is then pinged, unless it has answered since
		"""
		probe = self.health_check.probes[name]
		if since is None and not probe.silent_for:
			return True
		with self._lock:
			probe.answer()
			if probe.silent_for > SECONDS_TO_ANSWER_PING:
				self.silent.add(name)
				return False
			if not probe.silent_for and probe.is_connected:
				self.silent.discard(name)
			if since is not None:
				verdict = self._verdicts.get(name)
				is_found_down = verdict is not None and verdict.state == "down"
				now = time.monotonic()
				if probe.heard_at < max(since, now - (1 if is_found_down else SECONDS_BETWEEN_PINGS)):
					probe.open_in_background()
					probe.ask(dialect.PING)
			return True

	def run_round(self) -> None:
		"""Check the replicas, if this process is the prober, or read the prober's verdicts. Called once a second."""
		with self._lock:
			was_prober = self.is_prober
			self.is_prober = self._host.shared.claim(self.fleet, self._owner, SECONDS_OF_A_CLAIM)
			if self.is_prober:
				self._check(wait_for_connections=not was_prober)
			else:
				self.health_check.primary_probe.close()
				self._read_published(self._note())

	def refresh(self) -> None:
		"""Read the prober's verdicts, if this process is another one. Called between rounds."""
		if not self.is_prober:
			with self._lock:
				self._read_published()

	def release(self) -> None:
		"""Give up the claim and close the probes; the next round begins anew."""
		with self._lock:
			self._host.shared.give_up_claim(self.fleet, self._owner)
			self._host.shared.forget_process(self._owner)
			self.is_prober = False
			self.health_check.close()

	def _note(self) -> ProcessNote:
		return ProcessNote(self._owner, self.revision)

	def _read_published(self, note: ProcessNote | None = None) -> bool:
		"""Take over the published verdicts; False if there are none that are new to this process.

		:param note: what this process notes of itself meanwhile
		"""
		read_at = time.monotonic()
		published = self._host.shared.read_health(self.fleet, note)
		if not published:
			return False
		text, holds_for = published
		try:
			found = from_text(text)
		except ValueError:
			# Published by another version of this app. Its process publishes again soon, or loses its claim.
			return False
		if found.at == self._found_at:
			return False
		self._found_at = found.at
		self.health_check.positions.adopt(found.samples)
		age = SECONDS_A_VERDICT_HOLDS - holds_for
		self._update({verdict.name: verdict for verdict in found.verdicts}, age)
		self._note_revision(found.revision, read_at - age - found.revision_age)
		return True

	def _note_revision(self, revision: str | None, asked_at: float) -> None:
		"""Take over what the primary has told, unless this process has asked it later than that."""
		if revision is not None and asked_at > self._revised_at:
			self.revision, self._revised_at = revision, asked_at

	def _update(self, verdicts: dict[str, Verdict], age: float = 0) -> None:
		"""Replace the verdicts of this process by new ones, which may be some seconds old."""
		self._verdicts = verdicts
		self._updated_at = time.monotonic() - age
		self.down = frozenset(name for name, verdict in verdicts.items() if verdict.state == "down")
		for name, verdict in verdicts.items():
			# The prober had an answer from it, so it is no longer silent; unless our own query still waits for one.
			if verdict.state == "up" and not self.health_check.probes[name].silent_for:
				self.silent.discard(name)

	def _check(self, wait_for_connections: bool) -> None:
		"""Run a health check, and publish the verdicts to the other processes."""
		verdicts = self.health_check.run(wait_for_connections)
		for name, verdict in verdicts.items():
			if verdict.state == "down" and self.health_check.probes[name].is_connected:
				self.silent.add(name)
			elif verdict.state == "up":
				self.silent.discard(name)
		self._log_changes(verdicts)
		self._update(verdicts)
		self._found_at = time.time()
		revision, asked_at = self.health_check.revision, self.health_check.revision_asked_at
		self._note_revision(revision, asked_at)
		samples = self.health_check.positions.samples
		revision_age = time.monotonic() - asked_at if revision is not None else 0.0
		published = Published([*verdicts.values()], samples, self._found_at, revision, revision_age)
		# A command that looks once is neither at work nor the one that keeps samples.
		note = self._note() if self.is_prober else None
		lags = self._lag_samples.take(verdicts) if self.is_prober else None
		self._host.shared.publish_health(self.fleet, to_text(published), SECONDS_A_VERDICT_HOLDS, note, lags)

	def _log_changes(self, verdicts: dict[str, Verdict]) -> None:
		"""Log what has changed since the last verdicts."""
		for name, new in verdicts.items():
			old = self._verdicts.get(name)
			lagging = _is_lagging(new, self.max_lag)
			if new.state == "down" and (old is None or old.state != "down"):
				self._events.down(name, new.error)
			elif new.state == "up" and (old is None or old.state == "down"):
				self._events.back(name)
			if lagging and not (old and _is_lagging(old, self.max_lag)):
				seconds = new.lag and round(new.lag, 3)
				self._host.log("lagging", replica=name, seconds=seconds, error=new.error)


def _digest_of(replicas: list[Replica]) -> str:
	addresses = [(r.name, r.endpoint.host, r.endpoint.port, r.endpoint.user) for r in replicas]
	return hashlib.sha1(repr(addresses).encode(), usedforsecurity=False).hexdigest()[:12]


def _is_lagging(verdict: Verdict, max_lag: float) -> bool:
	return verdict.state == "up" and (verdict.lag is None or verdict.lag > max_lag)
