# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Raw connections to one replica, kept open and used again. The pool is SQLAlchemy's QueuePool."""

import os
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from read_replica.engine import dialect
from read_replica.engine.locks import Lock, after_fork, leave_to_parent

__all__ = ["ConnectionPool", "Lease", "PoolTimeout"]

# How long a call waits for a connection when all are in use, before it goes elsewhere.
WAIT_FOR_CONNECTION = 0.2


class Lease:
	"""One connection, lent to one scope."""

	def __init__(self, proxied: PoolProxiedConnection, returned: Callable[[], None]):
		self._proxied = proxied
		self._returned = returned
		self._pid = os.getpid()
		self._is_lent = True
		# The server that it leads to; "" behind a proxy that may send each statement to another server.
		self.server = ""
		# When it was opened, by time.monotonic().
		self.opened_at = 0.0

	@property
	def connection(self) -> Any:
		return self._proxied.dbapi_connection

	def make_ready(self, timeout: float, patience: float) -> None:
		"""Set the time limit of statements on the server, if it is not set to `timeout` seconds already.

		:raises TimeoutError: if the server does not answer within `patience` seconds
		"""
		info = self._proxied.info
		if info.pop("ending", False) and not dialect.ended(self.connection, patience):
			raise TimeoutError(f"no answer within {patience} s")
		if "server" not in info:
			info["opened_at"] = time.monotonic()
			info["server"] = dialect.server_of(self.connection, patience)
		self.server, self.opened_at = info["server"], info["opened_at"]
		if info.get("timeout") != timeout:
			dialect.set_timeout(self.connection, timeout, patience)
			info["timeout"] = timeout
		dialect.note_no_use(self.connection)

	def give_back(self) -> None:
		"""Return the connection to the pool without waiting for the end of its transaction. Does nothing twice."""
		if not self._is_ours() or not self._is_lent:
			return
		if not self._end_transaction():
			return
		self._is_lent = False
		self._proxied.info.pop("lent")
		self._proxied.close()
		self._returned()

	def _end_transaction(self) -> bool:
		"""Begin to end the transaction that may be open on the connection; False if the connection is lost."""
		if not dialect.may_be_in_use(self.connection):
			return True
		self._proxied.info["ending"] = True
		try:
			dialect.end_later(self.connection)
		except Exception as error:
			self.throw_away()
			if not dialect.is_driver_error(error):
				raise
			return False
		return True

	def throw_away(self) -> None:
		"""Close the connection instead of returning it, as its state is in doubt."""
		if self._is_ours() and self._is_lent:
			self._is_lent = False
			self._proxied.invalidate()
			self._proxied.close()

	def _is_ours(self) -> bool:
		if self._pid == os.getpid():
			return True
		leave_to_parent(self._proxied)
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
			# A lease ends its transaction itself, without waiting for the server.
			reset_on_return=None,
			use_lifo=True,
		)

	def _leave_to_parent(self) -> None:
		leave_to_parent(self._pool)
		self._start()

	def lend(self) -> Lease:
		"""Lend a connection, opening one if none is idle.

		:raises PoolTimeout: if all are in use
		:raises Exception: what the driver raises if the server cannot be reached
		"""
		pool = self._pool
		proxied = pool.connect()
		while proxied.info.get("lent"):
			# Its borrower was interrupted, and the garbage collector has returned it: an answer that nobody has
			# waited for may still be on its way.
			proxied.invalidate()
			proxied.close()
			proxied = pool.connect()
		proxied.info["lent"] = True
		return Lease(proxied, lambda: self._close_if_old(pool))

	def _close_if_old(self, pool: QueuePool) -> None:
		# This pool was replaced, and a reference cycle would keep its connections open.
		if pool is not self._pool:
			pool.dispose()

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
