# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A probe: a connection of its own to one server, for short queries that no call waits for."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from read_replica.engine import dialect

# How long to wait before a server that cannot be reached is tried again.
SECONDS_BETWEEN_TRIES = 1.0

# An answer that is so late will not come any more: a new connection is opened.
SECONDS_TO_GIVE_UP = 30.0


class Probe:
	"""Sends one server a query (`ask`), and reads its answer later (`answer`). Used by one thread at a time.

	A query without an answer stays open, so that a server that was frozen is noticed as soon as it goes on.
	Connections are opened by a thread of their own, as that may take a second.

	:param max_age: seconds after which a new connection is opened; the old one is used until then
	"""

	def __init__(self, connect: Callable[[], Any], max_age: float = float("inf")) -> None:
		self._connect = connect
		self._max_age = max_age
		self._is_to_be_renewed = False
		self._connection: Any = None
		self.opened_at = float("-inf")
		# A connection that was opened in the background, and when.
		self._new: tuple[Any, float] | None = None
		self._opening: threading.Thread | None = None
		self._tried_at = float("-inf")
		self._asked_at: float | None = None
		self.error: Exception | None = None
		self.heard_at = float("-inf")

	@property
	def is_connected(self) -> bool:
		"""Return whether there is an open connection."""
		return self._connection is not None or self._new is not None

	@property
	def age(self) -> float:
		"""Return the seconds since the connection in use was opened."""
		return time.monotonic() - self.opened_at

	@property
	def silent_for(self) -> float:
		"""Return the seconds for which a query, or a new connection, has been waiting for the server; else 0."""
		if self._asked_at is not None:
			return time.monotonic() - self._asked_at
		is_waiting = self._is_opening and not self.is_connected
		return time.monotonic() - self._tried_at if is_waiting else 0.0

	@property
	def _is_opening(self) -> bool:
		return self._opening is not None and self._opening.is_alive()

	def open_in_background(self) -> None:
		"""Connect in the background, unless that was tried a moment ago. `error` tells why it failed."""
		self._use_new_connection()
		is_good = self._connection is not None and self.age < self._max_age and not self._is_to_be_renewed
		if is_good or self._is_opening:
			return
		if time.monotonic() - self._tried_at >= SECONDS_BETWEEN_TRIES:
			self._tried_at = time.monotonic()
			self._opening = threading.Thread(target=self._open, name="read_replica probe", daemon=True)
			self._opening.start()

	def renew(self) -> None:
		"""Open a new connection in the background; the old one is used until then."""
		self._is_to_be_renewed = True
		self.open_in_background()

	def _use_new_connection(self) -> None:
		"""Switch to the connection that was opened in the background, if there is one.

		An open query on the old one is dropped.
		"""
		if self._new is None:
			return
		old, (self._connection, self.opened_at), self._new = self._connection, self._new, None
		self._asked_at, self._is_to_be_renewed = None, False
		_close(old)

	def wait_until_open(self, seconds: float) -> None:
		"""Wait until a connection is open, or has failed to open, for at most so many seconds."""
		if self._opening is not None:
			self._opening.join(max(0.0, seconds))

	def _open(self) -> None:
		try:
			connection = self._connect()
		except Exception as error:
			self.error = error
			return
		if self._opening is not threading.current_thread():
			# The probe was closed meanwhile.
			connection.close()
			return
		self._new = (connection, time.monotonic())
		self.error = None
		self.heard_at = time.monotonic()

	def ask(self, statement: str) -> bool:
		"""Send a query; False if there is no connection, or if another query is still open."""
		self._use_new_connection()
		if self._connection is None or self._asked_at is not None:
			return False
		try:
			dialect.send(self._connection, statement)
		except Exception as error:
			self._fail(error)
			if not dialect.is_driver_error(error):
				raise
			return False
		self._asked_at = time.monotonic()
		return True

	def answer(self, seconds: float = 0) -> tuple[Any, ...] | None:
		"""Return the answer to the query, or None if it does not come within `seconds`; `error` may tell why."""
		if self._asked_at is None:
			return None
		try:
			if not dialect.is_ready(self._connection, seconds):
				if self.silent_for > SECONDS_TO_GIVE_UP:
					self._fail(TimeoutError(f"no answer within {SECONDS_TO_GIVE_UP:.0f} s"))
				return None
			row = dialect.receive(self._connection)
		except Exception as error:
			self._fail(error)
			if not dialect.is_driver_error(error):
				raise
			return None
		self._asked_at = None
		self.error = None
		self.heard_at = time.monotonic()
		return row

	def _fail(self, error: Exception) -> None:
		self.error = error
		self.close()

	def close(self) -> None:
		"""Close the connection; `open_in_background` opens another."""
		self._opening = None
		self._use_new_connection()
		connection, self._connection, self._asked_at = self._connection, None, None
		self._is_to_be_renewed = False
		_close(connection)


def _close(connection: Any) -> None:
	if connection is not None:
		# Errors do not matter: the connection is not used any more.
		with suppress(Exception):
			connection.close()
