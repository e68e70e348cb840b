# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a call must be shown: all that its user has committed, wherever that was.

After MediaWiki's ChronologyProtector: the primary's position after a user's commit is kept where every
server of the site finds it, and the user's next reads wait for a replica to have it. Of a user that
several clients share, each client is shown what it has committed itself.

A job carries what the request that queued it had to be shown, and sees that and what it commits itself:
not what other jobs of its user commit meanwhile, as nearly all jobs are the same user's, and would wait
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
from read_replica.engine.settings import Need
from read_replica.engine.shared.user_positions import Written
from read_replica.engine.sticking.deferred_positions import DeferredPositions

FOREVER = float("inf")

# A job may run for hours; what its user writes elsewhere meanwhile is asked for again after so long.
SECONDS_WRITTEN_IS_NEW = 10.0

# A long job commits often; how often it asks for its position, beside the first time and the last.
SECONDS_BETWEEN_KEEPING = 1.0

# Of users whose positions Redis did not take. Of others it is then known since when nothing was kept of them.
MOST_LEFT = 1000


class Floor(NamedTuple):
	"""What a replica must have at least, and since when that is sure to be all (in seconds ago)."""

	position: Position
	known_for: float = FOREVER


NOTHING = Floor(Position())

# Nothing is known: no replica can be sure to have it.
OUT_OF_REACH = Floor(Position(), 0)


class Session:
	"""Keeps and finds the positions of users. Safe to share between threads."""

	def __init__(self, host: Host):
		self._host = host
		self._lock = Lock()
		# What could not be kept yet, by user.
		self.left: dict[str, Position] = {}
		self._deferred = DeferredPositions(host, self._keep_for)

	def floor(self, need: Need, primary: Any) -> Floor:
		"""What a replica must have for this need, in at most one round trip to Redis."""
		if need.consistency == "eventual":
			return NOTHING
		if need.consistency == "strong":
			return Floor(*self.all_committed(primary))
		state = self._host.state()
		if not self._note_commit(state, primary):
			return OUT_OF_REACH
		written = self._written(state, primary)
		position = written.position.joined(state.own) if state.own else written.position
		return Floor(position, written.known_for)

	def _written(self, state: RequestState, primary: Any) -> Written:
		"""What was committed elsewhere, before or meanwhile, and has to be shown here."""
		if state.carried is None:
			return self._written_by(state, state.reader or self._host.reader(), primary)
		if state.reader is None:
			return state.carried
		found = self._written_by(state, state.reader, primary)
		position = found.position.joined(state.carried.position)
		return Written(position, min(found.known_for, state.carried.known_for))

	def _written_by(self, state: RequestState, reader: str, primary: Any) -> Written:
		is_new = time.monotonic() - state.written_at < SECONDS_WRITTEN_IS_NEW
		if state.written is None or state.written_for != reader or not is_new:
			found = self._host.shared.written_by(reader)
			# Where nobody can say what the user has written, they are shown all that anybody has.
			state.written = found or self.all_committed(primary)
			state.written_for, state.written_at = reader, time.monotonic()
		return state.written

	def all_committed(self, primary: Any) -> Written:
		"""What anybody has committed until now; known of nobody while the primary's log is empty.

		It is, on one that was promoted without log_slave_updates or had its log reset, until the next commit.
		"""
		position = self._position_of_primary(primary)
		return Written(position, FOREVER if position else 0)

	def _position_of_primary(self, primary: Any) -> Position:
		[text, *_] = self._host.ask_primary(primary, dialect.position_of_primary)
		return Position(dialect.text(text))

	def _note_commit(self, state: RequestState, primary: Any) -> bool:
		"""Ask for the position of what was committed; False if the primary cannot tell it now."""
		if not state.committed:
			return True
		self._note_for_whom(state)
		try:
			last, current, log_bin = self._host.ask_primary(primary, dialect.committed_position)
		except Exception as error:
			# What is committed stays so: the request, or its job, must not fail for a question about it.
			if not dialect.is_of_connection(error):
				raise
			self._host.log("position_unknown", error=f"{type(error).__name__} {dialect.number_of(error)}")
			return False
		# Without a last commit the connection is a new one; what the old one committed is in here.
		position = Position(dialect.text(last) or dialect.text(current))
		if not position and dialect.is_on(log_bin):
			# A new primary, as in all_committed.
			return False
		state.committed = False
		state.own = state.own.joined(position)
		return True

	def _note_for_whom(self, state: RequestState) -> None:
		state.users |= {self._host.user(), self._host.reader()}

	def committed(self, primary: Any) -> Position:
		"""What this request has committed until now."""
		state = self._host.state()
		if not self._note_commit(state, primary):
			self._say_that_one_is_missing()
		return state.own

	def for_a_job(self, primary: Any) -> Written | None:
		"""What a job must be shown that is put into a queue now: all that this request must be shown.

		None if that cannot be told; it is then found out in the job, as for any user's request.
		"""
		state = self._host.state()
		if not self._note_commit(state, primary):
			self._say_that_one_is_missing()
			return None
		written = self._written(state, primary)
		return Written(written.position.joined(state.own), written.known_for)

	def job_begins(self, primary: Any, reader: str | None) -> None:
		"""What this job has committed until now is bookkeeping: others are told of it, its reads need not have it.

		:param reader: the name under which its later runs find what it commits from now on
		"""
		self.keep(primary)
		state = self._host.state()
		state.own = state.kept = Position()
		state.reader = reader

	def job_has_ended(self, primary: Any) -> None:
		"""What this job commits from now on is bookkeeping: its next run need not be shown it."""
		self.keep(primary)
		self._host.state().reader = None

	def _say_that_one_is_missing(self) -> None:
		"""Somebody has committed, and nobody will know up to where: no user's positions are complete now."""
		try:
			self._host.shared.begin_anew()
		except RedisError:
			with self._lock:
				if len(self.left) < MOST_LEFT:
					self.left.setdefault(self._host.user(), Position())

	def keep_soon(self, primary: Any) -> None:
		"""After a commit: let all processes know of it now, or, if they were told a moment ago, soon."""
		state = self._host.state()
		self._note_for_whom(state)
		if time.monotonic() - state.kept_at > SECONDS_BETWEEN_KEEPING:
			self.keep(primary)
		else:
			self._deferred.defer(id(state), self._whom_to_tell(state))

	def _whom_to_tell(self, state: RequestState) -> set[str]:
		return state.users | {name for name in (state.asked_by, state.reader) if name}

	def keep(self, primary: Any) -> None:
		"""Let all processes know what this request has committed, if it has; then in one round trip."""
		state = self._host.state()
		self._deferred.is_told(id(state))
		if not self._note_commit(state, primary):
			self._say_that_one_is_missing()
		if state.kept.covers(state.own):
			return
		self._keep_for(self._whom_to_tell(state), state.own)
		state.kept, state.kept_at, state.users = state.own, time.monotonic(), set()

	def _keep_for(self, users: set[str], position: Position) -> None:
		"""Let all processes know that this has been committed on behalf of these users, or try again later."""
		try:
			self._host.shared.keep_written(users, position)
		except RedisError:
			with self._lock:
				for user in users:
					if user not in self.left and len(self.left) >= MOST_LEFT:
						continue
					self.left[user] = self.left.get(user, Position()).joined(position)

	def keep_what_is_left(self) -> None:
		"""Try again with what could not be kept.

		:raises RedisError: if that is still not possible
		"""
		if not self.left:
			return
		with self._lock:
			left = dict(self.left)
		# Until now, others could not know of it: nobody's positions are sure to be complete before this.
		self._host.shared.begin_anew()
		for user, position in left.items():
			if position:
				self._host.shared.keep_written({user}, position)
		with self._lock:
			for user, position in left.items():
				# Another thread may have left more meanwhile.
				if self.left.get(user) == position:
					del self.left[user]

	def forget_what_is_lost(self, position: Position, primary: Any) -> None:
		"""Drop a position that even the primary does not have: it was of another primary.

		While it was kept, no lower one was; so all that has been committed on this primary goes in its place.
		"""
		now = self._position_of_primary(primary)
		if not now or now.covers(position):
			return
		state = self._host.state()
		if state.carried is None or state.reader:
			reader = state.reader or self._host.reader()
			self._host.shared.replace_written(reader, now)
			# What was committed since the primary was asked may have come to Redis before the new position.
			now = self._position_of_primary(primary)
			self._keep_for({reader}, now)
		if state.carried:
			state.carried = Written(now, state.carried.known_for)
		state.written, state.own = None, now if state.own else Position()
		state.kept = Position()
		self._host.log("position_dropped", position=str(position))
