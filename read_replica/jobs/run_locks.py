# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Named locks (GET_LOCK) on the primary database: the worker that holds a run's lock is executing the run.

A lock ends with its connection, however that ends. Locks help, but are not required: some clusters refuse
them, and in others each node has its own. There, the worker that begins a run first executes it, and a run
that was begun is not begun again unless its worker has recorded that it could not execute it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import frappe

from read_replica.database.bookkeeping import driver_error, is_before_migrate, is_transaction_conflict
from read_replica.engine.dialect import ErrorKind, is_server_error, kind_of, number_of

LockResult = Literal["ours", "another's", "refused"]
Reach = Literal["everywhere", "one node", "nowhere"]

# 1317 the statement was killed, 1969 it reached its time limit.
_INTERRUPTED = (1317, 1969)


@contextmanager
def hold(run: str) -> Iterator[LockResult]:
	"""Hold the lock of a run for the block if it is free; yields whose it is, or that locks are refused.

	:param run: the name of the Scheduled Run
	"""
	name = _lock_name(run)
	got = _ask("select get_lock(%s, 0)", name)
	connection = frappe.db._conn
	whose: LockResult = {1: "ours", 0: "another's"}[got[0][0]] if got and got[0][0] is not None else "refused"
	try:
		yield whose
	finally:
		if whose == "ours" and frappe.db and frappe.db._conn is connection:
			_ask("select release_lock(%s)", name)


def running_job_types(job_types: Iterable[str]) -> set[str]:
	"""Returns which of these Scheduled Job Types have a run that is being executed, as far as locks tell."""
	names = tuple(job_types)
	if not names:
		return set()
	rows = _ask(
		"select job_type from `tabScheduled Run` where job_type in %s"
		" and (executed_at is null or begun_at > utc_timestamp(6) - interval 1 day)"
		" and begun_at is not null and is_used_lock(sha1(concat(%s, name))) is not null",
		(names, _lock_prefix()),
	)
	return {job_type for (job_type,) in rows or ()}


def reach() -> Reach:
	"""Returns how far a lock reaches: a Galera cluster knows it on one node only, or refuses it."""
	name = _lock_name("of nobody")
	if _ask("select get_lock(%s, 0)", name) is None:
		return "nowhere"
	_ask("select release_lock(%s)", name)
	found = frappe.db.sql("show global variables like 'wsrep_on'")
	return "one node" if found and found[0][1] == "ON" else "everywhere"


def _ask(statement: str, values: Any) -> Any:
	"""Returns the rows of a statement that uses a named lock; None where the server refuses such locks."""
	try:
		return frappe.db.sql(statement, values)
	except Exception as error:
		if not _is_refusal(driver_error(error)):
			raise
		return None


def _is_refusal(error: BaseException) -> bool:
	"""Whether the server refuses the statement itself, with 1235, 1105 or others, for good."""
	if number_of(error) in _INTERRUPTED or is_transaction_conflict(error) or is_before_migrate(error):
		return False
	return is_server_error(error) and kind_of(error) not in (ErrorKind.LOST, ErrorKind.TROUBLE)


def _lock_name(run: str) -> str:
	return hashlib.sha1(f"{_lock_prefix()}{run}".encode(), usedforsecurity=False).hexdigest()


def _lock_prefix() -> str:
	# A lock's name is known to the whole server, which may hold the databases of several sites.
	return f"read_replica|{frappe.local.conf.db_name}|"
