# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What all processes of a site share in Redis, under keys of its own.

Redis is a help here, never a condition. Without it each process looks for itself, and what users
have written is not known, which `written_by` says.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any, NamedTuple, TypeVar

import redis
from redis.exceptions import RedisError

from read_replica.engine.dialect import Position
from read_replica.engine.direct import DirectLines

T = TypeVar("T")
CountKey = tuple[str, str, str]

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

# As long as the longest pause of a breaker, and its jitter.
SECONDS_A_TRY_COUNTS = 36

# How long Redis may take to answer, and how long it is left alone after it did not.
SECONDS_TO_ANSWER = 0.5
SECONDS_LEFT_ALONE = 1.0

# When it answers again, others have yet to tell it what they could not: each leaves it alone for its own
# second, and tries again in the next round of its lookout, which may take two.
SECONDS_UNTIL_ALL_IS_TOLD = 4.0

_TEN_YEARS = 10 * 365 * 24 * 3600 * 1000


class Written(NamedTuple):
	"""What a user has written, and for how many seconds it has been known of all users."""

	position: Position
	known_for: float


def without_redis(answer: Callable[[], T]) -> Callable:
	"""Answer so where Redis cannot be asked."""

	def decorate(fn):
		@wraps(fn)
		def wrapper(*args, **kwargs):
			try:
				return fn(*args, **kwargs)
			except RedisError:
				return answer()

		return wrapper

	return decorate


def impatient(client: Any) -> redis.Redis:
	"""A client of the same server that gives up soon: nobody waits for what is only a help.

	Newer clients try three times, with pauses of seconds, where a server refuses them.
	"""
	pool = client.connection_pool
	limits = {"socket_timeout": SECONDS_TO_ANSWER, "socket_connect_timeout": SECONDS_TO_ANSWER}
	try:
		from redis.backoff import NoBackoff
		from redis.retry import Retry

		limits["retry"] = Retry(NoBackoff(), 0)
	except ImportError:
		# redis-py 3, of Frappe v14, does not try again by itself.
		pass
	settings = {**pool.connection_kwargs, **limits}
	return redis.Redis(
		connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **settings)
	)


@lru_cache(maxsize=1024)
def _position_in(text: bytes) -> Position:
	"""A position as it is kept; a user's last one is read with each of their requests."""
	return Position(text.decode())


class Shared:
	"""The shared state of one site. Safe to share between threads, as Redis clients are."""

	def __init__(self, client: redis.Redis, prefix: str):
		self.client = client
		self._prefix = prefix
		self._lines = DirectLines()
		self._left_alone_until = 0.0

	@contextmanager
	def _redis(self) -> Iterator[redis.Redis]:
		"""The client, for one round trip or more.

		:raises RedisError: if Redis does not answer, or did not a moment ago
		"""
		if time.monotonic() < self._left_alone_until:
			raise RedisError("Redis did not answer a moment ago")
		try:
			yield self.client
		except RedisError:
			self._left_alone_until = time.monotonic() + SECONDS_LEFT_ALONE
			raise

	def _key(self, name: str) -> str:
		return f"{self._prefix}|{name}"

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

	# What users have written

	def keep_written(self, users: Iterable[str], position: Position) -> None:
		"""Remember, in one round trip, what has been committed on behalf of these users.

		:raises RedisError: if that is not possible
		"""
		limits = (str(position), SECONDS_POSITIONS_ARE_KEPT)
		commands = [("EVAL", KEEP_THE_LATER, 1, self._key(f"written|{user}"), *limits) for user in users]
		with self._redis() as client:
			self._lines.ask(client, self._mark_beginning(), *commands)

	@without_redis(lambda: None)
	def written_by(self, user: str) -> Written | None:
		"""What a user has committed within the last hour, in one round trip; None: Redis cannot say."""
		if time.monotonic() < self._left_alone_until + SECONDS_UNTIL_ALL_IS_TOLD:
			return None
		questions = (("PTTL", self._key("beginning")), ("GET", self._key(f"written|{user}")))
		with self._redis() as client:
			left, text = self._lines.ask(client, *questions)
			if left < 0:
				_, left, text = self._lines.ask(client, self._mark_beginning(), *questions)
		known_for = min((_TEN_YEARS - left) / 1000, SECONDS_POSITIONS_ARE_KEPT)
		return Written(_position_in(text or b""), known_for)

	def _mark_beginning(self) -> tuple:
		"""Notes since when positions are known: not before a Redis that has lost its memory came back."""
		return ("SET", self._key("beginning"), 1, "PX", _TEN_YEARS, "NX")

	def begin_anew(self, seconds_ago: float = 0) -> None:
		"""Say that positions may have been lost up to now, or up to a time that many seconds ago.

		:raises RedisError: if that is not possible
		"""
		with self._redis() as client:
			client.set(self._key("beginning"), 1, px=round(_TEN_YEARS - seconds_ago * 1000))

	@without_redis(lambda: None)
	def forget_written(self, user: str) -> None:
		"""Forget what a user has written: it belongs to a primary that is no more."""
		with self._redis() as client:
			client.delete(self._key(f"written|{user}"))

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

	def add_counts(self, counts: "dict[CountKey, tuple[int, float]]") -> None:
		"""Add to the site's counters, in one round trip.

		:raises RedisError: if that is not possible
		"""
		with self._redis() as client:
			# All of it or nothing, as what fails is added again later.
			pipeline = client.pipeline(transaction=True)
			for key, (count, seconds) in counts.items():
				field = "|".join(key)
				pipeline.hincrby(self._key("counts"), field, count)
				if seconds:
					pipeline.hincrbyfloat(self._key("seconds"), field, seconds)
			pipeline.execute()

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

	@without_redis(lambda: None)
	def forget(self) -> None:
		"""Delete all that is kept for the site."""
		with self._redis() as client:
			for key in client.scan_iter(match=self._key("*"), count=1000):
				client.delete(key)
