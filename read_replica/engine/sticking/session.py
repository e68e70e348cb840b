# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Session consistency: a user is shown all that they have committed, on whichever server that was.

After MediaWiki's ChronologyProtector: the primary's position after a user's commit is kept where every server of
the site finds it, and the user's next reads wait for a replica that has reached it. If several clients share a
user, each client is shown what it has committed itself.

A job carries the position that the request that queued it had to be shown. It is shown that, and what it commits
itself; not what other jobs of its user commit meanwhile, as nearly all jobs work for the same user, and would wait
for each other.
"""

import time
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from read_replica.engine import dialect
from read_replica.engine.dialect import Position
from read_replica.engine.host import Host
from read_replica.engine.locks import Lock
from read_replica.engine.request import RequestState
from read_replica.engine.settings import CompleteNeed
from read_replica.engine.shared.user_positions import UserPosition
from read_replica.engine.sticking.deferred_positions import DeferredPositions

FOREVER = float("inf")

# After so long, a request asks Redis again for its user's position: a job may run for hours, and its user commit
# elsewhere meanwhile.
SECONDS_A_USER_POSITION_IS_NEW = 10.0

# How often a long job, which may commit often, keeps its position, beside the first time and the last.
SECONDS_BETWEEN_KEEPING = 1.0

# For how many users positions wait here that Redis did not keep. Further ones are dropped: all positions are marked
# as incomplete anyway when Redis is back.
MOST_UNKEPT = 1000


class RequiredPosition(NamedTuple):
	"""The position that a replica must have reached to answer a call.

	:param known_for: seconds; what was committed longer ago may be missing in `position`
	"""

	position: Position
	known_for: float = FOREVER


NO_POSITION = RequiredPosition(Position())

# It is not known what the call must be shown: no replica can be sure to have reached it.
UNKNOWN_POSITION = RequiredPosition(Position(), 0)


class Session:
	"""Keeps and finds the positions of users. Safe to share between threads."""

	def __init__(self, host: Host) -> None:
		self._host = host
		self._lock = Lock()
		# Positions that Redis did not keep yet, by user; an empty one if not even the position is known.
		self.unkept: dict[str, Position] = {}
		self._deferred = DeferredPositions(host, self._keep_for)

	def required_position(self, need: CompleteNeed, primary: Any) -> RequiredPosition:
		"""Return the position that a replica must have reached for this call, in at most one round trip to Redis."""
		if need.consistency == "eventual":
			return NO_POSITION
		if need.consistency == "strong":
			return RequiredPosition(*self.all_committed(primary))
		state = self._host.state()
		if not self._note_commit(state, primary):
			return UNKNOWN_POSITION
		elsewhere = self._committed_elsewhere(state, primary)
		position = elsewhere.position.joined(state.own) if state.own else elsewhere.position
		return RequiredPosition(position, elsewhere.known_for)

	def _committed_elsewhere(self, state: RequestState, primary: Any) -> UserPosition:
		"""Return the position of what this request must be shown beside its own commits."""
		if state.carried is None:
			return self._position_of(state, state.reader or self._host.reader(), primary)
		if state.reader is None:
			return state.carried
		found = self._position_of(state, state.reader, primary)
		position = found.position.joined(state.carried.position)
		return UserPosition(position, min(found.known_for, state.carried.known_for))

	def _position_of(self, state: RequestState, reader: str, primary: Any) -> UserPosition:
		is_new = time.monotonic() - state.written_at < SECONDS_A_USER_POSITION_IS_NEW
		if state.written is None or state.written_for != reader or not is_new:
			found = self._host.shared.position_of(reader)
			# If the user's position is not known, they are shown all that anybody has committed.
			state.written = found or self.all_committed(primary)
			state.written_for, state.written_at = reader, time.monotonic()
		return state.written

	def all_committed(self, primary: Any) -> UserPosition:
		"""Return the position of all that was committed until now, by anybody.

		While the primary's binary log is empty, nothing is known: after it was promoted without log_slave_updates,
		or after its log was reset, until the next commit.
		"""
		position = self._position_of_primary(primary)
		return UserPosition(position, FOREVER if position else 0)

	def _position_of_primary(self, primary: Any) -> Position:
		[text, *_] = self._host.ask_primary(primary, dialect.PRIMARY_POSITION_QUERY)
		return Position(dialect.text(text))

	def _note_commit(self, state: RequestState, primary: Any) -> bool:
		"""Add the position of the request's commits to `state.own`; False if the primary cannot tell it now."""
		if not state.committed:
			return True
		self._note_users(state)
		try:
			last, current, log_bin = self._host.ask_primary(primary, dialect.COMMITTED_POSITION_QUERY)
		except Exception as error:
			# The commit itself has succeeded: the request or job must not fail because its position is not known.
			if not dialect.is_driver_error(error):
				raise
			self._host.log("position_unknown", error=f"{type(error).__name__} {dialect.number_of(error)}")
			return False
		# Without a last commit, this is a new connection: what the old one committed is in the current position.
		position = Position(dialect.text(last) or dialect.text(current))
		if not position and dialect.is_on(log_bin):
			# A new primary with an empty log, as in all_committed.
			return False
		state.committed = False
		state.own = state.own.joined(position)
		return True

	def _note_users(self, state: RequestState) -> None:
		"""Note on whose behalf the request commits now."""
		state.users |= {self._host.user(), self._host.reader()}

	def committed_position(self, primary: Any) -> Position:
		"""Return the position of what this request has committed until now."""
		state = self._host.state()
		if not self._note_commit(state, primary):
			self._mark_incomplete()
		return state.own

	def position_for_job(self, primary: Any) -> UserPosition | None:
		"""Return what a job must be shown that is queued now: all that this request must be shown.

		None if that is not known; the job then finds out for itself, as any request does.
		"""
		state = self._host.state()
		if not self._note_commit(state, primary):
			self._mark_incomplete()
			return None
		elsewhere = self._committed_elsewhere(state, primary)
		return UserPosition(elsewhere.position.joined(state.own), elsewhere.known_for)

	def job_begins(self, primary: Any, reader: str | None) -> None:
		"""Called before a job's method: what was committed until now is bookkeeping.

		Its position is kept for others, but the job need not be shown it.

		:param reader: the name under which later runs of the job find what it commits from now on
		"""
		self.keep_position(primary)
		state = self._host.state()
		state.own = state.kept = Position()
		state.reader = reader

	def job_has_ended(self, primary: Any) -> None:
		"""Called after a job's method: what is committed from now on is bookkeeping.

		The job's next run need not be shown it.
		"""
		self.keep_position(primary)
		self._host.state().reader = None

	def _mark_incomplete(self) -> None:
		"""Mark all users' positions as incomplete, as this request has committed and its position is not known."""
		try:
			self._host.shared.mark_incomplete()
		except RedisError:
			with self._lock:
				if len(self.unkept) < MOST_UNKEPT:
					self.unkept.setdefault(self._host.user(), Position())

	def keep_position_soon(self, primary: Any) -> None:
		"""Keep the position of a commit now, or, if the request has kept one a moment ago, within a second or two."""
		state = self._host.state()
		self._note_users(state)
		if time.monotonic() - state.kept_at > SECONDS_BETWEEN_KEEPING:
			self.keep_position(primary)
		else:
			self._deferred.defer(id(state), self._users_of(state))

	def _users_of(self, state: RequestState) -> set[str]:
		"""Return all who are to be shown what the request has committed."""
		return state.users | {name for name in (state.asked_by, state.reader) if name}

	def keep_position(self, primary: Any) -> None:
		"""Keep the position of what this request has committed, if anything, for all processes; in one round trip."""
		state = self._host.state()
		self._deferred.cancel(id(state))
		if not self._note_commit(state, primary):
			self._mark_incomplete()
		if state.kept.covers(state.own):
			return
		self._keep_for(self._users_of(state), state.own)
		state.kept, state.kept_at, state.users = state.own, time.monotonic(), set()

	def _keep_for(self, users: set[str], position: Position) -> None:
		"""Keep a position that was committed on behalf of these users; if Redis does not, it is tried again later."""
		try:
			self._host.shared.keep_position(users, position)
		except RedisError:
			with self._lock:
				for user in users:
					if user not in self.unkept and len(self.unkept) >= MOST_UNKEPT:
						continue
					self.unkept[user] = self.unkept.get(user, Position()).joined(position)

	def retry_unkept(self) -> None:
		"""Try again to keep the positions that Redis did not keep.

		:raises RedisError: if it still does not
		"""
		if not self.unkept:
			return
		with self._lock:
			unkept = dict(self.unkept)
		# Until now, other processes could not know of these positions, so all that were read before may be incomplete.
		self._host.shared.mark_incomplete()
		for user, position in unkept.items():
			if position:
				self._host.shared.keep_position({user}, position)
		with self._lock:
			for user, position in unkept.items():
				# Another thread may have added to it meanwhile.
				if self.unkept.get(user) == position:
					del self.unkept[user]

	def drop_lost_position(self, position: Position, primary: Any) -> None:
		"""Drop a user's position that even the primary has not reached, as it was that of another primary.

		While it was kept, lower ones of this primary were not. So the primary's current position takes its place.
		"""
		now = self._position_of_primary(primary)
		if not now or now.covers(position):
			return
		state = self._host.state()
		if state.carried is None or state.reader:
			reader = state.reader or self._host.reader()
			self._host.shared.replace_position(reader, now)
			# A commit since the primary was asked may have been kept in Redis before the new position was.
			now = self._position_of_primary(primary)
			self._keep_for({reader}, now)
		if state.carried:
			state.carried = UserPosition(now, state.carried.known_for)
		state.written, state.own = None, now if state.own else Position()
		state.kept = Position()
		self._host.log("position_dropped", position=str(position))
