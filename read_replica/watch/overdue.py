# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Finds scheduled jobs that should have run by now and have not, and the reason where it is known."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import frappe
from frappe.utils import now_datetime
from frappe.utils.scheduler import get_scheduler_tick, is_scheduler_inactive
from redis.exceptions import RedisError

from read_replica.engine.sentence import Sentence
from read_replica.jobs import due_times, queues, run_locks, scheduled_runs, servers, tick_problems
from read_replica.jobs.rules import rule_for

TICKS_UNTIL_OVERDUE = 2

# Core spreads the starts of long jobs over ten minutes.
SECONDS_LONG_JOBS_ARE_SPREAD_OVER = 600


def problems() -> list[str]:
	"""Returns a sentence for each reason why jobs are overdue, with their names.

	A job is overdue if it should have begun more than two ticks of its server ago.
	"""
	by_reason = defaultdict(list)
	for method, reason in reasons().items():
		by_reason[reason].append(method)
	return [
		Sentence("Overdue: {0}: {1}.", ", ".join(sorted(methods)), reason)
		for reason, methods in sorted(by_reason.items())
	]


def reasons() -> dict[str, str]:
	"""Returns the reason for each job that is overdue, a Sentence, by its method."""
	jobs = _overdue()
	if not jobs:
		return {}
	return {job.method: reason for job, reason in zip(jobs, _reasons(jobs), strict=True)}


def _overdue() -> list[Any]:
	jobs = due_times.jobs({"stopped": 0})
	ticks, created = _seconds_between_ticks(), _last_run_created()
	return [job for job in jobs if _is_overdue(job, ticks, created.get(job.name))]


def _is_overdue(job: Any, ticks: dict[str, float], run_created_at: datetime | None) -> bool:
	"""Returns whether a job was due too long ago.

	A run that is not executed yet counts from when it was first claimed: it may have been a moment ago.
	"""
	try:
		server_id = rule_for(job.method).server_id
		late = TICKS_UNTIL_OVERDUE * max(ticks.get(server_id, 0), get_scheduler_tick())
		late += SECONDS_LONG_JOBS_ARE_SPREAD_OVER if "Long" in job.frequency else 0
		since = max(due_times.next_due(job), run_created_at or datetime.min)
		# Ask the job as well: the class of another app may call it due on working days only.
		return since + timedelta(seconds=late) < now_datetime() and due_times.is_due(job)
	except Exception:
		# It cannot be said when the job is due; the scheduler's tick reports the same error.
		return False


def _last_run_created() -> dict[str, datetime]:
	"""Returns when the last run was created, for each job with runs that are not executed yet."""
	return dict(
		frappe.db.sql(
			"select job_type, max(creation) from `tabScheduled Run` where executed_at is null group by job_type"
		)
	)


def _seconds_between_ticks() -> dict[str, float]:
	return dict(
		frappe.db.sql(
			"select server_id, max(seconds_between_ticks) from `tabJob Server` group by binary server_id"
		)
	)


def _reasons(jobs: list[Any]) -> list[str]:
	names = [job.name for job in jobs]
	known = servers.load()
	executed_now = run_locks.running_job_types(names)
	runs = _claimed_runs(names)
	try:
		in_redis = queues.states([due_times.rq_job_id(job) for job in jobs])
		waiting = queues.QueueLists()
	except RedisError as error:
		return [Sentence("Redis, which holds the queues, does not answer: {0}", error)] * len(jobs)
	from_ticks = tick_problems.sentences()
	return [
		_reason(job, known, job.name in executed_now, runs.get(job.name), in_redis, waiting, from_ticks)
		for job in jobs
	]


def _reason(
	job: Any,
	known: dict,
	is_executed: bool,
	run: Any,
	in_redis: dict,
	waiting: queues.QueueLists,
	from_ticks: list[str],
) -> str:
	if is_executed:
		return Sentence("an earlier run of it is being executed")
	rule = rule_for(job.method)
	server = known.get(rule.server_id)
	if not server or not server.was_seen:
		return Sentence("no server {0} was ever seen", repr(rule.server_id))
	if server.is_gone(rule.takeover_after):
		minutes = f"{server.age / 60:.0f}"
		return Sentence("its server {0} was last seen {1} min ago", repr(rule.server_id), minutes)
	job_id = due_times.rq_job_id(job)
	state = in_redis[job_id]
	if state.status == "queued" and waiting.contains(state.origin, job_id):
		return Sentence(
			"it waits in the queue {0}, which no worker has worked off so far", repr(state.origin)
		)
	if state.status == "queued":
		return Sentence("RQ calls it queued, but it is in no queue; the next tick puts it there")
	if state.status == "started":
		return Sentence(
			"RQ takes it for being executed, though no worker says so; a tick puts it into a queue again"
		)
	named = [sentence for sentence in from_ticks if job.method in sentence]
	if named:
		return named[0]
	if run:
		attempts, host = run
		if attempts >= scheduled_runs.MOST_ATTEMPTS:
			return Sentence("its run was given up after {0} attempts; see Scheduled Run", attempts)
		return Sentence(
			"its run was claimed on {0} and has not ended ({1} attempts); see Scheduled Run", host, attempts
		)
	if is_scheduler_inactive(verbose=False):
		return Sentence("the scheduler is switched off for this site")
	return Sentence(
		"the scheduler of server {0} has not claimed it, and nobody knows why", repr(rule.server_id)
	)


def _claimed_runs(names: list[str]) -> dict[str, tuple[int, str]]:
	"""Returns the attempts and the host of the last claimed run of each job, if that is not executed yet."""
	rows = frappe.db.sql(
		"select job_type, attempts, host from `tabScheduled Run` where job_type in %s and executed_at is null"
		" order by claimed_at",
		(tuple(names),),
	)
	return {job_type: (attempts, host) for job_type, attempts, host in rows}
