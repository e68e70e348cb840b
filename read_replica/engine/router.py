# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Opens and closes scopes: the way of a decorated call, from its need to a server."""

import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from read_replica.engine.choice import Reason, in_order
from read_replica.engine.connections import Lease, PoolTimeout
from read_replica.engine.errors import ReplicaUnavailable
from read_replica.engine.host import Host
from read_replica.engine.metrics import PRIMARY, Metrics
from read_replica.engine.replica import Replica
from read_replica.engine.scope import PrimaryBlock, Scope
from read_replica.engine.settings import Need, Settings
from read_replica.engine.writers import Writers

Frame = Scope | PrimaryBlock


class Router:
	"""All that one process knows of one site's replicas. Safe to share between threads."""

	def __init__(self, settings: Settings, host: Host, rng: random.Random | None = None):
		self.settings = settings
		self.host = host
		self.metrics = Metrics()
		self.writers = Writers(host)
		self.replicas = [Replica(endpoint, settings, host) for endpoint in settings.replicas]
		self._rng = rng or random.Random()
		self._needs: dict[Need, Need] = {}
		self._denied: set[str] = set()

	@contextmanager
	def read_only(self, need: Need, method: str) -> Iterator[Scope | None]:
		"""Work on a replica, if there is one for it; afterwards the primary is in place again.

		:raises ReplicaUnavailable: if there is none, and the need says on_unavailable="error"
		"""
		frame = self.open(need, method)
		try:
			yield frame if isinstance(frame, Scope) else None
		finally:
			if frame:
				self.close(frame)

	@contextmanager
	def primary(self) -> Iterator[Any]:
		"""Work on the primary, also inside a read-only scope, and with all that is called there."""
		block = self._open_primary_block()
		try:
			yield self.host.current()
		finally:
			self.close(block)

	def open(self, need: Need, method: str) -> Frame | None:
		"""Put the right database in place; the frame is to be closed. None: what is in place is right.

		:raises ReplicaUnavailable: as read_only does
		"""
		frames = self.host.frames()
		if frames and self._stays(frames[-1], need):
			return None
		primary = frames[-1].primary if frames else self.host.current()
		need = self._complete(need)
		found = self._choose(need, method, primary)
		if isinstance(found, Reason):
			self.metrics.count(PRIMARY, found)
			# Inside a scope that is not good enough for this call, the primary is not in place yet.
			return self._open_primary_block() if frames else None
		self.host.end_transaction(primary)
		scope = Scope(self, primary, need, method, *found)
		frames.append(scope)
		self.host.put(scope.database)
		self.metrics.count(scope.replica.name, Reason.REPLICA)
		return scope

	def _open_primary_block(self) -> PrimaryBlock:
		frames = self.host.frames()
		previous = self.host.current()
		block = PrimaryBlock(frames[-1].primary if frames else previous, previous)
		frames.append(block)
		self.host.put(block.primary)
		return block

	def _complete(self, need: Need) -> Need:
		if need not in self._needs:
			self._needs[need] = need.or_else(self.settings.defaults)
		return self._needs[need]

	def close(self, frame: Frame) -> None:
		"""Take a frame, and what was left open inside it, off the stack, and restore what was in place."""
		frames = self.host.frames()
		if frame not in frames:
			frame.end()
			return
		while frames:
			last = frames.pop()
			last.end()
			self.host.put(last.previous)
			if isinstance(last, PrimaryBlock):
				self._stay_with_writes_of(last)
			if last is frame:
				return

	def _stay_with_writes_of(self, block: PrimaryBlock) -> None:
		"""What a block has written and not committed is on no replica: its scopes stay on the primary."""
		scopes = [frame for frame in self.host.frames() if isinstance(frame, Scope) and not frame.pinned]
		if scopes and self.host.has_pending_writes(block.primary):
			for scope in scopes:
				scope.pin()

	def _stays(self, innermost: Frame, need: Need) -> bool:
		"""Whether a call inside an open frame uses what is in place."""
		if isinstance(innermost, PrimaryBlock):
			self.metrics.count(PRIMARY, Reason.IN_PRIMARY_BLOCK)
			return True
		if innermost.pinned:
			self.metrics.count(PRIMARY, Reason.IN_SCOPE)
			return True
		if need.is_met_by(innermost.need):
			self.metrics.count(innermost.replica.name, Reason.IN_SCOPE)
			return True
		return False

	def _choose(self, need: Need, method: str, primary: Any) -> tuple[Replica, Lease] | Reason:
		"""A replica with a connection to it, or the reason for the primary; cheapest question first."""
		if need.consistency == "strong":
			return Reason.STRONG
		if self.host.has_pending_writes(primary):
			return Reason.PENDING_WRITES
		if method in self.writers:
			return Reason.WRITER
		found = self.lend(need)
		if not found and need.on_unavailable == "error":
			self.metrics.count(PRIMARY, Reason.NO_REPLICA)
			raise ReplicaUnavailable(method, [replica.name for replica in self.replicas])
		return found or Reason.NO_REPLICA

	def lend(self, need: Need, exclude: Collection[str] = ()) -> tuple[Replica, Lease] | None:
		"""A replica and an open connection to it, the best one that answers; None if none does."""
		for replica in in_order(self.replicas, need.pool, self._rng):
			if replica.name in exclude or not replica.breaker.allows():
				continue
			try:
				lease = replica.lend(need.timeout)
			except PoolTimeout:
				self.host.log(
					"pool_exhausted", replica=replica.name, size=self.settings.connections_per_replica
				)
				continue
			except Exception as error:
				self.failed(replica, error)
				continue
			if replica.breaker.succeeded() == "closed":
				self.host.log("replica_back", replica=replica.name)
			return replica, lease
		return None

	def denied(self, replica: Replica, error: Exception) -> None:
		"""A replica's user may not read what the primary's may; logged once per process."""
		self.metrics.count(PRIMARY, Reason.DENIED)
		if replica.name not in self._denied:
			self._denied.add(replica.name)
			self.host.log("denied", replica=replica.name, error=error.args[0])

	def failed(self, replica: Replica, error: Exception) -> None:
		"""Leave a replica alone for a while; logged once per outage."""
		if replica.breaker.failed() == "opened":
			endpoint = replica.endpoint
			# The number is the driver's and tells the cause; its text may hold a user's name.
			number = error.args[0] if error.args else ""
			self.host.log(
				"replica_down",
				replica=replica.name,
				address=f"{endpoint.host}:{endpoint.port}",
				error=f"{type(error).__name__} {number}",
			)
