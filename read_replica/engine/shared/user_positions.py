# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Up to which position each user has written, in Redis, where every server of a site finds it."""

import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from redis.exceptions import ResponseError

from read_replica.engine.dialect import Position
from read_replica.engine.shared.redis_state import RedisState, without_redis
from read_replica.engine.shared.thread_connections import Ask

# How long it is known what a user has written; a replica that is behind by more does not answer them.
SECONDS_POSITIONS_ARE_KEPT = 3600

# Requests that end in the same moment may be stored in any order: in each domain, the later one stays.
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

# When it answers again, others have yet to tell it what they could not: each leaves it alone for its own
# second, and tries again in the next round of its watchdog, which may take two.
SECONDS_UNTIL_ALL_IS_TOLD = 4.0

# Of the Redis, not of a site: made when it starts, and told by itself where it may be asked.
ID_KEY = "read_replica|redis_id"

_RUN_ID = re.compile(rb"run_id:(\w+)")

_TEN_YEARS = 10 * 365 * 24 * 3600 * 1000


class Written(NamedTuple):
	"""What a user has written, and for how many seconds it has been known of all users."""

	position: Position
	known_for: float


@lru_cache(maxsize=1024)
def _position_in(text: bytes) -> Position:
	"""A position as it is kept; a user's last one is read with each of their requests."""
	return Position(text.decode())


class WrittenByUsers(RedisState):
	"""Keeps and finds positions. What is not known, nobody is told."""

	def keep_written(self, users: Iterable[str], position: Position) -> None:
		"""Remember, in one round trip, what has been committed on behalf of these users.

		:raises RedisError: if that is not possible
		"""
		limits = (str(position), SECONDS_POSITIONS_ARE_KEPT)
		commands = [("EVAL", KEEP_THE_LATER, 1, self._key(f"written|{user}"), *limits) for user in users]
		beside = self._questions_beside()
		with self._redis() as client:
			answers = self._lines.ask(client, self._mark_beginning(), *commands, *beside)
		self._hear(answers[len(answers) - len(beside) :])

	def _questions_beside(self) -> tuple:
		"""What else is asked of Redis in the same round trip; `_hear` gets the answers."""
		return ()

	def _hear(self, answers: list) -> None:
		"""Nothing was asked."""

	@without_redis(lambda: None)
	def written_by(self, user: str) -> Written | None:
		"""What a user has committed within the last hour, in one round trip; None: Redis cannot say."""
		if time.monotonic() < self._left_alone_until + SECONDS_UNTIL_ALL_IS_TOLD:
			return None
		beside = self._questions_beside()
		questions = (("PTTL", self._key("beginning")), ("GET", self._key(f"written|{user}")), *beside)
		with self._redis() as client:
			left, text, *answers = self._lines.ask(client, *questions)
			if left < 0:
				_, left, text, *answers = self._lines.ask(client, self._mark_beginning(), *questions)
		self._hear(answers)
		known_for = min((_TEN_YEARS - left) / 1000, SECONDS_POSITIONS_ARE_KEPT)
		return Written(_position_in(text or b""), known_for)

	def _mark_beginning(self) -> tuple:
		"""Notes since when positions are known: not before a Redis that has lost its memory came back."""
		return ("SET", self._key("beginning"), 1, "PX", _TEN_YEARS, "NX")

	def _greet(self, ask: Ask) -> None:
		"""Begin anew with a Redis that was started, or has taken another's place, since it was noted who it is.

		Its data may be that of a dump, or what another one had passed on until it died: older than it was.
		"""
		try:
			[told] = ask(("INFO", "server"))
		except ResponseError:
			# It may not be asked.
			return
		found = _RUN_ID.search(told)
		if not found:
			return
		run_id = found[1]
		[noted] = ask(("GET", self._key("run_id")))
		if noted != run_id:
			ask(self._begun(0), ("SET", ID_KEY, run_id), ("SET", self._key("run_id"), run_id))

	def begin_anew(self, seconds_ago: float = 0) -> None:
		"""Say that positions may have been lost up to now, or up to a time that many seconds ago.

		:raises RedisError: if that is not possible
		"""
		with self._redis() as client:
			self._lines.ask(client, self._begun(seconds_ago))

	def _begun(self, seconds_ago: float) -> tuple:
		return ("SET", self._key("beginning"), 1, "PX", round(_TEN_YEARS - seconds_ago * 1000))

	@without_redis(lambda: None)
	def replace_written(self, user: str, position: Position) -> None:
		"""Put a position, also a lower one, in the place of what a user has written: that was on another primary."""
		with self._redis() as client:
			client.set(self._key(f"written|{user}"), str(position), ex=SECONDS_POSITIONS_ARE_KEPT)
