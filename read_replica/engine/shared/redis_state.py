# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""State in Redis, which is a help here, never a condition."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import redis
from redis.exceptions import RedisError

from read_replica.engine.shared.thread_connections import Ask, ThreadConnections

T = TypeVar("T")

# How long Redis may take to answer, and how long it is left alone after it did not.
SECONDS_TO_ANSWER = 0.5
SECONDS_LEFT_ALONE = 1.0


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
	limits: dict[str, Any] = {"socket_timeout": SECONDS_TO_ANSWER}
	if not issubclass(pool.connection_class, redis.UnixDomainSocketConnection):
		# Older clients do not take it for a socket of this host.
		limits["socket_connect_timeout"] = SECONDS_TO_ANSWER
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


class RedisState:
	"""Keys of one site in Redis. Safe to share between threads, as Redis clients are."""

	def __init__(self, client: redis.Redis, prefix: str):
		self.client = client
		self._prefix = prefix
		self._lines = ThreadConnections(self._greet)
		self._left_alone_until = 0.0

	def _greet(self, ask: Ask) -> None:
		"""What is asked first over each new connection that a thread keeps."""

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

	def watch(self) -> None:
		"""Called by one process of the site, once a second."""

	def close(self) -> None:
		"""Close what is kept open beside Redis."""

	@without_redis(lambda: None)
	def forget(self) -> None:
		"""Delete all that is kept for the site."""
		with self._redis() as client:
			for key in client.scan_iter(match=self._key("*"), count=1000):
				client.delete(key)
