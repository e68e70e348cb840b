# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Implements the engine's Host for a Frappe site; the only file that puts a routed database into frappe.local.db."""

from collections.abc import Callable, Iterable
from typing import Any

import frappe
import redis

from read_replica.database import client_identity, routed, transaction
from read_replica.database.common_store import DatabaseStore
from read_replica.database.connector import Connector
from read_replica.database.event_log import line_of, logger_of_site
from read_replica.database.log_tables import ALWAYS_PRIMARY, log_names
from read_replica.database.revision import REVISION
from read_replica.database.routed import primary_of
from read_replica.engine import dialect
from read_replica.engine.request import RequestState
from read_replica.engine.scope import Scope
from read_replica.engine.settings import Endpoint
from read_replica.engine.shared.redis_state import impatient
from read_replica.engine.shared.several_redises import SeveralRedises
from read_replica.engine.shared.shared_state import SharedState

SECONDS_TO_CONNECT = 1


class FrappeHost:
	"""The current site as a Host. What other threads need is prepared when it is made, within a request.

	:param log_doctypes: the doctypes that the site's configuration counts among the logs
	"""

	always_primary = ALWAYS_PRIMARY
	revision = REVISION

	def __init__(self, log_doctypes: Callable[[], Iterable[str]]):
		self._log_doctypes = log_doctypes
		self._logger = logger_of_site()
		self._connector = Connector(primary_of(frappe.local.db))
		self.shared = SeveralRedises(*_redis_of_site(), DatabaseStore(self._connector))

	def current(self) -> Any:
		return frappe.local.db

	def put(self, db: Any, state: RequestState) -> None:
		# Not only of the database that is in place: core's write_only leaves a scope without a word.
		routed.hide_cached(state.frames, but=db)
		frappe.local.db = db
		# Core's write_only uses these two names to leave a scope and to come back to it.
		if isinstance(db, routed.RoutedMethods):
			if getattr(frappe.local, "primary_db", None) is not db.primary:
				frappe.local.primary_db = db.primary
			frappe.local.replica_db = db
			routed.show_cached(db)
		elif not state.frames:
			frappe.local.replica_db = None

	def state(self) -> RequestState:
		return transaction.request_state()

	def user(self) -> str:
		return getattr(getattr(frappe.local, "session", None), "user", None) or "Guest"

	def log_names(self, table: str, statement: str) -> tuple[str, ...]:
		return self._log_names(table, dialect.first_column_of(statement))

	def is_log(self, table: str, column: str) -> bool:
		"""Returns whether a write to a table is one to a session or log, by the first column that it sets."""
		return bool(self._log_names(table, column))

	def _log_names(self, table: str, column: str) -> tuple[str, ...]:
		return log_names(table, column, self._log_doctypes, _ask_primary)

	def reader(self) -> str:
		return client_identity.reader(self.user(), self.state().asked_by)

	def pending_writes(self, db: Any) -> int:
		return transaction.pending_writes(db)

	def end_transaction(self, db: Any) -> None:
		# In maintenance mode core has begun a read-only transaction, which must not be ended.
		if not frappe.flags.read_only:
			transaction.end_transaction(db)

	def ask_primary(self, db: Any, statement: str) -> tuple:
		if transaction.is_giving_rows(db):
			# A query on the same connection would lose the rows that are not read yet.
			connection = self._connector.connect(None, SECONDS_TO_CONNECT)
			try:
				return dialect.execute(connection, statement)
			finally:
				connection.close()
		if not db._conn:
			db.connect()
		return dialect.execute(db._conn, statement)

	def connect(self, endpoint: Endpoint | None, timeout: float) -> Any:
		return self._connector.connect(endpoint, timeout)

	def wrap(self, scope: Scope, connection: Any) -> Any:
		return routed.routed(scope, connection)

	def log(self, event: str, **fields: Any) -> None:
		self._logger.warning(line_of(event, fields))


def _ask_primary(query: str, values: tuple) -> list:
	primary = primary_of(frappe.local.db)
	return type(primary).sql(primary, query, values)


def shared_of_site() -> SharedState:
	"""Returns the state that the processes of the current site share in Redis, under keys that clear-cache leaves."""
	return SharedState(*_redis_of_site())


def _redis_of_site() -> tuple[redis.Redis, str]:
	return impatient(frappe.cache()), f"read_replica|{frappe.local.conf.db_name}"
