# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What all processes of a site share, in the site's Redis cache; without Redis each knows its own.

Under keys of its own, which `bench clear-cache` leaves alone.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import frappe
from redis.exceptions import RedisError

T = TypeVar("T")


def _key(name: str) -> str:
	return f"read_replica|{frappe.local.conf.db_name}|{name}"


def _without_redis(answer: Callable[[], T]) -> Callable:
	"""Answer so where Redis cannot be asked: it is a help here, never a condition."""

	def decorate(fn):
		@wraps(fn)
		def wrapper(*args, **kwargs):
			try:
				return fn(*args, **kwargs)
			except RedisError:
				return answer()

		return wrapper

	return decorate


def _redis():
	return frappe.cache()


@_without_redis(dict)
def load_writers() -> dict[str, float]:
	"""Methods caught writing, with the time.time() until which each stays on the primary."""
	rows = _redis().zrangebyscore(_key("writers"), time.time(), "+inf", withscores=True)
	return {method.decode(): until for method, until in rows}


@_without_redis(lambda: None)
def add_writer(method: str, until: float) -> None:
	"""Keep a method on the primary until then."""
	_redis().zremrangebyscore(_key("writers"), "-inf", time.time())
	_redis().zadd(_key("writers"), {method: until})


@_without_redis(lambda: 0)
def clear_writers(*methods: str) -> int:
	"""Let these methods, or without a name all of them, back to the replicas; how many there were."""
	if methods:
		return _redis().zrem(_key("writers"), *methods)
	count = _redis().zcard(_key("writers"))
	_redis().delete(_key("writers"))
	return count


@_without_redis(lambda: None)
def add_counts(counts: dict[tuple[str, str], int]) -> None:
	"""Add to the site's counters by server and reason."""
	pipeline = _redis().pipeline(transaction=False)
	for (server, reason), count in counts.items():
		pipeline.hincrby(_key("counts"), f"{server}|{reason}", count)
	pipeline.execute()


@_without_redis(dict)
def load_counts() -> dict[tuple[str, str], int]:
	"""The site's counters by server and reason, since they were last forgotten."""
	counts = {}
	# Frappe's hgetall unpickles; these are plain numbers.
	for field, count in _redis().execute_command("HGETALL", _key("counts")).items():
		server, _, reason = field.decode().rpartition("|")
		counts[server, reason] = int(count)
	return counts


@_without_redis(lambda: None)
def forget() -> None:
	"""Delete all that is kept for the site."""
	_redis().delete(_key("writers"), _key("counts"))
