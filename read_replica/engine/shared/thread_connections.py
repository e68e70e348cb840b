# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Connections to Redis, one for each thread, for what every request asks.

Through redis-py's pool and pipeline that takes three times as long: longer than the small query for which it is
asked.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import redis
from redis.exceptions import ConnectionError

from read_replica.engine.locks import after_fork, leave_to_parent

# A command of Redis with its arguments, such as ("GET", "key").
Command = tuple[str | bytes | int | float, ...]


class Ask(Protocol):
	"""A function that runs commands on one connection, as ThreadConnections.ask does."""

	def __call__(self, *commands: Command) -> list[Any]: ...


class ThreadConnections:
	"""One open connection per thread. Safe to share between threads, and across a fork.

	:param on_connect: called for each new connection before it is used, with a function that asks it
	"""

	def __init__(self, on_connect: Callable[[Ask], None]) -> None:
		self._on_connect = on_connect
		self._local = threading.local()
		after_fork(self, ThreadConnections._begin_in_child)

	def _begin_in_child(self) -> None:
		leave_to_parent(self._local)
		self._local = threading.local()

	def ask(self, client: redis.Redis, *commands: Command) -> list[Any]:
		"""Run commands on a client's server in one round trip, and return their answers. They may run twice.

		:raises RedisError: if there is no answer, or if an error is among the answers
		"""
		if getattr(self._local, "pool", None) is client.connection_pool:
			try:
				return self._ask(*commands)
			except ConnectionError:
				# The server was restarted, or has closed an idle connection: a new one shows which.
				pass
		self._open(client)
		return self._ask(*commands)

	def _open(self, client: redis.Redis) -> None:
		# The previous connection of this thread goes back to the pool when its client is garbage collected.
		self._local.client = client.client()
		self._on_connect(self._ask)
		self._local.pool = client.connection_pool

	def _ask(self, *commands: Command) -> list[Any]:
		try:
			return _ask(self._local.client.connection, commands)
		except BaseException:
			# The client would connect again by itself, without on_connect, and perhaps to another server.
			self._local.pool = None
			raise


def _ask(connection: Any, commands: tuple[Command, ...]) -> list[Any]:
	try:
		connection.send_packed_command(_packed(commands))
		return [connection.read_response() for _ in commands]
	except BaseException:
		# An answer that is still to come would be taken for the answer to the next command.
		connection.disconnect()
		raise


# Never connected; used only for its way to encode commands.
_writer = redis.Connection()


@lru_cache(maxsize=256)
def _packed(commands: tuple[Command, ...]) -> list[bytes]:
	"""Return commands as they are sent. Cached: a user's requests all ask the same."""
	packed: list[bytes] = _writer.pack_commands(commands)
	return packed
