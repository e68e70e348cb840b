# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which processes of a site are at work, and which revision of the host's policy each has heard of."""

from typing import Any, NamedTuple

from read_replica.engine.dialect import text
from read_replica.engine.shared.redis_state import RedisState, without_redis

# A process notes itself once a second. One that was killed counts for so long.
SECONDS_A_PROCESS_COUNTS = 5

# Redis tells the time, as the clocks of the site's servers differ. Each process also drops those that are gone.
NOTE_PROCESS = """
local now, kept = tonumber(redis.call('TIME')[1]), tonumber(ARGV[3])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - kept - 1)) do
	redis.call('ZREM', KEYS[1], gone)
	redis.call('HDEL', KEYS[2], gone)
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], 2 * kept)
redis.call('EXPIRE', KEYS[2], 2 * kept)
"""


class ProcessNote(NamedTuple):
	"""What a process notes of itself.

	:param owner: an id of the process
	:param revision: the value of the host's `revision` that it has heard of last; None: none yet
	"""

	owner: str
	revision: str | None


class ProcessList(RedisState):
	"""Keeps in Redis which processes are at work."""

	def _note_process(self, pipeline: Any, note: ProcessNote) -> None:
		"""Add a command to a pipeline that notes a process."""
		keys = (self._key("processes"), self._key("revisions"))
		# None is told apart from "", the revision before the first change.
		told = "?" if note.revision is None else note.revision
		pipeline.eval(NOTE_PROCESS, len(keys), *keys, note.owner, told, SECONDS_A_PROCESS_COUNTS)

	@without_redis(lambda: None)
	def forget_process(self, owner: str) -> None:
		"""Let a process no longer count, as it rests."""
		with self._redis() as client:
			client.zrem(self._key("processes"), owner)

	@without_redis(list)
	def load_processes(self) -> list[ProcessNote]:
		"""Return the processes that are at work: those whose watchdog runs."""
		with self._redis() as client:
			pipeline = client.pipeline(transaction=False)
			pipeline.time()
			pipeline.zrange(self._key("processes"), 0, -1, withscores=True)
			pipeline.hgetall(self._key("revisions"))
			(now, _), seen, revisions = pipeline.execute()
		found = []
		for owner, at in seen:
			told = text(revisions.get(owner, b"?"))
			if now - at <= SECONDS_A_PROCESS_COUNTS:
				found.append(ProcessNote(text(owner), None if told == "?" else told))
		return found
