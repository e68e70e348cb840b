# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Raw connections to one replica, kept open and used again. The pool is SQLAlchemy's QueuePool."""

import os
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from read_replica.engine import dialect

__all__ = ["ConnectionPool", "Lease", "PoolTimeout"]

# How long a call waits for a connection when all are in use, before it goes elsewhere.
WAIT_FOR_CONNECTION = 0.2

# Pools that came over a fork. Never closed and never collected: closing one in the child would
# say goodbye to the server on the parent's socket.
_of_the_parent: list[QueuePool] = []


class Lease:
	"""One connection, lent to one scope."""

	def __init__(self, proxied: PoolProxiedConnection):
		self._proxied = proxied

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
		self._proxied.close()

	def throw_away(self) -> None:
		"""Close the connection: something about it is in doubt."""
		self._proxied.invalidate()
		self._proxied.close()


class ConnectionPool:
	"""At most `size` connections of this process, each closed when it is `max_age` seconds old.

	Safe to share between threads. After a fork the child starts with an empty pool and leaves the
	parent's connections alone (SQLAlchemy's docs: "Using Connection Pools with Multiprocessing").
	"""

	def __init__(self, connect: Callable[[], Any], size: int, max_age: float):
		self._connect = connect
		self._size = size
		self._max_age = max_age
		self._lock = threading.Lock()
		self._start()

	def _start(self) -> None:
		self._pid = os.getpid()
		self._pool = QueuePool(
			self._connect,
			pool_size=self._size,
			max_overflow=0,
			timeout=WAIT_FOR_CONNECTION,
			recycle=self._max_age,
			use_lifo=True,
		)

	def lend(self) -> Lease:
		"""Lend a connection, opening one if none is idle.

		:raises PoolTimeout: if all are in use
		:raises Exception: what the driver raises if the server cannot be reached
		"""
		if self._pid != os.getpid():
			self._leave_to_parent()
		return Lease(self._pool.connect())

	def _leave_to_parent(self) -> None:
		# A lock that was held in the parent at the time of the fork would never be released here.
		self._lock = threading.Lock()
		_of_the_parent.append(self._pool)
		self._start()

	def close_idle(self) -> None:
		"""Close all idle connections; those lent out are closed when they come back."""
		with self._lock:
			if self._pid == os.getpid():
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
