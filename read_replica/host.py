# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Frappe as the Host that the engine works in; the only file that assigns frappe.local.db."""

from typing import Any

import frappe

from read_replica import database, shared_state
from read_replica.engine.scope import Scope
from read_replica.engine.settings import Endpoint
from read_replica.log_tables import ALWAYS_PRIMARY, is_log_write


class FrappeHost:
	"""One Frappe site. Methods that speak of the request work on frappe.local."""

	always_primary = ALWAYS_PRIMARY

	def current(self) -> Any:
		return frappe.local.db

	def put(self, db: Any) -> None:
		frappe.local.db = db
		# What core's write_only goes by, to leave a scope and to come back to it.
		if isinstance(db, database.RoutedMethods):
			frappe.local.primary_db = db.primary
			frappe.local.replica_db = db
		elif not self.frames():
			frappe.local.replica_db = None

	def frames(self) -> list:
		frames = getattr(frappe.local, "read_replica_frames", None)
		if frames is None:
			frames = frappe.local.read_replica_frames = []
		return frames

	def is_log_write(self, table: str, statement: str) -> bool:
		return is_log_write(table, statement)

	def has_pending_writes(self, db: Any) -> bool:
		return database.has_pending_writes(db)

	def end_transaction(self, db: Any) -> None:
		# In maintenance mode the transaction is a read-only one, and has to stay so.
		if not frappe.flags.read_only:
			database.end_transaction(db)

	def connect(self, endpoint: Endpoint, timeout: float) -> Any:
		return database.connect(frappe.local.db, endpoint, timeout)

	def wrap(self, scope: Scope, connection: Any) -> Any:
		return database.routed(scope, connection)

	def log(self, event: str, **fields: Any) -> None:
		log_event(event, **fields)

	def load_writers(self) -> dict[str, float]:
		return shared_state.load_writers()

	def add_writer(self, method: str, until: float) -> None:
		shared_state.add_writer(method, until)


def log_event(event: str, **fields: Any) -> None:
	"""Write one line to logs/read_replica.log: an event's name and its fields."""
	line = " ".join(f"{name}={value!r}" for name, value in fields.items())
	frappe.logger("read_replica", allow_site=True).warning(f"event={event} {line}")
