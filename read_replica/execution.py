# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A run of a scheduled job is executed once, as far as the primary database can tell.

The worker holds a named lock of its database connection while it works, which ends with the connection,
whatever ends that. And it marks the run as executed within the transaction in which the job commits for
the first time, so that the mark and what the job has written are there both or neither. A run that is
neither marked nor locked has left nothing behind, and may be executed again. What a job does outside the
database, such as a request to another system, may be done again with it.
"""

import functools
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import frappe

from read_replica import database
from read_replica.engine.settings import Need
from read_replica.job_rules import rule_for
from read_replica.logs import log_event
from read_replica.servers import this_server


class Work:
	"""One run in the hands of a worker. ScheduledJobType.log_status tells it when the method begins and ends."""

	def __init__(self, run: str, method: str):
		self.run = run
		self.method = method
		self._scope: Any = None

	def begins(self) -> None:
		"""The method is called next, and nothing is uncommitted."""
		_mark_with_first_commit(database.primary_of(frappe.local.db), self.run)
		self._scope = _open_scope(self.method)

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
			_mark(run)
			frappe.db.commit()
			return
		work = Work(run, job_type)
		job = frappe.get_doc("Scheduled Job Type", scheduled_job_type)
		job.flags.read_replica_work = work
		frappe.local.read_replica_run = run
		try:
			job.execute()
		finally:
			work.ends()
		# A job that has committed nothing, on a connection that it has replaced, is executed all the same.
		_mark(run)
		frappe.db.commit()


def begin(run: str, job_type: str) -> bool:
	"""Note that this worker begins a run; False if that was executed. Commits."""
	is_to_do = change(
		"update `tabScheduled Run` set begun_at = utc_timestamp(6), begun_by = %s, attempts = attempts + 1"
		" where name = %s and executed_at is null",
		(f"{this_server()}@{socket.gethostname()}:{os.getpid()}", run),
	)
	if due_at := frappe.db.sql("select due_at from `tabScheduled Run` where name = %s", run):
		move_on(job_type, due_at[0][0])
	if is_to_do:
		_say_if_elsewhere(run)
	return is_to_do


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


def is_going_on(run: str) -> bool:
	"""Whether a worker is executing a run just now."""
	return not frappe.db.sql("select is_free_lock(%s)", _name_of_lock(run))[0][0]


def locks_are_of_one_node() -> bool:
	"""Whether named locks do not hold for all servers that this primary may be: in a Galera cluster."""
	found = frappe.db.sql("show global variables like 'wsrep_on'")
	return bool(found) and found[0][1] == "ON"


def change(statement: str, values: tuple | dict) -> bool:
	"""Run a statement in a transaction of its own; whether it has changed a row.

	Of its own, as an INSERT that finds its row keeps a lock on it, and the UPDATEs of two schedulers
	that both do so would wait for each other.
	"""
	frappe.db.sql(statement, values)
	has_changed = frappe.db._cursor.rowcount > 0
	frappe.db.commit()
	return has_changed


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
	# Locks are the server's, which may hold the databases of several sites.
	text = f"read_replica|{frappe.local.conf.db_name}|{run}"
	return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _mark(run: str) -> None:
	frappe.db.sql(
		"update `tabScheduled Run` set executed_at = utc_timestamp(6) where name = %s and executed_at is null",
		run,
	)


def _mark_with_first_commit(primary: Any, run: str) -> None:
	commit = primary.commit

	@functools.wraps(commit)
	def commit_with_mark(*args, **kwargs):
		primary.commit = commit
		primary.sql(
			"update `tabScheduled Run` set executed_at = utc_timestamp(6)"
			" where name = %s and executed_at is null",
			run,
		)
		commit(*args, **kwargs)

	primary.commit = commit_with_mark


def _open_scope(method: str) -> Any:
	"""The scope of a job whose rule says that it reads from a replica; None without."""
	from read_replica.engine.scope import Scope
	from read_replica.site import router_of_site

	router = router_of_site()
	if not router or rule_for(method).reads != "replica":
		return None
	scope = router.open(Need(), method)
	if not isinstance(scope, Scope):
		return None
	# The rule is somebody's decision: the next run begins on a replica again, though this one may write.
	scope.remembers_writes = False
	return scope
