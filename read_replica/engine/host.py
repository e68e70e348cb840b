# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the engine needs from the program it runs in: Frappe, the demo, or a test."""

from typing import Any, Protocol

from read_replica.engine.request import RequestState
from read_replica.engine.settings import Endpoint
from read_replica.engine.shared.shared_state import SharedState


class RoutedDatabase(Protocol):
	"""The program's database object inside a scope, reading from a replica."""

	def adopt(self, connection: Any | None) -> None:
		"""Read through this raw connection from now on; None: drop the one in use."""

	def begin_reading(self) -> None:
		"""From now on, what is worked out here may come from a replica's rows."""

	def closed(self) -> None:
		"""Called when the scope has ended."""


class Host(Protocol):
	"""A program with one current database per request, job or thread.

	Any thread may use `shared`, `connect` and `log`; all other methods are about the request that calls them.
	"""

	# Statements that contain one of these texts always go to the primary: what they read is written back later.
	always_primary: tuple[str, ...]

	# An SQL expression that the primary works out once a second. Its value, as text, comes to all processes with the
	# health of the replicas: another value tells that what the host keeps on the primary has changed.
	revision: str

	# State that all processes of the program share in Redis.
	shared: SharedState

	def log_names(self, table: str, statement: str) -> tuple[str, ...]:
		"""Return names by which later statements are known that must see this write, if it is one to a log table.

		Writes to sessions and logs leave the rest of the scope on its replica; only statements that contain one of
		the names, such as the table's, go to the primary as well. Empty for any other write.
		"""

	def current(self) -> Any:
		"""Return the database object in place, such as frappe.local.db."""

	def put(self, database: Any, state: RequestState) -> None:
		"""Put a database object in place, in the request of this state."""

	def state(self) -> RequestState:
		"""Return the state of the request, which is new at its beginning and kept by the host until its end."""

	def user(self) -> str:
		"""Return the user for whom the request works: what it commits, that user is shown later."""

	def reader(self) -> str:
		"""Return the name under which the commits are kept that a call must be shown.

		The user; or one client of a user that several clients share (Guest, or one that logs in by a token).
		"""

	def pending_writes(self, database: Any) -> int:
		"""Return 0 if the primary's transaction holds nothing that must be kept.

		Else a number that grows with each of its writes, row locks and savepoints.
		"""

	def end_transaction(self, database: Any) -> None:
		"""End the primary's transaction; called only if it has no pending writes."""

	def ask_primary(self, database: Any, statement: str) -> tuple[Any, ...]:
		"""Run a query on the primary, past the program's own bookkeeping, and return its first row."""

	def connect(self, endpoint: Endpoint | None, timeout: float) -> Any:
		"""Open a raw DB-API connection to a replica, or to the primary (None), within `timeout` seconds."""

	def wrap(self, scope: Any, connection: Any) -> RoutedDatabase:
		"""Return a new database object that sends each statement through `scope.run`."""

	def log(self, event: str, **fields: Any) -> None:
		"""Write one log line with an event name; never a value of a query, never a password."""
