# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Statements of this app's bookkeeping, each in a transaction of its own."""

from typing import Any

import frappe


def change(statement: str, values: Any = ()) -> bool:
	"""Run a statement and commit; whether it has changed a row.

	Alone, as an INSERT that finds its row keeps a lock on it, and two schedulers that hold locks on some
	rows of a table and want others would wait for each other.
	"""
	frappe.db.sql(statement, values)
	has_changed = frappe.db._cursor.rowcount > 0
	frappe.db.commit()
	return has_changed


def is_before_migrate(error: Exception) -> bool:
	"""Whether a migrate has not made a table or a column of this app yet."""
	return bool(error.args) and (frappe.db.is_missing_table(error) or frappe.db.is_missing_column(error))


def is_deadlock(error: Exception) -> bool:
	"""Whether the database has ended a transaction in favour of another, which may be tried again."""
	return isinstance(error, frappe.QueryDeadlockError) or (
		bool(error.args) and frappe.db.is_deadlocked(error)
	)
