# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Finds a replica for a call: alive, fresh enough, and with a connection to spare."""

import random
import time
from collections.abc import Collection
from typing import NamedTuple

from read_replica.engine import dialect
from read_replica.engine.choice import Reason, in_order
from read_replica.engine.connections import Lease, PoolTimeout
from read_replica.engine.dialect import Position
from read_replica.engine.events import Events
from read_replica.engine.health import Health
from read_replica.engine.host import Host
from read_replica.engine.replica import Replica
from read_replica.engine.request import AsOf
from read_replica.engine.settings import Need, Settings

# How late a server may answer, after a wait that it was asked to end itself.
GRACE = 0.5

# How old a verdict may be when it reaches another process that reads it.
DELAY_OF_VERDICTS = 1.5


class Found(NamedTuple):
	"""A replica that may answer, an open connection to it, and how fresh it is."""

	replica: Replica
	lease: Lease
	as_of: AsOf


class Finder:
	"""Tries the replicas of one router in turn, and remembers by their breakers how that went."""

	def __init__(
		self,
		replicas: list[Replica],
		settings: Settings,
		host: Host,
		health: Health,
		events: Events,
		rng: random.Random,
	):
		self._replicas = replicas
		self._settings = settings
		self._host = host
		self._health = health
		self._events = events
		self._rng = rng

	def find(
		self, need: Need, position: Position, known_for: float = float("inf"), exclude: Collection[str] = ()
	) -> Found | Reason:
		"""The best replica that answers and has this position; or why none will do.

		:param known_for: seconds since which `position` is sure to be all that it should be
		"""
		self._health.look_if_unknown()
		reason = Reason.NO_REPLICA
		patience = self._settings.wait
		for replica in self._in_order(need.pool, position):
			if replica.name in exclude:
				continue
			verdict = self._health.verdict_of(replica.name)
			judgement = self._health.judge(verdict, need.max_lag)
			if judgement == "lagging":
				reason = Reason.LAGGING
			if judgement != "good" or not replica.breaker.allows():
				continue
			if verdict.lag + self._health.age + DELAY_OF_VERDICTS > known_for:
				reason = Reason.BEHIND
				continue
			lease = self._lend(replica, need.timeout)
			if lease is None:
				continue
			if verdict.position.covers(position):
				return Found(replica, lease, AsOf(verdict.as_of, verdict.position))
			began = time.monotonic()
			if self._reaches(replica, lease, position, patience):
				return Found(replica, lease, AsOf(verdict.as_of, verdict.position.joined(position)))
			patience -= time.monotonic() - began
			reason = Reason.BEHIND
		return reason

	def _in_order(self, pool: str | None, position: Position) -> list[Replica]:
		"""Those first that need not be waited for."""
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
			self._events.now_and_then(
				"pool_exhausted", replica=replica.name, size=self._settings.connections_per_replica
			)
			return None
		except Exception as error:
			if not dialect.is_of_connection(error):
				raise
			self.failed(replica, error)
			return None
		return lease

	def _reaches(self, replica: Replica, lease: Lease, position: Position, patience: float) -> bool:
		"""Whether a replica has a position soon enough; if not, its connection has gone back."""
		try:
			if dialect.wait_for(lease.connection, position, patience, GRACE):
				return True
		except BaseException as error:
			lease.throw_away()
			if not dialect.is_of_connection(error):
				raise
			if dialect.kind_of(error) is dialect.ErrorKind.LOST:
				self.failed(replica, error)
			return False
		lease.give_back()
		self._events.now_and_then("position_timeout", replica=replica.name, waited=round(max(patience, 0), 3))
		return False

	def recovered(self, replica: Replica) -> None:
		"""A replica that was left alone has answered a statement."""
		if replica.breaker.succeeded() == "closed":
			self._host.shared.note_try(replica.name, went_well=True)
			self._events.back(replica.name)

	def failed(self, replica: Replica, error: Exception) -> None:
		"""Leave a replica alone for a while."""
		if replica.breaker.failed() == "opened":
			self._host.shared.note_try(replica.name, went_well=False)
			self._events.down(replica.name, dialect.summary_of(error))
