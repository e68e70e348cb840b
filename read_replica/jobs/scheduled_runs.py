# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Each due run of a scheduled job, as a row on the primary: claimed by one scheduler.

Core looks whether a job is due and whether it waits in the queue, and then puts it there: two schedulers
may do so at the same time, and with two Redis queues neither sees what is in the other's. Here a run is
a row, named after the job and the time it is due, which all servers work out alike from the job's last
execution. Who inserts the row puts the run into its queue. A row whose run was not executed after a
minute, and is not being executed, is claimed again: its scheduler was killed before it could put it into
a queue, the queue has lost it, or its worker was killed. So a run may wait in two queues; `execution`
sees to it that it is executed once. Times are the database's, as the servers' clocks differ.
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

# A run that waits for longer, and is in no queue that its server can see, is put into one again.
SECONDS_UNTIL_LOST = 60

# A run whose workers were killed, or failed before it began, as often is not the accident of a server any more.
MOST_ATTEMPTS = 3

DAYS_KEPT = 1
DAYS_KEPT_IF_NOT_EXECUTED = 30
SECONDS_BETWEEN_CLEANING = 3600
ROWS_AT_A_TIME = 10_000

_cleaned_at: dict[str, float] = {}


class DueRun(NamedTuple):
	"""A run that is due: the row of its Scheduled Job Type, the time, and where it goes."""

	job: Any
	due_at: datetime
	place: Place

	@property
	def name(self) -> str:
		text = f"{self.job.name}|{self.due_at.isoformat()}"
		return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class UnfinishedRun(NamedTuple):
	"""A run that was not executed, a minute after it was put into a queue or asked for.

	:param asked_for: somebody wants it to run, also where the job is stopped
	:param age: seconds since then
	:param has_begun: a worker has begun it since then
	:param begun_by: the last worker that has begun it, if that has not said that it could not execute it
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
	"""Claim these runs for their queues, and commit; the names of those that nobody else has claimed.

	In one statement, as each commit takes its time.
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
	"""A run that somebody asks for, claimed for its queue, within the caller's transaction; its name."""
	return _ask_for(job, place, uuid.uuid4().hex)


def request(job: Any, server_id: str) -> str:
	"""A run that somebody asks for, which the scheduler of that server claims at its next tick, likewise."""
	return _ask_for(job, Place(server_id), None)


def _ask_for(job: Any, place: Place, token: str | None) -> str:
	name = uuid.uuid4().hex
	# What nobody has claimed is taken for lost, and so claimed at the next tick.
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
	"""The runs that are to be put into a queue again, unless they still wait in one."""
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
		# A run that is being executed looks as if it was not.
		return [run for run in runs if not run.begun_by]
	return runs


def has_pending_run(job: Any) -> bool:
	"""Whether a run of a job is going to be executed: of one that is stopped, only what was asked for is."""
	found = frappe.db.sql(
		"select 1 from `tabScheduled Run` where job_type = %s and executed_at is null and attempts < %s"
		" and (asked_for or not %s) limit 1",
		(job.name, MOST_ATTEMPTS, job.stopped),
	)
	return bool(found)


def reclaim(run: UnfinishedRun, place: Place, failure: str | None = None) -> bool:
	"""Claim an unfinished run for its queue; False if another scheduler or a worker was faster. Commits.

	Once a worker has begun it, its row is the worker's: see `execution`.

	:param failure: why the worker that took it out of the queue last did not execute it, as far as that is
		known. It counts as an attempt; False if that was the last one.
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
	"""Count an attempt that failed before its job began; whether there may be another one. Commits."""
	attempts = run.attempts + (not run.has_begun)
	with execution.suppress_before_migrate():
		execute_and_commit(
			"update `tabScheduled Run` set attempts = %s, begun_by = null, last_error = %s"
			" where name = %s and executed_at is null and attempts = %s",
			(attempts, execution.one_line(failure), run.name, run.attempts),
		)
		# As if it had begun: the job's next run has its own attempts.
		execution.set_last_execution(run.job_type, run.due_at)
	log_event("not_begun", job=run.method, attempt=attempts, error=failure)
	return attempts < MOST_ATTEMPTS


def are_all_executed(job_type: str) -> bool:
	"""Whether all runs of a job that were claimed are executed, or given up; there need not be any."""
	runs = frappe.db.sql(
		"select executed_at is not null or attempts >= %s from `tabScheduled Run` where job_type = %s"
		" order by claimed_at desc limit 20",
		(MOST_ATTEMPTS, job_type),
	)
	return all(is_executed for (is_executed,) in runs)


def _set_last_execution_of_begun(runs: list[DueRun]) -> None:
	"""Let jobs whose run has begun be due at their next time.

	Core notes the worker's own time as the last execution: by a clock that is late that is before the
	run was due, which would then be due for ever; and it notes none if the worker dies before.
	"""
	begun = frappe.db.sql(
		"select job_type, due_at from `tabScheduled Run` where begun_at is not null and name in %s",
		(tuple(run.name for run in runs),),
	)
	for job_type, due_at in begun:
		execution.set_last_execution(job_type, due_at)


def _clean_up() -> None:
	"""Delete the rows of runs that nobody can take for due any more; once in an hour."""
	site = frappe.local.site
	if time.monotonic() - _cleaned_at.get(site, float("-inf")) < SECONDS_BETWEEN_CLEANING:
		return
	_cleaned_at[site] = time.monotonic()
	execute_and_commit(
		"delete from `tabScheduled Run` where claimed_at < utc_timestamp(6) - interval %s day"
		" and (executed_at is not null or claimed_at < utc_timestamp(6) - interval %s day) limit %s",
		(DAYS_KEPT, DAYS_KEPT_IF_NOT_EXECUTED, ROWS_AT_A_TIME),
	)
