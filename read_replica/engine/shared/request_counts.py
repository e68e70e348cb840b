# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the requests and jobs of a site have read and written, by name, and which server has answered."""

import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from read_replica.engine.dialect import text
from read_replica.engine.shared.redis_state import RedisState, without_redis

# Far more than a site has methods with their doctypes. What comes after them is not kept: whoever makes up names
# must not push out what was learned.
MOST_NAMES = 5000

# A name that was not seen for so long makes room for others: its report or app may be gone.
SECONDS_NAMES_ARE_KEPT = 90 * 24 * 3600

# Statements are counted in slots as well, so that those since any time of today can be told: of a day on which the
# clocks are set back, too. What is told begins with a slot, so it reaches back by up to one slot more.
SECONDS_OF_A_SLOT = 600
SECONDS_SLOTS_ARE_KEPT = 25 * 3600

# Adds a row of numbers to each name's: the first ones are sums, then come the earliest time and the two latest.
ADD_REQUESTS = """
local most, fields, sums = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local count = redis.call('HLEN', KEYS[1])
for at = 4, #ARGV, fields + 1 do
	local known = redis.call('HGET', KEYS[1], ARGV[at])
	if known or count < most then
		local row = {}
		for number in string.gmatch(known or '', '%S+') do
			table.insert(row, tonumber(number) or 0)
		end
		for field = 1, fields do
			local old, new = row[field], tonumber(ARGV[at + field])
			if field <= sums then
				new = (old or 0) + new
			elseif field == sums + 1 then
				new = math.min(old or new, new)
			else
				new = math.max(old or new, new)
			end
			row[field] = string.format('%.17g', new)
		end
		redis.call('HSET', KEYS[1], ARGV[at], table.concat(row, ' '))
		if not known then count = count + 1 end
	end
end
"""


@dataclass(slots=True)
class RequestTally:
	"""What the requests or jobs of one name have done. Statements are those that read; times are time.time().

	:param calls: how many there were
	:param seconds: how long they took together
	:param primary_seconds: how long the primary took for its statements
	:param rows: the rows that were read, as far as the driver tells their number at once
	:param writes: how many calls have committed a write to anything but sessions and logs
	:param last_write: when one did last; 0: never
	"""

	calls: int = 0
	seconds: float = 0.0
	primary_statements: int = 0
	primary_seconds: float = 0.0
	replica_statements: int = 0
	rows: int = 0
	writes: int = 0
	first_seen: float = 0.0
	last_seen: float = 0.0
	last_write: float = 0.0

	def add(self, other: "RequestTally") -> None:
		"""Add what another process, or another second, has counted under the same name."""
		self.calls += other.calls
		self.seconds += other.seconds
		self.primary_statements += other.primary_statements
		self.primary_seconds += other.primary_seconds
		self.replica_statements += other.replica_statements
		self.rows += other.rows
		self.writes += other.writes
		self.first_seen = min(self.first_seen, other.first_seen)
		self.last_seen = max(self.last_seen, other.last_seen)
		self.last_write = max(self.last_write, other.last_write)


SUMS, FIELDS = 7, 10


def _tally_in(row: str) -> RequestTally:
	calls, seconds, primary, primary_seconds, replicas, rows, writes, *times = map(float, row.split())
	return RequestTally(
		int(calls), seconds, int(primary), primary_seconds, int(replicas), int(rows), int(writes), *times
	)


class RequestCounts(RedisState):
	"""Keeps in Redis what requests have read and written."""

	def _add_requests(
		self, pipeline: Any, requests: Mapping[str, RequestTally], statements: Mapping[str, int]
	) -> None:
		"""Add commands to a pipeline: for the tallies of requests, and the statements of each server."""
		if requests:
			rows = [value for name, tally in requests.items() for value in (name, *astuple(tally))]
			pipeline.eval(ADD_REQUESTS, 1, self._key("requests"), MOST_NAMES, FIELDS, SUMS, *rows)
		slot = self._slots(time.time())[0]
		for server, count in statements.items():
			pipeline.hincrby(self._key("statements"), server, count)
			pipeline.hincrby(slot, server, count)
		if statements:
			pipeline.expire(slot, SECONDS_SLOTS_ARE_KEPT + SECONDS_OF_A_SLOT)

	def _slots(self, since: float) -> list[str]:
		"""Return the keys of the statements since a time.time(), as far back as they are kept; the present one first."""
		now = time.time()
		first = max(since, now - SECONDS_SLOTS_ARE_KEPT) // SECONDS_OF_A_SLOT
		slots = range(int(now // SECONDS_OF_A_SLOT), int(first) - 1, -1)
		return [self._key(f"statements|{slot}") for slot in slots]

	@without_redis(dict)
	def load_requests(self) -> dict[str, RequestTally]:
		"""Return what is known of requests and jobs by their names; forgets names that were not seen for long."""
		with self._redis() as client:
			rows = client.hgetall(self._key("requests"))
			found = {text(name): _tally_in(text(row)) for name, row in rows.items()}
			oldest = time.time() - SECONDS_NAMES_ARE_KEPT
			gone = [name for name, tally in found.items() if tally.last_seen < oldest]
			if gone:
				client.hdel(self._key("requests"), *gone)
		return {name: tally for name, tally in found.items() if name not in gone}

	@without_redis(lambda: 0)
	def forget_requests(self, *names: str) -> int:
		"""Forget what is known of these names, or of all if none is given; return how many were known."""
		with self._redis() as client:
			if names:
				return client.hdel(self._key("requests"), *names)
			count = client.hlen(self._key("requests"))
			client.delete(self._key("requests"))
			return count

	@without_redis(dict)
	def load_statements(self, since: float | None = None) -> dict[str, int]:
		"""Return how many statements that read each server has answered.

		:param since: a time.time() of the last day, to ten minutes; None: since counting began
		"""
		keys = [self._key("statements")] if since is None else self._slots(since)
		total: dict[str, int] = {}
		with self._redis() as client:
			pipeline = client.pipeline(transaction=False)
			for key in keys:
				pipeline.hgetall(key)
			for counts in pipeline.execute():
				for server, count in counts.items():
					total[text(server)] = total.get(text(server), 0) + int(count)
		return total
