# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Routes calls: decides whether a replica or the primary answers a call, and opens and closes its scope."""

import random
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from redis.exceptions import RedisError

from read_replica.engine import dialect
from read_replica.engine.dialect import Position
from read_replica.engine.errors import ReplicaUnavailable
from read_replica.engine.events import Events
from read_replica.engine.health.monitor import HealthMonitor
from read_replica.engine.health.watchdog import Watchdog
from read_replica.engine.host import Host
from read_replica.engine.locks import after_fork
from read_replica.engine.metrics import PRIMARY, Metrics
from read_replica.engine.reasons import Reason
from read_replica.engine.replica_scope import ReplicaScope
from read_replica.engine.replicas.replica import Replica
from read_replica.engine.request import RequestState
from read_replica.engine.requests import Requests
from read_replica.engine.scope import PrimaryBlock, Scope
from read_replica.engine.selector import ReplicaSelector, Selection
from read_replica.engine.settings import CompleteNeed, Consistency, Need, Settings
from read_replica.engine.shared.redis_state import SECONDS_LEFT_ALONE
from read_replica.engine.sticking.session import Session
from read_replica.engine.writers import Writers

# Code may work out a `max_lag` anew for each call.
MOST_NEEDS = 1000

Frame = Scope | PrimaryBlock


class ReadOnly:
	"""One use of `Router.read_only`. A class, as each call pays for it, and a generator costs more."""

	__slots__ = ("_began", "_method", "_need", "_opened", "_router")

	def __init__(self, router: "Router", need: Need, method: str):
		self._router = router
		self._need = need
		self._method = method

	def __enter__(self) -> ReplicaScope | None:
		self._began = time.monotonic()
		self._opened = self._router.open(self._need, self._method)
		return self._opened if isinstance(self._opened, ReplicaScope) else None

	def __exit__(self, *exception: object) -> None:
		opened = self._opened
		if isinstance(opened, Reason):
			self._router.metrics.took(PRIMARY, opened, self._method, time.monotonic() - self._began)
		elif opened:
			self._router.close(opened)


class Router:
	"""All that one process knows of one site's replicas. Safe to share between threads."""

	def __init__(self, settings: Settings, host: Host, rng: random.Random | None = None):
		self.settings = self._configured = settings
		self.host = host
		self.metrics = Metrics()
		self.requests = Requests()
		self.writers = Writers(host)
		self.replicas = [Replica(endpoint, settings, host) for endpoint in settings.replicas]
		self.events = Events(host)
		self.health = HealthMonitor(self.replicas, settings, host, self.events)
		self.session = Session(host)
		self.scopes: set[ReplicaScope] = set()
		self.selector = ReplicaSelector(
			self.replicas, settings, host, self.health, self.events, rng or random.Random()
		)
		self._watchdog = Watchdog(
			self.replicas,
			host,
			self.events,
			self.health,
			calls=lambda: self.scopes,
			are_several=self.selector.are_several,
			share_counts=self.share_counts,
		)
		self._needs: dict[Need, CompleteNeed] = {}
		# Whether all calls that begin now stay on the primary.
		self.paused = False
		after_fork(self, Router._begin_in_child)

	def _begin_in_child(self) -> None:
		"""Forget the parent's open scopes: cutting off their connections here would cut them off there."""
		self.scopes = set()
		# What the parent has counted, it shares itself.
		self.metrics.take_unshared()
		self.requests.take_unshared()

	def follow(self, defaults: Need, paused: bool) -> None:
		"""Take what may change while the site runs; calls that have begun go on as they were.

		:param defaults: what counts where a call leaves things open, before the defaults of the settings
		:param paused: whether all calls stay on the primary from now on
		"""
		self.paused = paused
		complete = defaults.or_else(self._configured.defaults)
		if complete != self.settings.defaults:
			self.settings = replace(self._configured, defaults=complete)
			self.health.max_lag = complete.max_lag
			self._needs = {}

	def read_only(self, need: Need, method: str) -> ReadOnly:
		"""Return a context manager: inside it a replica is in place, if there is one for the need; then the primary again.

		:raises ReplicaUnavailable: if there is none, and the need says on_unavailable="error"
		"""
		return ReadOnly(self, need, method)

	@contextmanager
	def primary(self) -> Iterator[Any]:
		"""Work on the primary, also inside a read-only scope, and with all that is called there."""
		block = self._open_primary_block(self.host.state())
		try:
			yield self.host.current()
		finally:
			self.close(block)

	def open(self, need: Need, method: str) -> Frame | Reason | None:
		"""Put the right database in place for a call. A frame that is returned must be closed.

		:returns: None inside another scope, or the reason why a call of its own stays on the primary
		:raises ReplicaUnavailable: as read_only does
		"""
		state = self.host.state()
		frames = state.frames
		current = self.host.current()
		primary = frames[-1].primary if frames else current
		if frames and (reason := self._stays(frames, need, method)):
			self._end_old_snapshot(need.consistency, primary)
			if need.on_write == "error" and _may_write(frames[-1]):
				complete = self._complete(need, state.timeout_at_least)
				return self._put(Scope(self, state, primary, current, complete, method, reason))
			return None
		if need.on_write is None and frames and not _may_write(frames[-1]):
			# A call inside one that may not write may not write either, unless it says so itself.
			need = replace(need, on_write="error")
		complete = self._complete(need, state.timeout_at_least)
		found = self._choose(complete, method, primary)
		if isinstance(found, Reason):
			self.metrics.count(PRIMARY, found, method)
			self._end_old_snapshot(complete.consistency, primary)
			if complete.on_write == "error":
				return self._put(Scope(self, state, primary, current, complete, method, found))
			# The database in place is that of a scope which is not good enough for this call.
			return self._open_primary_block(state) if frames else found
		try:
			self.host.end_transaction(primary)
			scope = ReplicaScope(self, state, primary, current, complete, method, found)
		except BaseException:
			found.lease.throw_away()
			raise
		self.scopes.add(scope)
		state.note_use(scope.replica.name, scope.as_of)
		self.metrics.count(scope.replica.name, Reason.REPLICA, method)
		return self._put(scope)

	def open_primary(self, method: str) -> PrimaryBlock:
		"""Put the primary in place for a call that a rule keeps there, and for all that it calls; to be closed."""
		self.metrics.count(PRIMARY, Reason.RULE, method)
		return self._open_primary_block(self.host.state())

	def _end_old_snapshot(self, consistency: Consistency | None, primary: Any) -> None:
		"""End the primary's snapshot before it answers a strong call, as that is older than the call.

		What is written and not committed stays in its transaction, and the call in that one's snapshot.
		"""
		if consistency == "strong" and not self.host.pending_writes(primary):
			self.host.end_transaction(primary)

	def _put(self, scope: Scope) -> Scope:
		frames = scope.state.frames
		if frames and isinstance(frames[-1], Scope) and frames[-1].has_read:
			scope.note_read()
		frames.append(scope)
		self.host.put(scope.database, scope.state)
		return scope

	def _open_primary_block(self, state: RequestState) -> PrimaryBlock:
		frames = state.frames
		previous = self.host.current()
		primary = frames[-1].primary if frames else previous
		# Read now, so that an earlier commit is not taken for one of the block's.
		own = self.session.committed_position(primary) if frames else state.own
		block = PrimaryBlock(state, primary, previous, own, self.host.pending_writes(primary))
		frames.append(block)
		self.host.put(primary, state)
		return block

	def _complete(self, need: Need, timeout_at_least: float) -> CompleteNeed:
		"""Return the need completed by the site's defaults. A statement may take as long as the job it is part of."""
		complete = self._needs.get(need)
		if complete is None:
			# Before the settings: those of a moment ago must not stay under the needs that belong to new ones.
			known = self._needs
			if len(known) >= MOST_NEEDS:
				known.clear()
			complete = known[need] = need.or_else(self.settings.defaults_of(need.pool))
		if timeout_at_least > complete.timeout:
			return replace(complete, timeout=timeout_at_least)
		return complete

	def close(self, frame: Frame) -> None:
		"""End a frame, and frames that were left open inside it, and restore the database that was in place before."""
		# Not the frame's own state: code inside may have begun another request, or have forked.
		frames = self.host.state().frames
		if frame not in frames:
			self._end(frame)
			return
		while frames:
			last = frames.pop()
			try:
				self._end(last)
				# Before the database around it is in place: what that has cached may be older than the write.
				if isinstance(last, PrimaryBlock):
					self._stay_with_writes_of(last)
				elif last.wrote:
					_pin_all(frames)
			finally:
				self.host.put(last.previous, last.state)
			if isinstance(last, Scope) and frames and isinstance(frames[-1], Scope):
				# What was read in it is known in the scope around it as well.
				frames[-1].note_statements(last.statements)
			if last is frame:
				return

	def _end(self, frame: Frame) -> None:
		if isinstance(frame, Scope) and not frame.ended:
			server = PRIMARY
			if isinstance(frame, ReplicaScope):
				server = frame.replica.name
				self.scopes.discard(frame)
			self.metrics.took(server, frame.reason, frame.method, time.monotonic() - frame.began)
		frame.end()

	def _stay_with_writes_of(self, block: PrimaryBlock) -> None:
		"""Keep the scopes around a primary block on the primary if it has written, as no replica may have that yet."""
		state = block.state
		scopes = [frame for frame in state.frames if isinstance(frame, Scope) and not frame.pinned]
		committed = state.committed or state.own != block.committed_before
		if scopes and (committed or self.host.pending_writes(block.primary) > block.pending_before):
			_pin_all(scopes)

	def _stays(self, frames: list[Frame], need: Need, method: str) -> Reason | None:
		"""Return why a call inside frames uses the database in place; None if it needs a replica of its own."""
		for frame in reversed(frames):
			if isinstance(frame, PrimaryBlock):
				self.metrics.count(PRIMARY, Reason.IN_PRIMARY_BLOCK, method)
				return Reason.IN_PRIMARY_BLOCK
			if not isinstance(frame, ReplicaScope):
				# A call that the primary answers, which may not write: it changes nothing for those inside.
				continue
			if frame.pinned:
				self.metrics.count(PRIMARY, Reason.IN_SCOPE, method)
				return Reason.IN_SCOPE
			if frame is frames[-1] and need.is_met_by(frame.need):
				self.metrics.count(frame.replica.name, Reason.IN_SCOPE, method)
				return Reason.IN_SCOPE
			return None
		return None

	def _choose(self, need: CompleteNeed, method: str, primary: Any) -> Selection | Reason:
		"""Select a replica, or return the reason to stay on the primary. The cheapest checks come first."""
		if self.paused:
			return Reason.PAUSED
		if self.host.pending_writes(primary):
			return Reason.PENDING_WRITES
		if method in self.writers:
			return Reason.WRITER
		required = self.session.required_position(need, primary)
		found = self.find(need, required.position, primary, required.known_for)
		if isinstance(found, Reason):
			if found is Reason.BEHIND and required.position:
				self.session.drop_lost_position(required.position, primary)
			if need.on_unavailable == "error":
				self.metrics.count(PRIMARY, found, method)
				raise ReplicaUnavailable(method, [replica.name for replica in self.replicas])
			self.events.log_throttled("fallback", reason=found.value, method=method)
		return found

	def find(
		self,
		need: CompleteNeed,
		position: Position,
		primary: Any,
		known_for: float = float("inf"),
		exclude: Collection[str] = (),
	) -> Selection | Reason:
		"""As ReplicaSelector.find, while the watchdog looks after the call."""
		self._watchdog.notice_call()
		return self.selector.find(need, position, primary, known_for, exclude)

	def committed(self, primary: Any) -> None:
		"""Tell other processes, after a commit of writes, what must be shown to the user from now on."""
		self.session.keep_position_soon(primary)

	def finish(self, primary: Any) -> None:
		"""End a request or job: close the frames that are still open, and keep the position of its commits."""
		frames = self.host.state().frames
		if frames:
			self.close(frames[0])
		self.session.keep_position(primary)
		if self.session.unkept:
			# Redis was not reached; the watchdog tries again.
			self._watchdog.notice_call()

	def share_counts(self) -> None:
		"""Add this process's counts to the site's; what cannot be shared now is kept for later."""
		with suppress(RedisError):
			self.session.retry_unkept()
		counts = self.metrics.take_unshared()
		requests, statements = self.requests.take_unshared()
		if not (counts or requests or statements):
			return
		if not self.host.shared.add_counts(counts, requests, statements):
			self.metrics.put_back(counts)
			self.requests.put_back(requests, statements)

	def share_soon(self) -> None:
		"""Have share_counts called within a second or two, also if no call was routed."""
		self._watchdog.notice_call()

	def share_at_last(self) -> None:
		"""As share_counts, before the process ends: tries once more if users' positions were not kept."""
		self.share_counts()
		if self.session.unkept:
			time.sleep(SECONDS_LEFT_ALONE)
			self.share_counts()

	def stop(self) -> None:
		"""Close all connections, when these settings are no longer in force."""
		self._watchdog.stop()
		for replica in self.replicas:
			replica.pool.close_idle()

	# What a scope tells: see scope.Owner

	def failed(self, replica: Replica, error: Exception) -> None:
		"""Leave a replica alone for a while, as it has failed."""
		self.selector.failed(replica, error)

	def recovered(self, replica: Replica) -> None:
		"""Note that a replica that was left alone has answered a statement."""
		self.selector.recovered(replica)

	def caught_writing(self, method: str, table: str, replica: Replica) -> None:
		"""Keep a method on the primary for a day, as it has written, and log it once."""
		if self.writers.add(method, table):
			self.host.log("writer_found", method=method, table=table, replica=replica.name)

	def fallback(self, reason: Reason, method: str) -> None:
		"""Count and log that the primary goes on with a call that a replica has begun."""
		self.metrics.count(PRIMARY, reason, method)
		self.events.log_throttled("fallback", reason=reason.value, method=method)

	def denied(self, replica: Replica, error: Exception) -> None:
		"""Count and log that a replica's user may not read what the primary's may."""
		self.metrics.count(PRIMARY, Reason.DENIED)
		self.events.log_throttled("denied", replica=replica.name, error=dialect.number_of(error))


def _pin_all(frames: Iterable[Frame]) -> None:
	for frame in frames:
		if isinstance(frame, Scope):
			frame.pin()


def _may_write(frame: Frame) -> bool:
	return isinstance(frame, PrimaryBlock) or frame.need.on_write != "error"
