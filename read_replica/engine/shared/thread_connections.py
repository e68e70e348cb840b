# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Redis, asked over a connection that each thread keeps for itself.

For what every request asks. Through redis-py's pool and pipeline that takes three times as long, and
longer than the small query that it is asked for.
"""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import redis
from redis.exceptions import ConnectionError

from read_replica.engine.locks import after_fork, leave_to_parent

# Asks one connection these commands, as ThreadConnections.ask.
Ask = Callable[..., list]


class ThreadConnections:
	"""One open connection per thread. Safe to share between threads, and across a fork.

	:param greet: called for each new connection, with a function that asks it, before anything else is asked there
	"""

	def __init__(self, greet: Callable[[Ask], None]):
		self._greet = greet
		self._local = threading.local()
		after_fork(self, ThreadConnections._begin_in_child)

	def _begin_in_child(self) -> None:
		leave_to_parent(self._local)
		self._local = threading.local()

	def ask(self, client: redis.Redis, *commands: tuple) -> list:
		"""The answers of a client's server to these commands, in one round trip; they may run twice.

		:raises RedisError: if there is no answer, or an error among them
		"""
		if getattr(self._local, "pool", None) is client.connection_pool:
			try:
				return self._ask(*commands)
			except ConnectionError:
				# The server was restarted, or has closed what was idle: another connection tells.
				pass
		self._open(client)
		return self._ask(*commands)

	def _open(self, client: redis.Redis) -> None:
		# The one before goes back to the pool with its thread.
		self._local.client = client.client()
		self._greet(self._ask)
		self._local.pool = client.connection_pool

	def _ask(self, *commands: tuple) -> list:
		try:
			return _ask(self._local.client.connection, commands)
		except BaseException:
			# The client would connect again by itself, unseen, and to who knows which server.
			self._local.pool = None
			raise


def _ask(connection: Any, commands: tuple) -> list:
	try:
		connection.send_packed_command(_packed(commands))
		return [connection.read_response() for _ in commands]
	except BaseException:
		# An answer that is still to come would be taken for that to the next question.
		connection.disconnect()
		raise


# Never connected; it only knows how commands are written.
_writer = redis.Connection()


@lru_cache(maxsize=256)
def _packed(commands: tuple) -> list[bytes]:
	"""Commands as they are sent; a user's questions are the same in each of their requests."""
	return _writer.pack_commands(commands)
