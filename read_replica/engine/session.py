# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a call must be shown: all that its user has committed, wherever that was.

After MediaWiki's ChronologyProtector: the primary's position after a user's commit is kept where every
server of the site finds it, and the user's next reads wait for a replica to have it. A job carries the
position of the request that queued it.
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
from read_replica.engine.written import Written

FOREVER = float("inf")

# A job may run for hours; what its user writes elsewhere meanwhile is asked for again after so long.
SECONDS_WRITTEN_IS_NEW = 10.0

# A long job commits often; how often it asks for its position, beside the first time and the last.
SECONDS_BETWEEN_KEEPING = 1.0


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

	def floor(self, need: Need, primary: Any) -> Floor:
		"""What a replica must have for this need, in at most one round trip to Redis."""
		if need.consistency == "eventual":
			return NOTHING
		if need.consistency == "strong":
			return Floor(self._position_of(primary))
		state = self._host.state()
		if not self._note_commit(state, primary):
			return OUT_OF_REACH
		written = self._written(state, primary)
		position = written.position.joined(state.own) if state.own else written.position
		return Floor(position, written.known_for)

	def _written(self, state: RequestState, primary: Any) -> Written:
		user = self._host.user()
		is_new = time.monotonic() - state.written_at < SECONDS_WRITTEN_IS_NEW
		if state.written is None or state.written_for != user or not is_new:
			found = self._host.shared.written_by(user)
			# Where nobody can say what the user has written, they are shown all that anybody has.
			state.written = found or Written(self._position_of(primary), FOREVER)
			state.written_for, state.written_at = user, time.monotonic()
		return state.written

	def _position_of(self, primary: Any) -> Position:
		[text, *_] = self._host.ask_primary(primary, dialect.position_of_primary)
		return Position(dialect.text(text))

	def _note_commit(self, state: RequestState, primary: Any) -> bool:
		"""Ask for the position of what was committed; False if the primary cannot tell it now."""
		if not state.committed:
			return True
		state.users.add(self._host.user())
		try:
			last, current = self._host.ask_primary(primary, dialect.committed_position)
		except Exception as error:
			# What is committed stays so: the request, or its job, must not fail for a question about it.
			if not dialect.is_of_connection(error):
				raise
			self._host.log("position_unknown", error=f"{type(error).__name__} {dialect.number_of(error)}")
			return False
		state.committed = False
		# Without a last commit the connection is a new one; what the old one committed is in here.
		state.own = state.own.joined(Position(dialect.text(last) or dialect.text(current)))
		return True

	def committed(self, primary: Any) -> Position:
		"""What this request has committed, for a job that it queues."""
		state = self._host.state()
		if not self._note_commit(state, primary):
			self._say_that_one_is_missing()
		return state.own

	def _say_that_one_is_missing(self) -> None:
		"""Somebody has committed, and nobody will know up to where: no user's positions are complete now."""
		try:
			self._host.shared.begin_anew()
		except RedisError:
			with self._lock:
				self.left.setdefault(self._host.user(), Position())

	def keep_soon(self, primary: Any) -> None:
		"""After a commit: let all processes know of it now, or, if they were told a moment ago, by `keep`."""
		state = self._host.state()
		state.users.add(self._host.user())
		if time.monotonic() - state.kept_at > SECONDS_BETWEEN_KEEPING:
			self.keep(primary)

	def keep(self, primary: Any) -> None:
		"""Let all processes know what this request has committed, if it has; then in one round trip."""
		state = self._host.state()
		if not self._note_commit(state, primary):
			self._say_that_one_is_missing()
		if state.kept.covers(state.own):
			return
		users = state.users | {state.asked_by} if state.asked_by else state.users
		try:
			self._host.shared.keep_written(users, state.own)
		except RedisError:
			with self._lock:
				for user in users:
					self.left[user] = self.left.get(user, Position()).joined(state.own)
		state.kept, state.kept_at, state.users = state.own, time.monotonic(), set()

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
		"""Drop a user's position that even the primary does not have: it was of another primary."""
		if not self._position_of(primary).covers(position):
			self._host.shared.forget_written(self._host.user())
			state = self._host.state()
			state.written, state.own = None, Position()
			self._host.log("position_dropped", position=str(position))
