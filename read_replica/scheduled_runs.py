# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Each due run of a scheduled job is begun once, however many schedulers see that it is due.

Core looks whether a job is due and whether it waits in the queue, and then puts it there: two schedulers
may do so at the same time, and with two Redis queues neither sees what is in the other's. Here a run is
a row on the primary database, named after the job and the time it is due, which all servers work out
alike from the job's last execution. Who inserts the row puts the run into its queue; and who sets
`begun_at` runs it, so that a run which waits in two queues is run by the first worker and left by the
second. Times are the database's, as the servers' clocks differ.
"""

import hashlib
import os
import socket
import time
from datetime import datetime

import frappe

# A claim that old, of a run that neither waits in the queue nor has begun, is of a scheduler that was
# killed in between, or of a queue that has lost its jobs.
SECONDS_UNTIL_LOST = 60

DAYS_KEPT = 1
SECONDS_BETWEEN_CLEANING = 3600
ROWS_AT_A_TIME = 10_000

_cleaned_at: dict[str, float] = {}


def claim(job_type: str, method: str, due: datetime, server_id: str) -> str | None:
	"""Claim a due run for this server's queue, and commit.

	:returns: the run's name; None if it is another scheduler's, or has begun
	"""
	run = _name_of(job_type, due)
	_clean_up()
	if _insert(run, method, due, server_id) or _take_over_lost(run, server_id):
		return run
	_move_on(run, job_type)
	return None


def begin(run: str, job_type: str, worker: str) -> bool:
	"""Whether a worker is the first to begin a run; it then has to run it. Commits."""
	is_first = _change(
		"update `tabScheduled Run` set begun_at = utc_timestamp(6), begun_by = %s"
		" where name = %s and begun_at is null",
		(worker, run),
	)
	_move_on(run, job_type)
	return is_first


def run_once(run: str, job_type: str, scheduled_job_type: str) -> None:
	"""What a worker runs in place of core's run_scheduled_job: the same, unless another one has begun.

	:param job_type: the method, under the name by which core finds it in the queue
	"""
	if frappe.conf.maintenance_mode:
		# Nothing is lost: it is put into the queue again when that is over.
		return
	worker = f"{socket.gethostname()}:{os.getpid()}"
	if begin(run, scheduled_job_type, worker):
		frappe.get_doc("Scheduled Job Type", scheduled_job_type).execute()


def _insert(run: str, method: str, due: datetime, server_id: str) -> bool:
	return _change(
		"insert ignore into `tabScheduled Run`"
		" (name, creation, modified, owner, modified_by, job, due_at, server_id, host, claimed_at)"
		" values (%s, now(6), now(6), %s, %s, %s, %s, %s, %s, utc_timestamp(6))",
		(run, "Administrator", "Administrator", method, due, server_id, socket.gethostname()),
	)


def _take_over_lost(run: str, server_id: str) -> bool:
	return _change(
		"update `tabScheduled Run` set server_id = %s, host = %s, claimed_at = utc_timestamp(6)"
		" where name = %s and begun_at is null and claimed_at < utc_timestamp(6) - interval %s second",
		(server_id, socket.gethostname(), run, SECONDS_UNTIL_LOST),
	)


def _move_on(run: str, job_type: str) -> None:
	"""Let a job whose run has begun be due at its next time.

	Core notes the worker's own time as the last execution: by a clock that is late that is before the
	run was due, which would then be due for ever; and it notes none if the worker dies before.
	"""
	begun = frappe.db.sql(
		"select due_at from `tabScheduled Run` where name = %s and begun_at is not null", run
	)
	if begun:
		_change(
			"update `tabScheduled Job Type` set last_execution = %(due_at)s"
			" where name = %(job_type)s and (last_execution is null or last_execution < %(due_at)s)",
			{"due_at": begun[0][0], "job_type": job_type},
		)


def _clean_up() -> None:
	"""Delete the rows of runs that nobody can take for due any more; once in an hour."""
	site = frappe.local.site
	if time.monotonic() - _cleaned_at.get(site, float("-inf")) < SECONDS_BETWEEN_CLEANING:
		return
	_cleaned_at[site] = time.monotonic()
	_change(
		"delete from `tabScheduled Run` where claimed_at < utc_timestamp(6) - interval %s day limit %s",
		(DAYS_KEPT, ROWS_AT_A_TIME),
	)


def _change(statement: str, values: tuple | dict) -> bool:
	"""Run a statement in a transaction of its own; whether it has changed a row.

	Of its own, as an INSERT that finds its row keeps a lock on it, and the UPDATEs of two schedulers
	that both do so would wait for each other.
	"""
	frappe.db.sql(statement, values)
	has_changed = frappe.db._cursor.rowcount > 0
	frappe.db.commit()
	return has_changed


def _name_of(job_type: str, due: datetime) -> str:
	return hashlib.sha1(f"{job_type}|{due.isoformat()}".encode(), usedforsecurity=False).hexdigest()
