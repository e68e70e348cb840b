# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The few things that the engine needs from the program it runs in."""

from typing import Any, Protocol

from read_replica.engine.request import RequestState
from read_replica.engine.settings import Endpoint
from read_replica.engine.shared.shared_state import SharedState


class RoutedDatabase(Protocol):
	"""The program's database object while it reads from a replica."""

	def adopt(self, connection: Any | None) -> None:
		"""Read through this raw connection from now on; None: let go of the last one."""

	def begin_reading(self) -> None:
		"""From now on, what is worked out here may come from a replica's rows."""

	def closed(self) -> None:
		"""The scope has ended."""


class Host(Protocol):
	"""A program with one current database per request, job or thread.

	All but `shared`, `connect` and `log`, which any thread may use, speak of the calling request.
	"""

	# Statements that contain one of these are the primary's, always: what is read there is written back.
	always_primary: tuple[str, ...]

	# What all processes of the program share.
	shared: SharedState

	def log_names(self, table: str, statement: str) -> tuple[str, ...]:
		"""If a write is one of sessions or logs, which leaves the rest of a scope on its replica: what later
		statements that must see it have in them, such as the table's name. Else nothing.
		"""

	def current(self) -> Any:
		"""The database object in place."""

	def put(self, database: Any, state: RequestState) -> None:
		"""Put a database object in place, in the request of this state."""

	def state(self) -> RequestState:
		"""The state of the request, new at its beginning and kept by the host until its end."""

	def user(self) -> str:
		"""On whose behalf the request works: what they wrote, they will see."""

	def reader(self) -> str:
		"""Whose commits a call must be shown: the user, or that one of a user's clients which asks."""

	def pending_writes(self, database: Any) -> int:
		"""Grows with each write, row lock and savepoint that the primary's transaction holds; 0 without."""

	def end_transaction(self, database: Any) -> None:
		"""End the primary's transaction; called only where there are no pending writes."""

	def ask_primary(self, database: Any, statement: str) -> tuple:
		"""The first row of a question to the primary's server, outside the program's own bookkeeping."""

	def connect(self, endpoint: Endpoint | None, timeout: float) -> Any:
		"""Open a raw DB-API connection to a replica, or to the primary (None), within `timeout` seconds."""

	def wrap(self, scope: Any, connection: Any) -> RoutedDatabase:
		"""A fresh database object that sends each statement through `scope.run`."""

	def log(self, event: str, **fields: Any) -> None:
		"""Write one log line with an event name; never a value of a query, never a password."""
