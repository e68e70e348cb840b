# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The few things that the engine needs from the program it runs in."""

import re
from typing import Any, Protocol

from read_replica.engine.settings import Endpoint


class RoutedDatabase(Protocol):
	"""The program's database object while it reads from a replica."""

	def adopt(self, connection: Any | None) -> None:
		"""Read through this raw connection from now on; None: let go of the last one."""

	def closed(self) -> None:
		"""The scope has ended."""


class Host(Protocol):
	"""A program with one current database per request, job or thread.

	All but `connect`, `log`, `load_writers` and `add_writer` speak of the calling request or thread.
	"""

	# Statements that match are the primary's, always: what is read there is written back later.
	always_primary: re.Pattern | None

	def is_log_write(self, table: str, statement: str) -> bool:
		"""Whether a write is one of sessions or logs, which leaves the rest of a scope on its replica."""

	def current(self) -> Any:
		"""The database object in place."""

	def put(self, database: Any) -> None:
		"""Put a database object in place."""

	def frames(self) -> list:
		"""The stack of open scopes: one list per request, empty at first, kept by the host."""

	def has_pending_writes(self, database: Any) -> bool:
		"""Whether the primary's transaction holds a write, a row lock or a savepoint."""

	def end_transaction(self, database: Any) -> None:
		"""End the primary's transaction; called only where there are no pending writes."""

	def connect(self, endpoint: Endpoint, timeout: float) -> Any:
		"""Open a raw DB-API connection to a replica, giving up after `timeout` seconds."""

	def wrap(self, scope: Any, connection: Any) -> RoutedDatabase:
		"""A fresh database object that sends each statement through `scope.run`."""

	def log(self, event: str, **fields: Any) -> None:
		"""Write one log line with an event name; never a value of a query, never a password."""

	def load_writers(self) -> dict[str, float]:
		"""Methods caught writing, each with the time.time() until which it stays on the primary."""

	def add_writer(self, method: str, until: float) -> None:
		"""Let all processes of the site know a method that was caught writing."""
