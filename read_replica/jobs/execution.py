# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A run of a scheduled job is executed once, as far as the primary database can tell.

The worker holds a named lock while it works (see `run_locks`). And it marks the run as executed within the
transaction in which the job commits for the first time, so that the mark and what the job has written are
there both or neither. A run that is neither marked nor locked has left nothing behind, and may be executed
again: so it is where its worker was killed, where it could not begin, and where the database has ended it in
favour of another. What a job does outside the database, such as a request to another system, may be done
again with it.

From the moment a worker begins until it has ended, nobody else changes the row of its run, so that the mark
is not refused for the job's view of the table. If another worker has begun the run all the same, as the
lock went with its connection, the mark is refused, and so is the job's commit: only one of them counts.
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
	"""Another worker has begun a run, whose job must not commit here as well."""


class Execution:
	"""One run in the hands of a worker. ScheduledJobType.log_status tells it when the method begins and ends.

	:param attempt: the number of the worker that has begun this run
	:param job_type: the name of its Scheduled Job Type
	:param due_at: when it was due; or asked for
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
		self.has_begun = False
		self.is_commit_in_doubt = False
		self.has_committed = False
		self.error: BaseException | None = None
		self._scope: Any = None
		self._primary: Any = None
		self._commit: Any = None

	def before_method(self) -> None:
		"""The method is called next, and nothing is uncommitted."""
		rule = rule_for(self.method)
		# The method may wait for long before its first statement: what was read until now is not its view.
		frappe.db.commit()
		if rule.reads == "replica":
			self._scope = open_scope(self.method, rule.need)
		self._mark_with_first_commit(primary_of(frappe.local.db))
		self.has_begun = True

	def after_method(self, error: BaseException | None = None) -> None:
		"""The method has returned or failed; what is committed from now on is not the job's."""
		self.error = self.error or error
		if self._scope:
			self._scope.close()
		self._restore_commit()

	def finish_without_log_status(self) -> None:
		"""Another app's class has executed the job, and said neither when it begins nor when it ends."""
		if self.error:
			# What core does with a job that fails.
			frappe.db.rollback()
		else:
			self._mark_with_first_commit(primary_of(frappe.local.db))
			frappe.db.commit()
			self._restore_commit()
		self.has_begun = True

	def _mark_with_first_commit(self, primary: Any) -> None:
		"""Mark the run in the transaction of the next commit of the primary's that succeeds."""
		self._primary, self._commit = primary, primary.commit

		@functools.wraps(primary.commit)
		def commit_with_mark(*args, **kwargs):
			if getattr(primary, "_disable_transaction_control", 0):
				return self._commit(*args, **kwargs)
			if not primary._conn:
				# Closed, or not used yet: nothing is committed.
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
		# Not through Frappe, which would count it among the job's own writes.
		with connection.cursor() as cursor:
			cursor.execute(_MARK_EXECUTED, (self.run, self.attempt))
			if cursor.rowcount:
				return
			cursor.execute(
				"select attempts from `tabScheduled Run` where name = %s lock in share mode", (self.run,)
			)
			# It is there already where an earlier commit went well, and what followed that did not.
			if any(attempts != self.attempt for (attempts,) in cursor.fetchall()):
				raise BegunElsewhere(
					f"{self.method}: another worker executes this run as well, as the lock of this one was"
					" lost with its database connection. Nothing was committed here."
				)


def run_once(
	run: str, job_type: str, scheduled_job_type: str, instead: tuple[Any, dict] | None = None
) -> None:
	"""What a worker runs in place of core's run_scheduled_job: the same, unless another one has.

	:param job_type: the method, under the name by which core finds it in the queue
	:param instead: the function, with its arguments, that another app has put into the queue in core's place
	"""
	if frappe.conf.maintenance_mode:
		# Nothing is lost: it is put into the queue again when that is over.
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
		# What core does with a job that fails: no bookkeeping commits what it has left.
		frappe.db.rollback()
		if execution.is_execute_called and (execution.has_begun or not execution.is_log_status_called):
			# Core's `execute` raises nothing that its job has raised; what another app's raises is no reason to
			# execute the job again.
			_finish(execution)
		else:
			_note_not_executed(execution)
		raise
	finally:
		frappe.local.read_replica_work = None
		execution.after_method()
	_finish(execution)


def _is_ready(execution: Execution) -> bool:
	"""Whether the job of a run is still there; if not, the run is forgotten."""
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
		# A job that has committed nothing, on a connection that it has replaced, is executed all the same.
		execute_and_commit(_MARK_EXECUTED, (execution.run, execution.attempt))
	else:
		_note_not_executed(execution)


def _was_rolled_back_by_conflict(execution: Execution) -> bool:
	"""Whether the database has ended the job's transaction in favour of another, and it has committed none."""
	return bool(execution.error) and not execution.has_committed and is_transaction_conflict(execution.error)


def take_for(job: Any) -> Execution | None:
	"""The run that this worker has in hand, if it is of this Scheduled Job Type, whose `execute` takes it."""
	execution = getattr(frappe.local, "read_replica_work", None)
	if not execution or execution.is_execute_called or execution.job_type != job.name:
		return None
	execution.is_execute_called = True
	return execution


def _note_not_executed(execution: Execution) -> None:
	"""The job could not begin, or nothing of it was committed; unless the run is marked."""
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
	"""Note that this worker begins a run, and commit; the number of the worker.

	0 if the run was executed, or begun elsewhere just now. The job is due at its next time from now on.
	"""
	found = frappe.db.sql(
		"select due_at, attempts, begun_by from `tabScheduled Run` where name = %s and executed_at is null",
		run,
	)
	if not found or lock == "another's":
		return 0
	[[due_at, attempts, begun_by]] = found
	if begun_by and (lock == "refused" or run_locks.reach() != "everywhere"):
		# Its worker may still be at work, where this lock does not tell.
		return 0
	set_last_execution(job_type, due_at)
	is_ours = execute_and_commit(
		"update `tabScheduled Run` set begun_at = utc_timestamp(6), begun_by = %s, attempts = attempts + 1"
		" where name = %s and executed_at is null and attempts = %s",
		(f"{this_server()}@{socket.gethostname()}:{os.getpid()}", run, attempts),
	)
	return attempts + 1 if is_ours else 0


def delete_run(run: str, attempts: int = 0) -> None:
	"""Forget a run that is not to be executed, unless another worker has begun it meanwhile. Commits."""
	execute_and_commit(
		"delete from `tabScheduled Run` where name = %s and executed_at is null and attempts = %s",
		(run, attempts),
	)


def set_last_execution(job_type: str, due_at: Any) -> None:
	"""Let a job be due at its next time after this one. Commits."""
	execute_and_commit(
		"update `tabScheduled Job Type` set last_execution = %(due_at)s"
		" where name = %(job_type)s and (last_execution is null or last_execution < %(due_at)s)",
		{"due_at": due_at, "job_type": job_type},
	)


def one_line(error: str) -> str:
	"""An error, as short as a row and a list can show it."""
	return " ".join(error.split())[:LONGEST_ERROR]


@contextmanager
def suppress_before_migrate() -> Iterator[None]:
	"""What needs a column that a migrate is yet to make is left out until then."""
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
