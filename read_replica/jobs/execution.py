# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Executes each run of a scheduled job once, as far as the primary database can tell.

The worker holds a named lock while it works (see `run_locks`), and sets `executed_at` in the run's row within
the transaction of the job's first commit: that mark and what the job wrote are committed together, or neither
is. A run that is neither marked nor locked has committed nothing and may be executed again: its worker was
killed, it could not begin, or a transaction conflict rolled it back. What a job does outside the database,
such as a request to another system, may then be done twice.

From the moment a worker begins a run until it ends, nobody else changes the run's row: otherwise the mark
could fail, because the job's transaction reads an older snapshot. If another worker begins the run all the
same, since the lock was lost with its database connection, the mark is refused and with it the job's commit:
only one of the two workers commits.
"""

import functools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import frappe

from read_replica.core.class_overrides import JOB_TYPE
from read_replica.database.bookkeeping import execute_and_commit, is_before_migrate, is_transaction_conflict
from read_replica.database.event_log import log_event
from read_replica.database.routed import primary_of
from read_replica.jobs import run_locks
from read_replica.jobs.replica_reads import open_scope
from read_replica.jobs.rules import rule_for
from read_replica.jobs.run_locks import LockResult
from read_replica.jobs.servers import this_server

LONGEST_ERROR = 500


class BegunElsewhere(Exception):
	"""Raised at a job's commit if another worker has begun the same run, so that only one of them commits."""


class Execution:
	"""A run that a worker executes; ScheduledJobType.log_status calls its before_method and after_method.

	:param run: the name of the Scheduled Run
	:param method: the dotted path of the job's method
	:param attempt: which attempt at this run it is, from 1
	:param job_type: the name of its Scheduled Job Type
	:param due_at: when the run was due, or was asked for
	"""

	def __init__(
		self, run: str, method: str, attempt: int, job_type: str = "", due_at: datetime | None = None
	):
		self.run = run
		self.method = method
		self.attempt = attempt
		self.job_type = job_type
		self.due_at = due_at
		self.is_execute_called = False
		self.is_log_status_called = False
		# The method was called, as far as that is known.
		self.has_begun = False
		# A commit that marks the run has failed, and the database may have made it all the same.
		self.is_commit_in_doubt = False
		self.has_committed = False
		self.error: BaseException | None = None
		self._scope: Any = None
		self._primary: Any = None
		self._commit: Any = None

	def before_method(self) -> None:
		"""Commit, open a replica scope if the job's rule wants one, and let the next commit mark the run."""
		rule = rule_for(self.method)
		# The method may wait for long before its first statement, which must not read an older snapshot then.
		frappe.db.commit()
		if rule.reads == "replica":
			self._scope = open_scope(self.method, rule.need)
		self._mark_with_first_commit(primary_of(frappe.local.db))
		self.has_begun = True

	def after_method(self, error: BaseException | None = None) -> None:
		"""Close the replica scope and restore commit: the method has returned, or failed with this error.

		May be called again; the first error is kept.
		"""
		self.error = self.error or error
		if self._scope:
			self._scope.close()
		self._restore_commit()

	def finish_without_log_status(self) -> None:
		"""Mark and commit, or roll back, for another app's class that executes without log_status."""
		if self.error:
			# As core does when a job fails.
			frappe.db.rollback()
		else:
			self._mark_with_first_commit(primary_of(frappe.local.db))
			frappe.db.commit()
			self._restore_commit()
		self.has_begun = True

	def _mark_with_first_commit(self, primary: Any) -> None:
		"""Replace the primary's commit until one succeeds: it marks the run in the same transaction."""
		self._primary, self._commit = primary, primary.commit

		@functools.wraps(primary.commit)
		def commit_with_mark(*args: Any, **kwargs: Any) -> Any:
			if getattr(primary, "_disable_transaction_control", 0):
				return self._commit(*args, **kwargs)
			if not primary._conn:
				# Without an open connection, nothing is committed.
				return self._commit(*args, **kwargs)
			self.is_commit_in_doubt = True
			self._mark_executed(primary._conn)
			self._commit(*args, **kwargs)
			self.is_commit_in_doubt, self.has_committed = False, True
			self._restore_commit()

		primary.commit = commit_with_mark

	def _restore_commit(self) -> None:
		if self._primary:
			self._primary.commit, self._primary = self._commit, None

	def _mark_executed(self, connection: Any) -> None:
		# Not through frappe.db.sql, which would count it among the job's own writes.
		with connection.cursor() as cursor:
			cursor.execute(_MARK_EXECUTED, (self.run, self.attempt))
			if cursor.rowcount:
				return
			cursor.execute(
				"select attempts from `tabScheduled Run` where name = %s lock in share mode", (self.run,)
			)
			# It may be marked already, by an earlier commit that went well and whose callbacks then failed.
			if any(attempts != self.attempt for (attempts,) in cursor.fetchall()):
				raise BegunElsewhere(
					f"{self.method}: another worker executes this run as well, as the lock of this one was"
					" lost with its database connection. Nothing was committed here."
				)


def run_once(
	run: str, job_type: str, scheduled_job_type: str, instead: tuple[Any, dict] | None = None
) -> None:
	"""Execute a run in a worker, as core's run_scheduled_job does, unless another worker has executed it.

	:param run: the name of the Scheduled Run
	:param job_type: the job's method; core finds a scheduled job in a queue by this argument
	:param scheduled_job_type: the name of the Scheduled Job Type
	:param instead: the function and arguments that another app's own `enqueue` has given to RQ
	:raises Exception: of the preparation, or another app's class; core's `execute` logs its job's errors
	"""
	if frappe.conf.maintenance_mode:
		# Nothing is lost: the scheduler enqueues the run again after the maintenance.
		return
	with run_locks.hold(run) as lock:
		attempt = begin_attempt(run, scheduled_job_type, lock)
		if not attempt:
			return
		_execute(Execution(run, job_type, attempt, scheduled_job_type), instead)


def _execute(execution: Execution, instead: tuple[Any, dict] | None) -> None:
	frappe.local.read_replica_work, frappe.local.read_replica_run = execution, execution.run
	try:
		if not _is_ready(execution):
			return
		if instead:
			method, arguments = instead
			(frappe.get_attr(method) if isinstance(method, str) else method)(**arguments)
		else:
			frappe.get_doc(JOB_TYPE, execution.job_type).execute()
	except Exception as error:
		execution.after_method(error)
		# As core does when a job fails: else our next statement would commit what the job has left.
		frappe.db.rollback()
		if execution.is_execute_called and (execution.has_begun or not execution.is_log_status_called):
			# The job itself was executed: core's `execute` does not raise its job's errors, and an error of
			# another app's `execute` is no reason to execute the job again.
			_finish(execution)
		else:
			_note_not_executed(execution)
		raise
	finally:
		frappe.local.read_replica_work = None
		execution.after_method()
	_finish(execution)


def _is_ready(execution: Execution) -> bool:
	"""Load when the run was due; if its Scheduled Job Type is gone, delete the run and return False."""
	server_id, execution.due_at = frappe.db.get_value("Scheduled Run", execution.run, ("server_id", "due_at"))
	if server_id != this_server():
		log_event("wrong_server", job=execution.method, server_id=server_id, executed_on=this_server())
	if frappe.db.exists(JOB_TYPE, execution.job_type):
		return True
	log_event("not_executed", job=execution.method, error="its Scheduled Job Type is not there any more")
	delete_run(execution.run, execution.attempt)
	return False


def _finish(execution: Execution) -> None:
	if not execution.is_log_status_called:
		execution.finish_without_log_status()
	if (
		execution.has_begun
		and not execution.is_commit_in_doubt
		and not _was_rolled_back_by_conflict(execution)
	):
		# Its commits may not have marked it: it made none, or replaced its connection.
		execute_and_commit(_MARK_EXECUTED, (execution.run, execution.attempt))
	else:
		_note_not_executed(execution)


def _was_rolled_back_by_conflict(execution: Execution) -> bool:
	"""Whether a transaction conflict has rolled back the job before its first commit."""
	return bool(execution.error) and not execution.has_committed and is_transaction_conflict(execution.error)


def take_for(job: Any) -> Execution | None:
	"""Returns this worker's execution for the first call of this Scheduled Job Type's `execute`, else None.

	:param job: the document of Scheduled Job Type
	"""
	execution = getattr(frappe.local, "read_replica_work", None)
	if not execution or execution.is_execute_called or execution.job_type != job.name:
		return None
	execution.is_execute_called = True
	return execution


def _note_not_executed(execution: Execution) -> None:
	"""Record in the run's row why it was not executed, unless it is marked or another attempt has begun."""
	error = one_line(f"{type(execution.error).__name__}: {execution.error}")
	with suppress_before_migrate():
		is_noted = execute_and_commit(
			"update `tabScheduled Run` set begun_by = null, last_error = %s"
			" where name = %s and executed_at is null and attempts = %s",
			(error, execution.run, execution.attempt),
		)
		if is_noted:
			log_event("not_executed", job=execution.method, error=error)


def begin_attempt(run: str, job_type: str, lock: LockResult) -> int:
	"""Record that this worker begins a run, and commit; returns the number of the attempt, from 1.

	Returns 0 if the run must not be executed here: it was executed already, or another worker is executing it
	or may be. Also moves the job on to its next due time.
	"""
	found = frappe.db.sql(
		"select due_at, attempts, begun_by from `tabScheduled Run` where name = %s and executed_at is null",
		run,
	)
	if not found or lock == "another's":
		return 0
	[[due_at, attempts, begun_by]] = found
	if begun_by and (lock == "refused" or run_locks.reach() != "everywhere"):
		# The worker that began it may still be at work, as the lock cannot tell here.
		return 0
	set_last_execution(job_type, due_at)
	is_ours = execute_and_commit(
		"update `tabScheduled Run` set begun_at = utc_timestamp(6), begun_by = %s, attempts = attempts + 1"
		" where name = %s and executed_at is null and attempts = %s",
		(f"{this_server()}@{socket.gethostname()}:{os.getpid()}", run, attempts),
	)
	return attempts + 1 if is_ours else 0


def delete_run(run: str, attempts: int = 0) -> None:
	"""Delete a run that is not to be executed, unless another worker has begun it since. Commits."""
	execute_and_commit(
		"delete from `tabScheduled Run` where name = %s and executed_at is null and attempts = %s",
		(run, attempts),
	)


def set_last_execution(job_type: str, due_at: Any) -> None:
	"""Set a job's last execution to this time, unless it is later already, and commit."""
	execute_and_commit(
		"update `tabScheduled Job Type` set last_execution = %(due_at)s"
		" where name = %(job_type)s and (last_execution is null or last_execution < %(due_at)s)",
		{"due_at": due_at, "job_type": job_type},
	)


def one_line(error: str) -> str:
	"""Returns an error's text on one line, cut to 500 characters."""
	return " ".join(error.split())[:LONGEST_ERROR]


@contextmanager
def suppress_before_migrate() -> Iterator[None]:
	"""Roll back and go on if the block fails because a migrate has not created a table or column yet."""
	try:
		yield
	except Exception as error:
		if not is_before_migrate(error):
			raise
		frappe.db.rollback()


_MARK_EXECUTED = (
	"update `tabScheduled Run` set executed_at = utc_timestamp(6)"
	" where name = %s and executed_at is null and attempts = %s"
)
