# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What all processes of a site share in Redis, under keys of its own.

Redis is a help here, never a condition. Without it each process looks for itself, and what users
have written is not known, which `written_by` says.
"""

import time

from read_replica.engine.shared.redis_state import without_redis
from read_replica.engine.shared.user_positions import WrittenByUsers

CountKey = tuple[str, str, str]

# As long as the longest pause of a breaker, and its jitter.
SECONDS_A_TRY_COUNTS = 36

# Reports and doctypes are counted by their names, which requests give.
MOST_COUNTERS = 10_000

# Each process reads them every few seconds. One that is dropped is caught again.
MOST_WRITERS = 1000


class SharedState(WrittenByUsers):
	"""The shared state of one site. Safe to share between threads, as Redis clients are."""

	# Health

	@without_redis(lambda: True)
	def claim(self, fleet: str, owner: str, seconds: float) -> bool:
		"""Become, or remain, the one process that looks after the replicas for the next `seconds`."""
		milliseconds = round(seconds * 1000)
		with self._redis() as client:
			if client.set(self._key(f"prober|{fleet}"), owner, nx=True, px=milliseconds):
				return True
			if client.get(self._key(f"prober|{fleet}")) != owner.encode():
				return False
			return bool(client.pexpire(self._key(f"prober|{fleet}"), milliseconds))

	@without_redis(lambda: None)
	def give_up_claim(self, fleet: str, owner: str) -> None:
		"""Let another process look after the replicas at once."""
		with self._redis() as client:
			if client.get(self._key(f"prober|{fleet}")) == owner.encode():
				client.delete(self._key(f"prober|{fleet}"))

	@without_redis(lambda: None)
	def publish_health(self, fleet: str, text: str, seconds: float) -> None:
		"""Let the others know the verdicts, for so many seconds."""
		with self._redis() as client:
			client.set(self._key(f"health|{fleet}"), text, px=round(seconds * 1000))

	@without_redis(lambda: None)
	def read_health(self, fleet: str) -> tuple[str, float] | None:
		"""The verdicts that were published last, if they still hold, and for how many seconds they will."""
		with self._redis() as client:
			pipeline = client.pipeline(transaction=False)
			pipeline.get(self._key(f"health|{fleet}"))
			pipeline.pttl(self._key(f"health|{fleet}"))
			text, left = pipeline.execute()
		return (text.decode(), left / 1000) if text else None

	@without_redis(lambda: True)
	def is_first_to_say(self, event: str, replica: str, seconds: int) -> bool:
		"""Whether no other process has said so of a replica in the last `seconds`; for log lines."""
		with self._redis() as client:
			return bool(client.set(self._key(f"said|{event}|{replica}"), 1, nx=True, ex=seconds))

	@without_redis(lambda: True)
	def take_back(self, event: str, replica: str) -> bool:
		"""Whether that had been said, and is now taken back by this call and no other."""
		with self._redis() as client:
			return bool(client.delete(self._key(f"said|{event}|{replica}")))

	@without_redis(lambda: True)
	def may_try(self, replica: str, seconds: float) -> bool:
		"""Whether to try a replica that has failed: one process may in these seconds; all, once it went well."""
		with self._redis() as client:
			if client.set(self._key(f"try|{replica}"), "begun", nx=True, px=round(seconds * 1000)):
				return True
			return client.get(self._key(f"try|{replica}")) == b"went well"

	@without_redis(lambda: None)
	def note_try(self, replica: str, went_well: bool) -> None:
		"""Tell the others how a replica has done; they have all asked again when this is forgotten."""
		with self._redis() as client:
			if went_well:
				client.set(self._key(f"try|{replica}"), "went well", ex=SECONDS_A_TRY_COUNTS)
			elif client.get(self._key(f"try|{replica}")) == b"went well":
				client.delete(self._key(f"try|{replica}"))

	# Methods that write

	@without_redis(dict)
	def load_writers(self) -> dict[str, float]:
		"""Methods caught writing, with the time.time() until which each stays on the primary."""
		with self._redis() as client:
			rows = client.zrangebyscore(self._key("writers"), time.time(), "+inf", withscores=True)
		return {method.decode(): until for method, until in rows}

	@without_redis(lambda: None)
	def add_writer(self, method: str, until: float) -> None:
		"""Keep a method on the primary until then."""
		with self._redis() as client:
			pipeline = client.pipeline(transaction=False)
			pipeline.zremrangebyscore(self._key("writers"), "-inf", time.time())
			pipeline.zadd(self._key("writers"), {method: until})
			pipeline.zremrangebyrank(self._key("writers"), 0, -MOST_WRITERS - 1)
			pipeline.execute()

	@without_redis(lambda: 0)
	def clear_writers(self, *methods: str) -> int:
		"""Let these methods, or without a name all of them, back to the replicas; how many there were."""
		with self._redis() as client:
			if methods:
				return client.zrem(self._key("writers"), *methods)
			count = client.zcard(self._key("writers"))
			client.delete(self._key("writers"))
			return count

	# Counters

	@without_redis(lambda: False)
	def add_counts(self, counts: "dict[CountKey, tuple[int, float]]") -> bool:
		"""Add to the site's counters, in one round trip; False if that is not possible now."""
		with self._redis() as client:
			# All of it or nothing, as what fails is added again later.
			pipeline = client.pipeline(transaction=True)
			for key, (count, seconds) in counts.items():
				field = "|".join(key)
				pipeline.hincrby(self._key("counts"), field, count)
				if seconds:
					pipeline.hincrbyfloat(self._key("seconds"), field, seconds)
			pipeline.hlen(self._key("counts"))
			if pipeline.execute()[-1] > MOST_COUNTERS:
				# Whoever made up so many names is not worth the memory; counters may begin anew.
				client.delete(self._key("counts"), self._key("seconds"))
			return True

	@without_redis(dict)
	def load_counts(self) -> "dict[CountKey, tuple[int, float]]":
		"""The site's counters by server, reason and method: how often, and for how many seconds."""
		with self._redis() as client:
			counts = client.hgetall(self._key("counts"))
			seconds = client.hgetall(self._key("seconds"))
		found = {}
		for field, count in counts.items():
			server, reason, method = field.decode().split("|", 2)
			found[server, reason, method] = (int(count), float(seconds.get(field, 0)))
		return found
