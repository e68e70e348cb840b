# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""All that the processes of a site share in Redis: health, positions, requests, processes, writers and counters.

Redis is a help here, never a condition. Without it, each process checks the replicas by itself, and users'
positions are not known: `position_of` returns None.
"""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from read_replica.engine.dialect import text
from read_replica.engine.shared.lag_history import LagHistory
from read_replica.engine.shared.process_list import ProcessList, ProcessNote
from read_replica.engine.shared.redis_state import without_redis
from read_replica.engine.shared.request_counts import RequestCounts, RequestTally
from read_replica.engine.shared.user_positions import UserPositions

# For so long, processes that have known a site go on after the app was uninstalled from it, and share their counts.
SECONDS_AFTER_UNINSTALL = 120

CountKey = tuple[str, str, str]

# As long as the longest pause of a circuit breaker with its jitter.
SECONDS_A_TRY_COUNTS = 36

# Reports and doctypes are counted by their names, which requests may make up.
MOST_COUNTERS = 10_000

# Each process reads all writers every few seconds. One that is dropped from the list is caught again.
MOST_WRITERS = 1000


class SharedState(UserPositions, RequestCounts, LagHistory, ProcessList):
	"""The shared state of one site. Safe to share between threads, as Redis clients are."""

	# Health

	@without_redis(lambda: True)
	def claim(self, fleet: str, owner: str, seconds: float) -> bool:
		"""Try to become, or to remain, the one process that checks the replicas for the next `seconds`.

		:param fleet: an id of the set of replicas
		:param owner: an id of the process
		:returns: whether it is that process; True without Redis
		"""
		milliseconds = round(seconds * 1000)
		with self._redis() as client:
			if client.set(self._key(f"prober|{fleet}"), owner, nx=True, px=milliseconds):
				return True
			if client.get(self._key(f"prober|{fleet}")) != owner.encode():
				return False
			return bool(client.pexpire(self._key(f"prober|{fleet}"), milliseconds))

	@without_redis(lambda: None)
	def give_up_claim(self, fleet: str, owner: str) -> None:
		"""Let another process check the replicas from now on."""
		with self._redis() as client:
			if client.get(self._key(f"prober|{fleet}")) == owner.encode():
				client.delete(self._key(f"prober|{fleet}"))

	@without_redis(lambda: None)
	def publish_health(
		self,
		fleet: str,
		verdicts: str,
		seconds: float,
		note: ProcessNote | None = None,
		lags: Mapping[str, float | None] | None = None,
	) -> None:
		"""Publish verdicts to the other processes, for so many seconds, in one round trip.

		:param note: what this process notes of itself
		:param lags: the lag of each replica, to be kept for an hour
		"""
		with self._redis() as client:
			pipeline = client.pipeline(transaction=False)
			pipeline.set(self._key(f"health|{fleet}"), verdicts, px=round(seconds * 1000))
			if lags is not None:
				self._add_lags(pipeline, fleet, lags)
			if note:
				self._note_process(pipeline, note)
			# What people look at must not keep verdicts from being published.
			_check_first(pipeline.execute(raise_on_error=False), 1)

	@without_redis(lambda: None)
	def read_health(self, fleet: str, note: ProcessNote | None = None) -> tuple[str, float] | None:
		"""Return the verdicts that were published last, and for how many seconds they still hold; None without any.

		:param note: what this process notes of itself, in the same round trip
		"""
		with self._redis() as client:
			pipeline = client.pipeline(transaction=False)
			pipeline.get(self._key(f"health|{fleet}"))
			pipeline.pttl(self._key(f"health|{fleet}"))
			if note:
				self._note_process(pipeline, note)
			published, left = _check_first(pipeline.execute(raise_on_error=False), 2)
		return (published.decode(), left / 1000) if published else None

	@without_redis(lambda: True)
	def is_first_to_log(self, event: str, replica: str, seconds: int) -> bool:
		"""Return whether no other process has logged this event of a replica in the last `seconds`."""
		with self._redis() as client:
			return bool(client.set(self._key(f"said|{event}|{replica}"), 1, nx=True, ex=seconds))

	@without_redis(lambda: True)
	def clear_logged(self, event: str, replica: str) -> bool:
		"""Forget that an event of a replica was logged; True if it was, for one process alone."""
		with self._redis() as client:
			return bool(client.delete(self._key(f"said|{event}|{replica}")))

	@without_redis(lambda: True)
	def may_try(self, replica: str, seconds: float) -> bool:
		"""Return whether a replica that has failed may be tried.

		One process may in these seconds; all may, once its try went well. True without Redis.
		"""
		with self._redis() as client:
			if client.set(self._key(f"try|{replica}"), "begun", nx=True, px=round(seconds * 1000)):
				return True
			return client.get(self._key(f"try|{replica}")) == b"went well"

	@without_redis(lambda: None)
	def note_try(self, replica: str, went_well: bool) -> None:
		"""Tell the other processes whether a try went well, until all of them have asked."""
		with self._redis() as client:
			if went_well:
				client.set(self._key(f"try|{replica}"), "went well", ex=SECONDS_A_TRY_COUNTS)
			elif client.get(self._key(f"try|{replica}")) == b"went well":
				client.delete(self._key(f"try|{replica}"))

	# Methods that write

	@without_redis(dict)
	def load_writers(self) -> dict[str, float]:
		"""Return the methods that were caught writing, with the time.time() until which each stays on the primary."""
		with self._redis() as client:
			# By redis-py's types, a row may also be a name without its score.
			rows: list[Any] = client.zrangebyscore(self._key("writers"), time.time(), "+inf", withscores=True)
		return {text(method): float(until) for method, until in rows}

	@without_redis(lambda: None)
	def add_writer(self, method: str, until: float, table: str = "") -> None:
		"""Keep a method on the primary until that time.time().

		:param table: the one that it was caught writing; "" if that is not known
		"""
		tables = self._key("written_tables")
		with self._redis() as client:
			pipeline = client.pipeline(transaction=False)
			pipeline.zremrangebyscore(self._key("writers"), "-inf", time.time())
			pipeline.zadd(self._key("writers"), {method: until})
			pipeline.zremrangebyrank(self._key("writers"), 0, -MOST_WRITERS - 1)
			if table:
				pipeline.hset(tables, method, table)
				pipeline.expire(tables, max(1, round(until - time.time())))
			pipeline.hlen(tables)
			if pipeline.execute()[-1] > 2 * MOST_WRITERS:
				# Those of methods that are off the list by now. A table is only shown.
				client.delete(tables)

	@without_redis(dict)
	def load_written_tables(self) -> dict[str, str]:
		"""Return the table that each method was caught writing, as far as it is known."""
		with self._redis() as client:
			tables = client.hgetall(self._key("written_tables"))
		return {text(method): text(table) for method, table in tables.items()}

	@without_redis(lambda: 0)
	def clear_writers(self, *methods: str) -> int:
		"""Let these methods, or all if none is named, back to the replicas; return how many were on the list."""
		with self._redis() as client:
			if methods:
				client.hdel(self._key("written_tables"), *methods)
				return client.zrem(self._key("writers"), *methods)
			count = client.zcard(self._key("writers"))
			client.delete(self._key("writers"), self._key("written_tables"))
			return count

	# Counters

	@without_redis(lambda: False)
	def add_counts(
		self,
		counts: Mapping[CountKey, tuple[int, float]],
		requests: Mapping[str, RequestTally] | None = None,
		statements: Mapping[str, int] | None = None,
	) -> bool:
		"""Add to the site's counters; False if Redis does not answer. What comes after an uninstall is dropped."""
		if self.is_uninstalled():
			return True
		with self._redis() as client:
			# In a transaction: what fails is added again later, so it must be all or nothing.
			pipeline = client.pipeline(transaction=True)
			of_reasons: Counter[str] = Counter()
			for key, (count, seconds) in counts.items():
				field = "|".join(key)
				of_reasons["|".join(key[:2])] += count
				pipeline.hincrby(self._key("counts"), field, count)
				if seconds:
					pipeline.hincrbyfloat(self._key("seconds"), field, seconds)
			for field, count in of_reasons.items():
				pipeline.hincrby(self._key("reasons"), field, count)
			self._add_requests(pipeline, requests or {}, statements or {})
			pipeline.hlen(self._key("counts"))
			if pipeline.execute()[-1] > MOST_COUNTERS:
				# Somebody makes up names. They are not worth the memory, and counters may begin again at 0.
				client.delete(self._key("counts"), self._key("seconds"), self._key("reasons"))
			return True

	@without_redis(dict)
	def load_reasons(self) -> dict[tuple[str, str], int]:
		"""Return the site's calls by server and reason, at a cost that does not grow with the methods that are counted."""
		with self._redis() as client:
			counts = client.hgetall(self._key("reasons"))
		found: dict[tuple[str, str], int] = {}
		for field, count in counts.items():
			server, _, reason = text(field).partition("|")
			found[server, reason] = int(count)
		return found

	@without_redis(dict)
	def load_counts(self) -> dict[CountKey, tuple[int, float]]:
		"""Return the site's counters, as (calls, seconds) by server, reason and method."""
		with self._redis() as client:
			counts = client.hgetall(self._key("counts"))
			seconds = client.hgetall(self._key("seconds"))
		found = {}
		for field, count in counts.items():
			server, reason, method = text(field).split("|", 2)
			found[server, reason, method] = (int(count), float(seconds.get(field, 0)))
		return found

	# Texts

	@without_redis(lambda: False)
	def keep_text(self, name: str, value: str, seconds: int) -> bool:
		"""Keep a text under a name for so many seconds; False if Redis does not answer."""
		with self._redis() as client:
			client.set(self._key(f"text|{name}"), value, ex=seconds)
			return True

	@without_redis(lambda: None)
	def kept_text(self, name: str) -> str | None:
		"""Return the text that is kept under a name; None if there is none."""
		with self._redis() as client:
			found = client.get(self._key(f"text|{name}"))
			return None if found is None else text(found)

	@without_redis(lambda: False)
	def answers(self) -> bool:
		"""Return whether Redis answers now."""
		with self._redis() as client:
			return bool(client.ping())

	# Uninstall

	@without_redis(lambda: None)
	def forget_for_good(self) -> None:
		"""Delete all keys of the site, and let processes that know it still delete what they write until they hear of it."""
		with self._redis() as client:
			client.set(self._key("uninstalled"), 1, ex=SECONDS_AFTER_UNINSTALL)
			self._delete_all_but(self._key("uninstalled"))

	@without_redis(lambda: False)
	def is_uninstalled(self) -> bool:
		"""Return whether the app was uninstalled from the site a moment ago; whatever was written since is deleted."""
		with self._redis() as client:
			if not client.exists(self._key("uninstalled")):
				return False
			self._delete_all_but(self._key("uninstalled"))
			return True


def _check_first(answers: list[Any], count: int) -> list[Any]:
	"""Return the first answers of a pipeline.

	:raises RedisError: if one of them is an error
	"""
	for answer in answers[:count]:
		if isinstance(answer, Exception):
			raise answer
	return answers[:count]
