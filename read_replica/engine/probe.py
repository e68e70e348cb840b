# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A connection of our own to one server, for short questions that may not hold anybody up."""

import threading
import time
from collections.abc import Callable
from typing import Any

from read_replica.engine import dialect

# How often a server that cannot be reached is tried again.
SECONDS_BETWEEN_TRIES = 1.0

# An answer that is this late will not come any more; a new connection is tried.
SECONDS_TO_GIVE_UP = 30.0


class Probe:
	"""Asks one server, and is told later. Used by one thread at a time.

	A question that is not answered stays open, so that a server that was frozen is noticed as soon as
	it goes on. Connections are opened by a thread of their own, as that may take a second.
	"""

	def __init__(self, connect: Callable[[], Any]):
		self._connect = connect
		self._connection: Any = None
		self._opening: threading.Thread | None = None
		self._tried_at = float("-inf")
		self._asked_at: float | None = None
		self.error: Exception | None = None
		self.heard_at = float("-inf")

	@property
	def is_connected(self) -> bool:
		return self._connection is not None

	@property
	def silent_for(self) -> float:
		"""Seconds for which a question, or a new connection, has been waiting for the server."""
		if self._asked_at is not None:
			return time.monotonic() - self._asked_at
		return time.monotonic() - self._tried_at if self._is_opening else 0.0

	@property
	def _is_opening(self) -> bool:
		return self._opening is not None and self._opening.is_alive()

	def open_meanwhile(self) -> None:
		"""Connect in the background, unless that was tried a moment ago; see `error` for how it went."""
		if self._connection is not None or self._is_opening:
			return
		if time.monotonic() - self._tried_at >= SECONDS_BETWEEN_TRIES:
			self._tried_at = time.monotonic()
			self._opening = threading.Thread(target=self._open, name="read_replica probe", daemon=True)
			self._opening.start()

	def wait_until_open(self, seconds: float) -> None:
		"""Wait until it is settled whether a connection can be opened, for at most so many seconds."""
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
		self._connection = connection
		self.error = None
		self.heard_at = time.monotonic()

	def ask(self, statement: str) -> bool:
		"""Send a question; False if there is no connection, or one is still open."""
		if self._connection is None or self._asked_at is not None:
			return False
		try:
			dialect.send(self._connection, statement)
		except Exception as error:
			self._fail(error)
			if not dialect.is_of_connection(error):
				raise
			return False
		self._asked_at = time.monotonic()
		return True

	def answer(self, seconds: float = 0) -> tuple | None:
		"""The answer to the question, or None if there is none within `seconds`; see `error`."""
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
			if not dialect.is_of_connection(error):
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
		self._opening = None
		connection, self._connection, self._asked_at = self._connection, None, None
		if connection is not None:
			try:
				connection.close()
			except Exception:
				# It is of no use any more, which is why it is closed.
				return
