# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Statements of this app's bookkeeping, each in a transaction of its own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import frappe
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random

from read_replica.engine.dialect import number_of

# The database has ended the statement in favour of another: 1020 the row has changed since the transaction's
# first read (innodb_snapshot_isolation), 1205 a lock was waited for in vain, 1213 a deadlock.
TRANSACTION_CONFLICTS = (1020, 1205, 1213)

MOST_TRIES = 10
SECONDS_OF_TRIES = 60
LONGEST_PAUSE = 0.1


def execute_and_commit(statement: str, values: Any = ()) -> bool:
	"""Run a statement and commit; whether it has changed a row.

	What is uncommitted before is committed first: what was read there would be the statement's view of
	the table, in which no row may be changed that another has changed since. And alone, as an INSERT that
	finds its row keeps a lock on it, and two schedulers that hold locks on some rows of a table and want
	others would wait for each other.

	Tried again while the database ends it in favour of another, for a minute at most; not where nobody
	knows what became of it, as when the connection is lost.
	"""
	frappe.db.commit()
	return _retry_on_conflict(partial(_run, statement, values))


def _run(statement: str, values: Any) -> bool:
	frappe.db.sql(statement, values)
	has_changed = frappe.db._cursor.rowcount > 0
	frappe.db.commit()
	return has_changed


def _retry_on_conflict(step: Callable[[], bool]) -> bool:
	tries = Retrying(
		retry=retry_if_exception(is_transaction_conflict),
		stop=stop_after_attempt(MOST_TRIES) | stop_after_delay(SECONDS_OF_TRIES),
		wait=wait_random(0, LONGEST_PAUSE),
		before_sleep=lambda _: frappe.db.rollback(),
		reraise=True,
	)
	return tries(step)


def is_transaction_conflict(error: BaseException) -> bool:
	"""Whether the database has undone a statement, or all of its transaction, which may be tried again.

	By the number, as not every version of Frappe knows each of them.
	"""
	return number_of(driver_error(error)) in TRANSACTION_CONFLICTS


def driver_error(error: BaseException) -> BaseException:
	"""The driver's error, out of the one that Frappe has made of it."""
	inner = error.args[0] if error.args else None
	return driver_error(inner) if isinstance(inner, BaseException) else error


def is_before_migrate(error: BaseException) -> bool:
	"""Whether a migrate has not made a table or a column of this app yet."""
	return bool(error.args) and (frappe.db.is_missing_table(error) or frappe.db.is_missing_column(error))
