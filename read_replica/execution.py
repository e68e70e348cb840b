# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A run of a scheduled job is executed once, as far as the primary database can tell.

The worker holds a named lock of its database connection while it works, which ends with the connection,
whatever ends that, as soon as the database notices. And it marks the run as executed within the
transaction in which the job commits for the first time, so that the mark and what the job has written are
there both or neither. A run that is neither marked nor locked has left nothing behind, and may be executed
again. What a job does outside the database, such as a request to another system, may be done again with it.
"""

import functools
import hashlib
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import frappe

from read_replica import database
from read_replica.job_reads import open_scope
from read_replica.job_rules import rule_for
from read_replica.logs import log_event
from read_replica.own_transaction import change
from read_replica.servers import this_server


class Work:
	"""One run in the hands of a worker. ScheduledJobType.log_status tells it when the method begins and ends."""

	def __init__(self, run: str, method: str):
		self.run = run
		self.method = method
		self.has_begun = False
		self._scope: Any = None

	def begins(self) -> None:
		"""The method is called next, and nothing is uncommitted."""
		if rule_for(self.method).reads == "replica":
			self._scope = open_scope(self.method)
		_mark_with_first_commit(database.primary_of(frappe.local.db), self.run)
		self.has_begun = True

	def ends(self) -> None:
		"""The method has returned or failed."""
		if self._scope:
			self._scope.close()


def run_once(run: str, job_type: str, scheduled_job_type: str) -> None:
	"""What a worker runs in place of core's run_scheduled_job: the same, unless another one has.

	:param job_type: the method, under the name by which core finds it in the queue
	"""
	if frappe.conf.maintenance_mode:
		# Nothing is lost: it is put into the queue again when that is over.
		return
	with _lock(run) as is_ours:
		if not is_ours or not begin(run, scheduled_job_type):
			return
		if not frappe.db.exists("Scheduled Job Type", scheduled_job_type):
			change(_MARK, (run,))
			return
		work = Work(run, job_type)
		job = frappe.get_doc("Scheduled Job Type", scheduled_job_type)
		job.flags.read_replica_work = work
		frappe.local.read_replica_run = run
		try:
			job.execute()
		finally:
			work.ends()
		if work.has_begun:
			# A job that has committed nothing, on a connection that it has replaced, is executed all the same.
			change(_MARK, (run,))


def begin(run: str, job_type: str) -> bool:
	"""Note that this worker begins a run; False if that was executed, or begun elsewhere just now. Commits."""
	found = frappe.db.sql(
		"select due_at, attempts from `tabScheduled Run` where name = %s and executed_at is null", run
	)
	if not found:
		return False
	[[due_at, attempts]] = found
	is_ours = change(
		"update `tabScheduled Run` set begun_at = utc_timestamp(6), begun_by = %s, attempts = attempts + 1"
		" where name = %s and executed_at is null and attempts = %s",
		(f"{this_server()}@{socket.gethostname()}:{os.getpid()}", run, attempts),
	)
	move_on(job_type, due_at)
	if is_ours:
		_say_if_elsewhere(run)
	return is_ours


def _say_if_elsewhere(run: str) -> None:
	[[server_id, job]] = frappe.db.sql("select server_id, job from `tabScheduled Run` where name = %s", run)
	if server_id != this_server():
		log_event("wrong_server", job=job, server_id=server_id, executed_on=this_server())


def move_on(job_type: str, due_at: Any) -> None:
	"""Let a job be due at its next time after this one. Commits."""
	change(
		"update `tabScheduled Job Type` set last_execution = %(due_at)s"
		" where name = %(job_type)s and (last_execution is null or last_execution < %(due_at)s)",
		{"due_at": due_at, "job_type": job_type},
	)


def going_on(job_types: Iterable[str]) -> set[str]:
	"""Those of these jobs of which a worker is executing a run just now, on whichever server."""
	names = tuple(job_types)
	if not names:
		return set()
	rows = frappe.db.sql(
		"select job_type from `tabScheduled Run` where job_type in %s"
		" and begun_at > utc_timestamp(6) - interval 1 day and is_used_lock(sha1(concat(%s, name))) is not null",
		(names, _prefix_of_locks()),
	)
	return {job_type for (job_type,) in rows}


def locks_are_of_one_node() -> bool:
	"""Whether named locks do not hold for all servers that this primary may be: in a Galera cluster."""
	found = frappe.db.sql("show global variables like 'wsrep_on'")
	return bool(found) and found[0][1] == "ON"


@contextmanager
def _lock(run: str) -> Iterator[bool]:
	name = _name_of_lock(run)
	is_ours = frappe.db.sql("select get_lock(%s, 0)", name)[0][0] == 1
	connection = frappe.db._conn
	try:
		yield is_ours
	finally:
		if is_ours and frappe.db and frappe.db._conn is connection:
			frappe.db.sql("select release_lock(%s)", name)


def _name_of_lock(run: str) -> str:
	return hashlib.sha1(f"{_prefix_of_locks()}{run}".encode(), usedforsecurity=False).hexdigest()


def _prefix_of_locks() -> str:
	# Locks are the server's, which may hold the databases of several sites.
	return f"read_replica|{frappe.local.conf.db_name}|"


_MARK = "update `tabScheduled Run` set executed_at = utc_timestamp(6) where name = %s and executed_at is null"


def _mark_with_first_commit(primary: Any, run: str) -> None:
	"""Mark the run in the transaction of the next commit of the primary's that succeeds."""
	commit = primary.commit

	@functools.wraps(commit)
	def commit_with_mark(*args, **kwargs):
		if primary._conn:
			# Not through Frappe, which would count it among the job's own writes.
			with primary._conn.cursor() as cursor:
				cursor.execute(_MARK, (run,))
		commit(*args, **kwargs)
		if not getattr(primary, "_disable_transaction_control", 0):
			primary.commit = commit

	primary.commit = commit_with_mark
