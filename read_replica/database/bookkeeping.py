# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Executes this app's own statements on the primary, each in a transaction of its own."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import frappe
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random

from read_replica.engine.dialect import number_of

# Error numbers of a statement that lost against another transaction: 1020 the row has changed since this
# transaction's first read (innodb_snapshot_isolation), 1205 lock wait timeout, 1213 deadlock.
TRANSACTION_CONFLICTS = (1020, 1205, 1213)

T = TypeVar("T")

MOST_TRIES = 10
SECONDS_OF_TRIES = 60
LONGEST_PAUSE = 0.1


def execute_and_commit(statement: str, values: Any = ()) -> bool:
	"""Execute a statement in a transaction of its own and commit it; returns whether it changed a row.

	Commits what is uncommitted first: a transaction that has already read keeps that snapshot, and may not
	change a row that another transaction has changed since. One statement per transaction, because an INSERT
	that finds its row keeps a lock on it: two schedulers, each with locks on some rows of a table, would wait
	for each other's.

	Retried on a transaction conflict, up to 10 times within a minute. Not retried when the connection is
	lost, as the statement may have been committed.

	:raises Exception: the database's error, once it is not retried any more
	"""
	frappe.db.commit()
	return _retry_on_conflict(partial(_run, statement, values))


def in_a_transaction(step: Callable[[], T]) -> T:
	"""Run a step in a transaction of its own and commit it; returns what the step returns.

	For statements that belong together: all of them are committed, or none. Commits what is uncommitted first.
	Retried from its beginning on a transaction conflict, as `execute_and_commit` is.

	:param step: executes a few statements, in the same order in all processes; may be run several times
	:raises Exception: that of the step, after a rollback
	"""
	frappe.db.commit()
	try:
		return _retry_on_conflict(partial(_run_and_commit, step))
	except Exception:
		frappe.db.rollback()
		raise


def _run_and_commit(step: Callable[[], T]) -> T:
	result = step()
	frappe.db.commit()
	return result


def execute(statement: str, values: Any = ()) -> bool:
	"""Execute a statement in the transaction that is open; returns whether it changed a row."""
	frappe.db.sql(statement, values)
	return frappe.db._cursor.rowcount > 0


def _run(statement: str, values: Any) -> bool:
	has_changed = execute(statement, values)
	frappe.db.commit()
	return has_changed


def _retry_on_conflict(step: Callable[[], T]) -> T:
	tries = Retrying(
		retry=retry_if_exception(is_transaction_conflict),
		stop=stop_after_attempt(MOST_TRIES) | stop_after_delay(SECONDS_OF_TRIES),
		wait=wait_random(0, LONGEST_PAUSE),
		before_sleep=lambda _: frappe.db.rollback(),
		reraise=True,
	)
	return tries(step)


def is_transaction_conflict(error: BaseException) -> bool:
	"""Whether a statement, or its whole transaction, was rolled back for another one and may be retried.

	Told by the error number, as not every version of Frappe has an exception for each.
	"""
	return number_of(driver_error(error)) in TRANSACTION_CONFLICTS


def driver_error(error: BaseException) -> BaseException:
	"""Returns the driver's error that a Frappe exception wraps, or the error itself."""
	inner = error.args[0] if error.args else None
	return driver_error(inner) if isinstance(inner, BaseException) else error


def is_before_migrate(error: BaseException) -> bool:
	"""Whether an error says that a table or column is missing, as until a migrate has created this app's."""
	return bool(error.args) and (frappe.db.is_missing_table(error) or frappe.db.is_missing_column(error))
