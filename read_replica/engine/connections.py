# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Raw connections to one replica, kept open and used again. The pool is SQLAlchemy's QueuePool."""

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from read_replica.engine import dialect
from read_replica.engine.locks import Lock, after_fork

__all__ = ["ConnectionPool", "Lease", "PoolTimeout"]

# How long a call waits for a connection when all are in use, before it goes elsewhere.
WAIT_FOR_CONNECTION = 0.2

# Pools and leases that came over a fork. Never closed and never collected: closing one in the child
# would speak to the server on the parent's socket.
_of_the_parent: list[Any] = []


class Lease:
	"""One connection, lent to one scope."""

	def __init__(self, proxied: PoolProxiedConnection):
		self._proxied = proxied
		self._pid = os.getpid()

	@property
	def connection(self) -> Any:
		return self._proxied.dbapi_connection

	def limit(self, seconds: float) -> None:
		"""Let the server end statements after `seconds`; asks it only where that changes."""
		if self._proxied.info.get("timeout") != seconds:
			dialect.set_timeout(self.connection, seconds)
			self._proxied.info["timeout"] = seconds

	def give_back(self) -> None:
		"""Return the connection to the pool, which rolls back what is open on it."""
		if self._is_ours():
			self._proxied.close()

	def throw_away(self) -> None:
		"""Close the connection: something about it is in doubt."""
		if self._is_ours():
			self._proxied.invalidate()
			self._proxied.close()

	def _is_ours(self) -> bool:
		if self._pid == os.getpid():
			return True
		_of_the_parent.append(self._proxied)
		return False


class ConnectionPool:
	"""At most `size` connections of this process, each closed when it is `max_age` seconds old.

	Safe to share between threads. After a fork the child starts with an empty pool and leaves the
	parent's connections alone (SQLAlchemy's docs: "Using Connection Pools with Multiprocessing").
	"""

	def __init__(self, connect: Callable[[], Any], size: int, max_age: float):
		self._connect = connect
		self._size = size
		self._max_age = max_age
		self._lock = Lock()
		self._start()
		after_fork(self, ConnectionPool._leave_to_parent)

	def _start(self) -> None:
		self._pool = QueuePool(
			self._connect,
			pool_size=self._size,
			max_overflow=0,
			timeout=WAIT_FOR_CONNECTION,
			recycle=self._max_age,
			use_lifo=True,
		)

	def _leave_to_parent(self) -> None:
		_of_the_parent.append(self._pool)
		self._start()

	def lend(self) -> Lease:
		"""Lend a connection, opening one if none is idle.

		:raises PoolTimeout: if all are in use
		:raises Exception: what the driver raises if the server cannot be reached
		"""
		return Lease(self._pool.connect())

	def close_idle(self) -> None:
		"""Close all idle connections; those lent out are closed when they come back."""
		with self._lock:
			old = self._pool
			self._start()
		old.dispose()

	@property
	def lent(self) -> int:
		"""How many connections are in use."""
		return self._pool.checkedout()

	@property
	def idle(self) -> int:
		"""How many connections wait for work."""
		return self._pool.checkedin()
