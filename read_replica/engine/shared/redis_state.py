# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The base of what is kept in Redis, which is a help and never a condition: without it, calls go on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import redis
from redis.exceptions import RedisError

from read_replica.engine.dialect import text
from read_replica.engine.shared.thread_connections import Ask, ThreadConnections

P = ParamSpec("P")
Answer = TypeVar("Answer")
Fallback = TypeVar("Fallback")

# How long Redis may take to answer, and how long it is left alone after it did not.
SECONDS_TO_ANSWER = 0.5
SECONDS_LEFT_ALONE = 1.0


def without_redis(
	fallback: Callable[[], Fallback],
) -> Callable[[Callable[P, Answer]], Callable[P, Answer | Fallback]]:
	"""Decorate a method that asks Redis: if Redis does not answer, the method returns `fallback()`."""

	def decorate(fn: Callable[P, Answer]) -> Callable[P, Answer | Fallback]:
		@wraps(fn)
		def wrapper(*args: P.args, **kwargs: P.kwargs) -> Answer | Fallback:
			try:
				return fn(*args, **kwargs)
			except RedisError:
				return fallback()

		return wrapper

	return decorate


def impatient(client: Any) -> redis.Redis:
	"""Return a client of the same server that gives up after SECONDS_TO_ANSWER, and does not try again.

	Newer versions of redis-py try three times, with pauses of seconds, if a server refuses a connection.
	"""
	pool = client.connection_pool
	limits: dict[str, Any] = {"socket_timeout": SECONDS_TO_ANSWER}
	if not issubclass(pool.connection_class, redis.UnixDomainSocketConnection):
		# Older versions of redis-py do not accept this for a Unix socket.
		limits["socket_connect_timeout"] = SECONDS_TO_ANSWER
	try:
		from redis.backoff import NoBackoff
		from redis.retry import Retry

		limits["retry"] = Retry(NoBackoff(), 0)
	except ImportError:
		# redis-py 3, which Frappe v14 uses, has no such module, and does not try again by itself.
		pass
	settings = {**pool.connection_kwargs, **limits}
	return redis.Redis(
		connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **settings)
	)


class RedisState:
	"""Keys of one site in Redis. Safe to share between threads, as Redis clients are.

	:param prefix: what the keys of this site begin with
	"""

	def __init__(self, client: redis.Redis, prefix: str) -> None:
		self.client = client
		self._prefix = prefix
		self._connections = ThreadConnections(self._on_connect)
		self._left_alone_until = 0.0

	def _on_connect(self, ask: Ask) -> None:
		"""Called for each new connection of a thread before it is used; for subclasses."""

	@contextmanager
	def _redis(self) -> Iterator[redis.Redis]:
		"""Lend the client. After a failure, Redis is left alone for SECONDS_LEFT_ALONE.

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
		"""Called once a second by one process of the site; for subclasses."""

	def close(self) -> None:
		"""Close connections to other servers than Redis; for subclasses."""

	@without_redis(lambda: None)
	def forget(self) -> None:
		"""Delete all keys of the site."""
		self._delete_all_but()

	def _delete_all_but(self, *kept: str) -> None:
		with self._redis() as client:
			for key in client.scan_iter(match=self._key("*"), count=1000):
				if text(key) not in kept:
					client.delete(key)
