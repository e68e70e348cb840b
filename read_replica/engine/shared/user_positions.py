# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The positions of users' commits, in Redis, where every server of a site finds them."""

import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from read_replica.engine.dialect import Position
from read_replica.engine.shared.redis_state import RedisState, without_redis
from read_replica.engine.shared.thread_connections import Ask, Command

# How long a user's position is kept; a replica that is behind by more does not answer the user.
SECONDS_POSITIONS_ARE_KEPT = 3600

# Keeps the later position in each domain, as requests that end in the same moment may come in any order.
KEEP_THE_LATER = """
local both = (redis.call('GET', KEYS[1]) or '') .. ',' .. ARGV[1]
local last, gtids = {}, {}
for domain, gtid, number in string.gmatch(both, '(%d+)(%-%d+%-(%d+))') do
	if not last[domain] or tonumber(number) > last[domain] then
		last[domain], gtids[domain] = tonumber(number), domain .. gtid
	end
end
local kept = {}
for _, gtid in pairs(gtids) do
	table.insert(kept, gtid)
end
redis.call('SET', KEYS[1], table.concat(kept, ','), 'EX', ARGV[2])
"""

# After an outage of Redis, until all processes have kept there what they could not keep meanwhile: each leaves Redis
# alone for its own second, and tries again in the next round of its watchdog, which may take two.
SECONDS_UNTIL_ALL_IS_KEPT = 4.0

# The key that holds the id of the Redis itself, not of a site: its run_id, where INFO is allowed, or a random one.
ID_KEY = "read_replica|redis_id"

_RUN_ID = re.compile(rb"run_id:(\w+)")

_TEN_YEARS = 10 * 365 * 24 * 3600 * 1000


class UserPosition(NamedTuple):
	"""The position of what a user has committed.

	:param known_for: seconds for which the positions of all users have been kept without a gap: what was committed
		before that may be missing in `position`
	"""

	position: Position
	known_for: float


@lru_cache(maxsize=1024)
def _position_in(text: bytes) -> Position:
	"""Parse a position as it is kept. Cached: each request of a user reads the same one."""
	return Position(text.decode())


class UserPositions(RedisState):
	"""Keeps and finds users' positions in Redis."""

	def keep_position(self, users: Iterable[str], position: Position) -> None:
		"""Keep a position that was committed on behalf of these users, in one round trip.

		:raises RedisError: if Redis does not keep it
		"""
		limits = (str(position), SECONDS_POSITIONS_ARE_KEPT)
		commands = [("EVAL", KEEP_THE_LATER, 1, self._key(f"written|{user}"), *limits) for user in users]
		extra = self._extra_commands()
		with self._redis() as client:
			answers = self._connections.ask(client, self._mark_beginning(), *commands, *extra)
		self._read_extra(answers[len(answers) - len(extra) :])

	def _extra_commands(self) -> tuple[Command, ...]:
		"""Return commands that are sent to Redis in the same round trips; for subclasses."""
		return ()

	def _read_extra(self, answers: list[Any]) -> None:
		"""Called with the answers to `_extra_commands`; for subclasses."""

	@without_redis(lambda: None)
	def position_of(self, user: str) -> UserPosition | None:
		"""Return what a user has committed within the last hour, in one round trip; None if Redis does not know."""
		if time.monotonic() < self._left_alone_until + SECONDS_UNTIL_ALL_IS_KEPT:
			return None
		extra = self._extra_commands()
		commands = (("PTTL", self._key("beginning")), ("GET", self._key(f"written|{user}")), *extra)
		with self._redis() as client:
			left, text, *answers = self._connections.ask(client, *commands)
			if left < 0:
				_, left, text, *answers = self._connections.ask(client, self._mark_beginning(), *commands)
		self._read_extra(answers)
		known_for = min((_TEN_YEARS - left) / 1000, SECONDS_POSITIONS_ARE_KEPT)
		return UserPosition(_position_in(text or b""), known_for)

	def _mark_beginning(self) -> Command:
		"""Return the command that marks now as the beginning of the kept positions, unless Redis has a beginning.

		Its time to live tells how long ago that was. A Redis that has lost its data has none.
		"""
		return ("SET", self._key("beginning"), 1, "PX", _TEN_YEARS, "NX")

	def _on_connect(self, ask: Ask) -> None:
		"""Mark positions as incomplete if this Redis was restarted, or has replaced another one.

		Its data may be those of a dump, or what another Redis had replicated to it until it died: some are missing.
		"""
		try:
			[info] = ask(("INFO", "server"))
		except ResponseError:
			# INFO is not allowed there.
			return
		found = _RUN_ID.search(info)
		if not found:
			return
		run_id = found[1]
		[noted] = ask(("GET", self._key("run_id")))
		if noted != run_id:
			ask(self._incomplete_until(0), ("SET", ID_KEY, run_id), ("SET", self._key("run_id"), run_id))

	def mark_incomplete(self, seconds_ago: float = 0) -> None:
		"""Mark that positions are missing which were committed until now, or until that many seconds ago.

		:raises RedisError: if Redis does not keep it
		"""
		with self._redis() as client:
			self._connections.ask(client, self._incomplete_until(seconds_ago))

	def _incomplete_until(self, seconds_ago: float) -> Command:
		return ("SET", self._key("beginning"), 1, "PX", round(_TEN_YEARS - seconds_ago * 1000))

	@without_redis(lambda: None)
	def replace_position(self, user: str, position: Position) -> None:
		"""Replace a user's position, also by a lower one, as the old one was that of another primary."""
		with self._redis() as client:
			client.set(self._key(f"written|{user}"), str(position), ex=SECONDS_POSITIONS_ARE_KEPT)
