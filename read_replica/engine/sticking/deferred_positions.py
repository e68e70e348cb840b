# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Positions that are kept in Redis a second after their commit, as their request has kept another one just before."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from read_replica.engine import dialect
from read_replica.engine.dialect import Position
from read_replica.engine.host import Host
from read_replica.engine.locks import Lock, after_fork

# How long to leave it to the request itself, which keeps its position at a later commit, and at its end.
SECONDS_LEFT_TO_REQUEST = 1.0

SECONDS_TO_CONNECT = 1.0
SECONDS_TO_ANSWER = 1.0


class DeferredPositions:
	"""The requests whose last commits are not kept yet, and a thread that keeps them if the requests do not.

	The thread ends when there are none. Safe to share between threads.

	:param keep_for: keeps a position that was committed on behalf of these users
	"""

	def __init__(self, host: Host, keep_for: Callable[[set[str], Position], None]) -> None:
		self._host = host
		self._keep_for = keep_for
		self._lock = Lock()
		self._begin()
		after_fork(self, DeferredPositions._begin)

	def _begin(self) -> None:
		# By request: the users on whose behalf it has committed, and the time.monotonic() of its first such commit.
		self._due: dict[int, tuple[set[str], float]] = {}
		self._thread: threading.Thread | None = None

	def defer(self, request: int, users: set[str]) -> None:
		"""Note that a request has committed, and has not kept the position.

		:param users: on whose behalf it has
		"""
		with self._lock:
			before, since = self._due.get(request, (set(), time.monotonic()))
			self._due[request] = (before | users, since)
			if self._thread is None or not self._thread.is_alive():
				self._thread = threading.Thread(
					target=self._run, name="read_replica deferred positions", daemon=True
				)
				self._thread.start()

	def cancel(self, request: int) -> None:
		"""Note that a request keeps its position itself."""
		with self._lock:
			self._due.pop(request, None)

	def _run(self) -> None:
		while True:
			time.sleep(SECONDS_LEFT_TO_REQUEST)
			with self._lock:
				if not self._due:
					self._thread = None
					return
				until = time.monotonic() - SECONDS_LEFT_TO_REQUEST
				due = {request: users for request, (users, since) in self._due.items() if since <= until}
				for request in due:
					del self._due[request]
			if not due:
				continue
			if position := self._position_of_primary():
				self._keep_for(set().union(*due.values()), position)
				continue
			for request, users in due.items():
				self.defer(request, users)

	def _position_of_primary(self) -> Position:
		"""Ask the primary for its position; an empty one if it cannot tell now.

		On a new connection, as the request is using its own.
		"""
		try:
			connection = self._host.connect(None, SECONDS_TO_CONNECT)
			try:
				row = dialect.answer_within(connection, dialect.PRIMARY_POSITION_QUERY, SECONDS_TO_ANSWER)
			finally:
				with suppress(Exception):
					connection.close()
		except Exception as error:
			self._host.log("position_unknown", error=f"{type(error).__name__} {dialect.number_of(error)}")
			return Position()
		return Position(dialect.text(row[0]))
