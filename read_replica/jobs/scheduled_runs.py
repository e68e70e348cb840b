# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Rows of Scheduled Run on the primary: each due run of a scheduled job is claimed by one scheduler.

Core checks whether a job is due and whether it waits in the queue, and then enqueues it: two schedulers may
do so at the same time, and with two Redis servers neither sees the other's queue. Here a run is a row, named
after the job and its due time, which all servers compute alike from the job's last execution. The scheduler
that inserts the row enqueues the run. A run that was not executed after a minute, and is not being executed,
is claimed again: its scheduler was killed before it could enqueue it, the queue has lost it, or its worker
was killed. So a run may wait in two queues; `execution` makes sure that it is executed once. All times are
the database's, as the servers' clocks differ.
"""

import hashlib
import socket
import time
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import frappe
from frappe.utils import now, now_datetime

from read_replica.database.bookkeeping import execute_and_commit
from read_replica.database.event_log import log_event
from read_replica.jobs import execution, run_locks
from read_replica.jobs.placement import Place

# A run that waits for longer, and is in no queue that its server can see, is enqueued again.
SECONDS_UNTIL_LOST = 60

# A run whose workers were killed, or failed before the job began, so often is given up: that is no accident
# of a server any more.
MOST_ATTEMPTS = 3

DAYS_KEPT = 1
DAYS_KEPT_IF_NOT_EXECUTED = 30
SECONDS_BETWEEN_CLEANING = 3600
ROWS_AT_A_TIME = 10_000

_cleaned_at: dict[str, float] = {}


class DueRun(NamedTuple):
	"""A run that is due and to be claimed: its Scheduled Job Type, its due time, and where it goes."""

	job: Any
	due_at: datetime
	place: Place

	@property
	def name(self) -> str:
		"""The name of its row, the same on all servers."""
		text = f"{self.job.name}|{self.due_at.isoformat()}"
		return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class UnfinishedRun(NamedTuple):
	"""A run that is not executed a minute after it was claimed, or that a user has asked another server for.

	:param method: the dotted path of the job's method
	:param attempts: how many times a worker has begun it, or failed before it could
	:param claim: the token of the scheduler that claimed it last; None if none has
	:param asked_for: a user has asked for it, so it runs even if the job is stopped
	:param age: seconds since it was claimed
	:param has_begun: whether a worker has begun it since then
	:param begun_by: the last worker that has begun it; None if that has recorded that it could not execute it
	"""

	name: str
	method: str
	job_type: str
	attempts: int
	claim: str | None
	asked_for: bool
	age: float
	due_at: datetime
	has_begun: bool
	begun_by: str | None


def claim(due: Iterable[DueRun]) -> set[str]:
	"""Claim these runs, and commit; returns the names of those that no other scheduler had claimed before.

	Claims all in one statement, because each commit takes time.
	"""
	runs = sorted(due, key=lambda run: run.name)
	if not runs:
		return set()
	token = uuid.uuid4().hex
	rows = [_row(run.name, run.job, run.due_at, run.place, token) for run in runs]
	execute_and_commit(_INSERT + ", ".join([_ROW] * len(rows)), [value for row in rows for value in row])
	mine = {name for (name,) in frappe.db.sql("select name from `tabScheduled Run` where claim = %s", token)}
	if len(mine) < len(runs):
		_set_last_execution_of_begun([run for run in runs if run.name not in mine])
	_clean_up()
	return mine


def request_claimed(job: Any, place: Place) -> str:
	"""Insert a run that the caller enqueues itself, without a commit; returns its name."""
	return _ask_for(job, place, uuid.uuid4().hex)


def request(job: Any, server_id: str) -> str:
	"""Insert a run for the server's next tick to claim, without a commit; returns its name."""
	return _ask_for(job, Place(server_id), None)


def _ask_for(job: Any, place: Place, token: str | None) -> str:
	name = uuid.uuid4().hex
	# Without a token, old enough to count as lost, so that the next tick claims it.
	seconds_ago = 0 if token else SECONDS_UNTIL_LOST + 1
	frappe.db.sql(_INSERT + _ROW, _row(name, job, now_datetime(), place, token, True, seconds_ago))
	return name


def _row(
	name: str,
	job: Any,
	due_at: datetime,
	place: Place,
	token: str | None,
	asked_for: bool = False,
	seconds_ago: float = 0,
) -> tuple:
	host = socket.gethostname()
	made = now()
	of_job = (job.method, job.name, due_at, asked_for)
	return (name, made, made, *of_job, place.server_id, place.taken_from, host, token, seconds_ago)


_INSERT = (
	"insert ignore into `tabScheduled Run` (name, creation, modified, owner, modified_by, job, job_type,"
	" due_at, asked_for, server_id, taken_from, host, claim, claimed_at) values "
)
_ROW = (
	"(%s, %s, %s, 'Administrator', 'Administrator', %s, %s, %s, %s, %s, %s, %s, %s,"
	" utc_timestamp(6) - interval %s second)"
)


def unfinished() -> list[UnfinishedRun]:
	"""Returns the runs to be enqueued again, unless they still wait in a queue or are being executed."""
	rows = frappe.db.sql(
		"select name, job, job_type, attempts, claim, asked_for,"
		" timestampdiff(second, claimed_at, utc_timestamp(6)), due_at, coalesce(begun_at >= claimed_at, 0),"
		" begun_by from `tabScheduled Run`"
		" where executed_at is null and claimed_at < utc_timestamp(6) - interval %s second and attempts < %s"
		" order by claimed_at limit %s",
		(SECONDS_UNTIL_LOST, MOST_ATTEMPTS, ROWS_AT_A_TIME),
	)
	runs = [UnfinishedRun(*row) for row in rows]
	if any(run.begun_by for run in runs) and run_locks.reach() != "everywhere":
		# Locks do not tell which of these are being executed.
		return [run for run in runs if not run.begun_by]
	return runs


def has_pending_run(job: Any) -> bool:
	"""Whether a run of a job is still to be executed; of a stopped job, only one that a user asked for."""
	found = frappe.db.sql(
		"select 1 from `tabScheduled Run` where job_type = %s and executed_at is null and attempts < %s"
		" and (asked_for or not %s) limit 1",
		(job.name, MOST_ATTEMPTS, job.stopped),
	)
	return bool(found)


def reclaim(run: UnfinishedRun, place: Place, failure: str | None = None) -> bool:
	"""Claim an unfinished run again, and commit; False if another scheduler or a worker was faster.

	From when a worker begins it until that ends, only the worker changes its row: see `execution`.

	:param failure: why the last worker that took it from its queue did not execute it, if that is known; it
		counts as an attempt, and the result is False if that was the last one
	"""
	is_ours = execute_and_commit(
		"update `tabScheduled Run` set claim = %s, claimed_at = utc_timestamp(6), server_id = %s,"
		" taken_from = %s, host = %s"
		" where name = %s and executed_at is null and claim <=> %s and attempts = %s",
		(
			uuid.uuid4().hex,
			place.server_id,
			place.taken_from,
			socket.gethostname(),
			run.name,
			run.claim,
			run.attempts,
		),
	)
	return is_ours and (not failure or _count_failed_attempt(run, failure))


def _count_failed_attempt(run: UnfinishedRun, failure: str) -> bool:
	"""Count an attempt that failed before the job began, and commit; False if it was the last one."""
	attempts = run.attempts + (not run.has_begun)
	with execution.suppress_before_migrate():
		execute_and_commit(
			"update `tabScheduled Run` set attempts = %s, begun_by = null, last_error = %s"
			" where name = %s and executed_at is null and attempts = %s",
			(attempts, execution.one_line(failure), run.name, run.attempts),
		)
		# As when a worker begins it: the job's next run becomes due, with its own attempts.
		execution.set_last_execution(run.job_type, run.due_at)
	log_event("not_begun", job=run.method, attempt=attempts, error=failure)
	return attempts < MOST_ATTEMPTS


def are_all_executed(job_type: str) -> bool:
	"""Whether the last claimed runs of a job are all executed or given up; True if there are none."""
	runs = frappe.db.sql(
		"select executed_at is not null or attempts >= %s from `tabScheduled Run` where job_type = %s"
		" order by claimed_at desc limit 20",
		(MOST_ATTEMPTS, job_type),
	)
	return all(is_executed for (is_executed,) in runs)


def _set_last_execution_of_begun(runs: list[DueRun]) -> None:
	"""Move those jobs whose run has begun on to their next due time.

	Core sets the last execution to the worker's own time: by a slow clock, that is before the run was due,
	which would then stay due for ever. And core sets none if the worker is killed before.
	"""
	begun = frappe.db.sql(
		"select job_type, due_at from `tabScheduled Run` where begun_at is not null and name in %s",
		(tuple(run.name for run in runs),),
	)
	for job_type, due_at in begun:
		execution.set_last_execution(job_type, due_at)


def _clean_up() -> None:
	"""Delete the rows of old runs, once an hour."""
	site = frappe.local.site
	if time.monotonic() - _cleaned_at.get(site, float("-inf")) < SECONDS_BETWEEN_CLEANING:
		return
	_cleaned_at[site] = time.monotonic()
	execute_and_commit(
		"delete from `tabScheduled Run` where claimed_at < utc_timestamp(6) - interval %s day"
		" and (executed_at is not null or claimed_at < utc_timestamp(6) - interval %s day) limit %s",
		(DAYS_KEPT, DAYS_KEPT_IF_NOT_EXECUTED, ROWS_AT_A_TIME),
	)
