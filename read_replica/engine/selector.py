# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Selects a replica for a call: one that is alive, is fresh enough, and has a connection to spare."""

import random
import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any, NamedTuple

from read_replica.engine import dialect
from read_replica.engine.dialect import Position
from read_replica.engine.events import Events
from read_replica.engine.health.backends import Backends
from read_replica.engine.health.failed_waits import FailedWaits
from read_replica.engine.health.monitor import HealthMonitor
from read_replica.engine.health.verdict import FOLLOWS_ANOTHER, Verdict
from read_replica.engine.host import Host
from read_replica.engine.reasons import Reason
from read_replica.engine.replicas.choice import in_order
from read_replica.engine.replicas.pool import Lease, PoolTimeout
from read_replica.engine.replicas.replica import Replica
from read_replica.engine.request import AsOf
from read_replica.engine.settings import CompleteNeed, Settings

# How many seconds later than asked a server may end a wait for a position.
GRACE = 0.5

# How old a verdict may be, in seconds, when another process reads it.
DELAY_OF_VERDICTS = 1.5

# How many connections are tried where an address leads to several servers.
MOST_CONNECTIONS_TRIED = 3


class Selection(NamedTuple):
	"""A replica that was selected, a connection to it, and how fresh its data is."""

	replica: Replica
	lease: Lease
	as_of: AsOf


class Search:
	"""The requirements of one call, and the seconds that it may still wait for a replica to meet them."""

	__slots__ = ("known_for", "need", "patience", "position", "primary")

	def __init__(
		self, need: CompleteNeed, position: Position, primary: Any, known_for: float, patience: float
	):
		self.need = need
		self.position = position
		self.primary = primary
		self.known_for = known_for
		self.patience = patience


class ReplicaSelector:
	"""Chooses a replica for a call by trying them in turn; their circuit breakers remember how that went."""

	def __init__(
		self,
		replicas: list[Replica],
		settings: Settings,
		host: Host,
		health: HealthMonitor,
		events: Events,
		rng: random.Random,
	):
		self._replicas = replicas
		self._settings = settings
		self._host = host
		self._health = health
		self._events = events
		self._rng = rng
		self._waits = FailedWaits()
		self._servers = Backends()

	def find(
		self,
		need: CompleteNeed,
		position: Position,
		primary: Any,
		known_for: float = float("inf"),
		exclude: Collection[str] = (),
	) -> Selection | Reason:
		"""Return the first replica in order that answers and has this position, or the reason why none does.

		:param primary: the primary's database object, as the host has it
		:param known_for: seconds since which `position` is sure to be all that it should be
		"""
		self._health.check_if_unknown()
		reason = Reason.NO_REPLICA
		search = Search(need, position, primary, known_for, self._settings.wait)
		for replica in self._in_order(need.pool, position):
			if replica.name in exclude:
				continue
			verdict = self._health.verdict_of(replica.name)
			judgement = self._health.judge(verdict, need.max_lag)
			if verdict is None or judgement not in ("good", "lagging"):
				continue
			against = Reason.LAGGING if judgement == "lagging" else self._reason_against(verdict, search)
			tries = self._connections_to_try(replica.name, against)
			if not tries:
				reason = against or reason
			elif replica.breaker.allows():
				found = self._try(replica, verdict, against, search, tries)
				if isinstance(found, Selection):
					return found
				reason = found or reason
		return reason

	def are_several(self, name: str) -> bool:
		"""Return whether a replica's address is known to lead to several servers."""
		return self._servers.are_several(name)

	def _reason_against(self, verdict: Verdict, search: Search) -> Reason | None:
		"""Return why a server that is fresh enough cannot be used for the user's own writes; None if it can."""
		if verdict.lag is None or verdict.lag + self._health.age + DELAY_OF_VERDICTS > search.known_for:
			return Reason.BEHIND
		if verdict.position.covers(search.position):
			return None
		return Reason.BEHIND if self._waits.is_hopeless(verdict, search.position, search.patience) else None

	def _connections_to_try(self, name: str, against: Reason | None) -> int:
		"""Return how many connections to an address to try: one, if the server that its probe has reached will do."""
		if self.are_several(name) or (against and self._servers.may_look_for_others(name)):
			return MOST_CONNECTIONS_TRIED
		return 0 if against else 1

	def _try(
		self, replica: Replica, verdict: Verdict, against: Reason | None, search: Search, tries: int
	) -> Selection | Reason | None:
		"""Try connections to an address, which may lead to several servers, and return the first that meets the call.

		:param against: why the server that the probe has reached will not do
		"""
		reason, passed_over, found = against, [], None
		try:
			for _ in range(tries):
				lease = self._lend(replica, search.need.timeout)
				if lease is None:
					break
				passed_over.append(lease)
				is_the_same = lease.server != "" and lease.server == verdict.server
				judge = self._judge_as_probed if is_the_same else self._judge_by_itself
				answer = judge(replica, lease, verdict, against, search)
				if isinstance(answer, AsOf):
					passed_over.remove(lease)
					found = Selection(replica, lease, answer)
					return found
				reason = answer
			return reason
		finally:
			# The pool would lend the same connections again; new ones may lead to another server.
			are_renewed = (
				not found and len(passed_over) > 1 and self._servers.may_look_for_others(replica.name)
			)
			for lease in passed_over:
				lease.throw_away() if are_renewed else lease.give_back()

	def _judge_as_probed(
		self, replica: Replica, lease: Lease, verdict: Verdict, against: Reason | None, search: Search
	) -> AsOf | Reason:
		"""Return how fresh a server is by its probe's verdict, or the reason why it cannot be used."""
		if against or verdict.as_of is None:
			return against or Reason.LAGGING
		if not search.position or (
			verdict.position.covers(search.position) and not self._may_have_restarted(lease)
		):
			return AsOf(verdict.as_of, verdict.position)
		if self._reaches(replica, lease, verdict, search):
			return AsOf(verdict.as_of, verdict.position.joined(search.position))
		return Reason.BEHIND

	def _may_have_restarted(self, lease: Lease) -> bool:
		"""Return whether the server may have crashed since the verdict, and lost commits that the verdict has seen."""
		return lease.opened_at + DELAY_OF_VERDICTS > time.monotonic() - self._health.age

	def _judge_by_itself(
		self, replica: Replica, lease: Lease, verdict: Verdict, against: Reason | None, search: Search
	) -> AsOf | Reason:
		"""Return how fresh a server is that the probe has not reached, by asking it, or why it cannot be used."""
		seen = self._servers.get(replica.name, lease.server) if lease.server else None
		own = seen.verdict.older_by(time.monotonic() - seen.at) if seen and seen.is_fresh else None
		if own is None or not own.position.covers(search.position):
			is_hopeless = seen and self._waits.is_hopeless(seen.verdict, search.position, search.patience)
			if own and is_hopeless:
				return Reason.BEHIND
			# If it was late a while ago, ask whether it still is, but do not wait for it.
			own = self._ask(replica, lease, search, 0.0 if is_hopeless else max(search.patience, 0.0))
		if own.state == "down":
			return Reason.NO_REPLICA
		if own.lag is None or own.as_of is None or own.lag > search.need.max_lag:
			return Reason.LAGGING
		if own.lag + DELAY_OF_VERDICTS > search.known_for or not own.position.covers(search.position):
			return Reason.BEHIND
		return AsOf(own.as_of, own.position)

	def _ask(self, replica: Replica, lease: Lease, search: Search, patience: float) -> Verdict:
		"""Ask a server for its health, after waiting for it to reach the position."""
		question = dialect.health_query(search.position, patience)
		began = time.monotonic()
		try:
			if not lease.server:
				dialect.stay_in_transaction(lease.connection, GRACE)
			row = dialect.answer_within(lease.connection, question, patience + GRACE)
		except BaseException as error:
			self._throw_away(replica, lease, error)
			return Verdict(replica.name, "down", server=lease.server)
		finally:
			search.patience -= time.monotonic() - began
		answer = dialect.read_health(row)._replace(server=lease.server)
		own = self._health.verdict_from(replica.name, answer, search.position)
		if self._has_what_the_primary_lacks(answer.position, search.primary):
			own = replace(own, lag=None, as_of=None, error=FOLLOWS_ANOTHER)
		self._servers.note(own)
		if not own.position.covers(search.position):
			self._waits.failed(own, search.position)
		return own

	def _has_what_the_primary_lacks(self, position: Position, primary: Any) -> bool:
		"""Return whether a server follows another primary, so that the higher numbers of its position prove nothing.

		One that is in step is ahead of the last sample as well, while the site is written to. A primary that
		does not answer is not judged by; nor does the probe, then.
		"""
		if not self._health.health_check.positions.is_behind(position):
			return False
		try:
			[text, *_] = self._host.ask_primary(primary, dialect.PRIMARY_POSITION_QUERY)
		except Exception as error:
			if not dialect.is_driver_error(error):
				raise
			return False
		return position.is_ahead_of(Position(dialect.text(text)))

	def _in_order(self, pool: str | None, position: Position) -> list[Replica]:
		"""Return the replicas in the order to try them: first those that have the position already."""
		if len(self._replicas) == 1:
			return self._replicas
		replicas = in_order(self._replicas, pool, self._rng)
		if position:
			replicas.sort(key=lambda replica: not self._health.has(replica.name, position))
		return replicas

	def _lend(self, replica: Replica, timeout: float) -> Lease | None:
		try:
			lease = replica.lend(timeout)
		except PoolTimeout:
			self._events.log_throttled(
				"pool_exhausted", replica=replica.name, size=self._settings.connections_per_replica
			)
			return None
		except Exception as error:
			if not dialect.is_driver_error(error):
				raise
			self.failed(replica, error)
			return None
		return lease

	def _reaches(self, replica: Replica, lease: Lease, verdict: Verdict, search: Search) -> bool:
		"""Wait for a replica to reach the position; return whether it has in time."""
		began = time.monotonic()
		try:
			if dialect.wait_for(lease.connection, search.position, search.patience, GRACE):
				return True
		except BaseException as error:
			self._throw_away(replica, lease, error)
			return False
		finally:
			search.patience -= time.monotonic() - began
		self._waits.failed(verdict, search.position)
		self._events.log_throttled(
			"position_timeout", replica=replica.name, waited=round(time.monotonic() - began, 3)
		)
		return False

	def _throw_away(self, replica: Replica, lease: Lease, error: BaseException) -> None:
		"""Close a connection after a query on it has failed.

		:raises BaseException: the error, if it is not the connection's
		"""
		lease.throw_away()
		if not dialect.is_driver_error(error):
			raise error
		if isinstance(error, Exception) and dialect.kind_of(error) is dialect.ErrorKind.LOST:
			self.failed(replica, error)

	def recovered(self, replica: Replica) -> None:
		"""Close a replica's circuit breaker, as it has answered a statement; log the recovery once per site."""
		if replica.breaker.succeeded() == "closed":
			self._host.shared.note_try(replica.name, went_well=True)
			self._events.back(replica.name)

	def failed(self, replica: Replica, error: Exception) -> None:
		"""Open a replica's circuit breaker, so that it is left alone for a while; log the outage once per site."""
		if replica.breaker.failed() == "opened":
			self._host.shared.note_try(replica.name, went_well=False)
			self._events.down(replica.name, dialect.summary_of(error))
