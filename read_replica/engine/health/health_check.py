# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The health check: asks the primary of a site for its position, and all replicas for theirs."""

import time
from typing import Any

from read_replica.engine import dialect
from read_replica.engine.dialect import HealthAnswer, Position
from read_replica.engine.health.lag import PositionHistory
from read_replica.engine.health.probe import Probe
from read_replica.engine.health.verdict import FOLLOWS_ANOTHER, NO_ANSWER, Verdict
from read_replica.engine.host import Host
from read_replica.engine.locks import leave_to_parent
from read_replica.engine.replicas.replica import Replica

# How long a check waits for a replica to reach the primary's position, and for any answer at all.
SECONDS_TO_REACH = 0.25
SECONDS_TO_ANSWER = 0.75

# An open connection stays with a server that is no longer the primary, although the address (a VIP, a proxy, a name)
# leads to another server by now. So the primary's connection is renewed after so long, and at once when the server
# is read-only.
SECONDS_UNTIL_RENEWED = 10.0

# A connection that is not older shows that the primary's address still leads to a server, even if that is read-only.
SECONDS_A_CONNECTION_IS_NEW = 2.0


class HealthCheck:
	"""Keeps a connection of its own to each server. Used by one thread at a time."""

	def __init__(self, replicas: list[Replica], host: Host, connect_timeout: float):
		self.positions = PositionHistory()
		self._replicas = replicas
		self._host = host
		self._connect_timeout = connect_timeout
		self.begin()

	def begin(self) -> None:
		"""Begin without connections, as in a new process."""
		self.primary_probe = Probe(self._connect_to_primary, SECONDS_UNTIL_RENEWED)
		self.probes = {replica.name: Probe(replica.connect) for replica in self._replicas}
		self.rounds = 0
		# The value of the host's `revision`; None if the primary did not tell it in the last check.
		self.revision: str | None = None
		# When it was asked for that, by time.monotonic(): replicas are waited for afterwards.
		self.revision_asked_at = float("-inf")
		# The primary's clock minus time.monotonic(), once the primary has told its time.
		self._primarys_clock: float | None = None
		# The server that the last sample is of, and when the connection to it was opened.
		self._primary = ("", 0.0)

	def _connect_to_primary(self) -> Any:
		connection = self._host.connect(None, self._connect_timeout)
		dialect.commit_each(connection)
		return connection

	def begin_in_child(self) -> None:
		"""Begin again in a forked process, and leave the connections to the parent."""
		leave_to_parent((self.primary_probe, self.probes))
		self.begin()

	def close(self) -> None:
		"""Close all connections."""
		for probe in (self.primary_probe, *self.probes.values()):
			probe.close()

	def run(self, wait_for_connections: bool = False) -> dict[str, Verdict]:
		"""Ask the primary, then all replicas at once, and return the verdict on each replica by its name.

		It waits SECONDS_TO_ANSWER at most for the primary, which is asked again if a replica is ahead of it, and as
		long for all replicas together.

		:param wait_for_connections: wait for connections that are being opened as well
		"""
		self.rounds += 1
		probes = (self.primary_probe, *self.probes.values())
		for probe in probes:
			probe.answer()  # read an answer that came too late for the last check
			probe.open_in_background()
		if wait_for_connections:
			until = time.monotonic() + self._connect_timeout + SECONDS_TO_ANSWER
			for probe in probes:
				probe.wait_until_open(until - time.monotonic())
		wanted, sampled_at = self._ask_primary()
		if wanted:
			self.positions.sample(wanted, sampled_at)
		began = time.monotonic()
		query = dialect.health_query(wanted, SECONDS_TO_REACH)
		asked = {name for name, probe in self.probes.items() if probe.ask(query)}
		answers: dict[str, HealthAnswer | None] = dict.fromkeys(self.probes)
		for name in asked:
			left = max(0.0, began + SECONDS_TO_ANSWER - time.monotonic())
			if row := self.probes[name].answer(left):
				answers[name] = dialect.read_health(row)
		strange = self._ahead_of_primary(answers, wanted)
		return {
			name: self._verdict(name, answer, wanted, sampled_at, name in strange)
			for name, answer in answers.items()
		}

	def _ask_primary(self) -> tuple[Position, float]:
		"""Return the primary's position and its time.

		The position is empty if the primary keeps no binary log, or does not answer.
		"""
		probe = self.primary_probe
		probe.ask(dialect.primary_health_query(self._host.revision))
		# An earlier query may still be open: it is that one's answer, then.
		asked_at = time.monotonic() - probe.silent_for
		row = probe.answer(SECONDS_TO_ANSWER)
		self.revision = None
		if not row:
			return Position(), self._now()
		answer = dialect.read_primary(row)
		if answer.read_only:
			# It may have been demoted. If the address still leads to it, it is the primary all the same.
			probe.renew()
			if probe.age > SECONDS_A_CONNECTION_IS_NEW:
				return Position(), self._now()
		self.revision, self.revision_asked_at = answer.revision, asked_at
		server, connected_at = self._primary
		if server and server != answer.server:
			self.positions.forget_since(answer.at - (time.monotonic() - connected_at))
		self._primary = (answer.server, probe.opened_at)
		self._primarys_clock = answer.at - time.monotonic()
		return answer.position, answer.at

	def _now(self) -> float:
		"""Return the time by the primary's clock; by this host's clock until the primary has told its time."""
		return time.time() if self._primarys_clock is None else time.monotonic() + self._primarys_clock

	def _ahead_of_primary(self, answers: dict[str, HealthAnswer | None], position: Position) -> set[str]:
		"""Return the replicas that have what the primary never had, as they follow another primary or a lost one.

		The numbers in their positions are higher, so they would seem to have everything.
		"""
		ahead = {name: a.position for name, a in answers.items() if a and a.position.is_ahead_of(position)}
		if ahead:
			# They may as well have what was committed since the primary was asked.
			later, _ = self._ask_primary()
			position = later or position
		return {name for name, reached in ahead.items() if reached.is_ahead_of(position)}

	def _verdict(
		self, name: str, answer: HealthAnswer | None, wanted: Position, sampled_at: float, is_strange: bool
	) -> Verdict:
		if answer is None:
			error = self.probes[name].error
			return Verdict(name, "down", error=dialect.summary_of(error) if error else NO_ANSWER)
		if is_strange:
			return Verdict(
				name, "up", None, None, answer.position, answer.read_only, FOLLOWS_ANOTHER, answer.server
			)
		position, as_of = answer.position, self.positions.as_of(answer.position)
		lag = None if as_of is None else max(0.0, self._now() - as_of)
		if wanted and answer.reached:
			lag = 0.0 if position.covers(wanted) else self._now() - sampled_at
			position, as_of = position.joined(wanted), sampled_at
		return Verdict(name, "up", lag, as_of, position, answer.read_only, "", answer.server)
