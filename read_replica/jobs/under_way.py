# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells which scheduled jobs wait in a queue or are being executed, by named locks and by RQ.

RQ's word alone does not tell: for some time it calls a job queued or started whose worker was killed.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import frappe

from read_replica.core import rq_data
from read_replica.jobs import due_times, queues, run_locks, scheduled_runs
from read_replica.jobs.scheduled_runs import UnfinishedRun

# RQ's workers write every 30 seconds which job they work on.
SECONDS_A_WORKER_IS_TRUSTED = 90

# The longest time between RQ's two commands that enqueue or take a job: its status, and the list.
SECONDS_BETWEEN_TWO_COMMANDS = 60

# By site and job, where Redis does not tell since when a job is queued: since when it was seen in no queue,
# by time.monotonic(). It counts as lost if it still is at another tick.
_not_in_its_queue_since: dict[tuple[str, str], float] = {}
SECONDS_OF_ANOTHER_TICK = 30
MOST_LOST = 1000


def _unguarded(_name: str, step: Callable[[], Any], otherwise: Any = None) -> Any:
	return step()


def is_under_way(job: Any) -> bool:
	"""Whether a job waits in a queue on this server's Redis, or is being executed."""
	return bool(jobs_under_way([job]))


def jobs_under_way(jobs: list[Any], guard: Callable = _unguarded) -> set[str]:
	"""Returns the names of those jobs that wait in a queue on this Redis, or are being executed anywhere.

	:param jobs: rows or documents of Scheduled Job Type
	:param guard: `Problems.guard`: a job of which this cannot be told counts as not under way; its run is
		executed once all the same
	"""
	under_way = set(guard("going on", lambda: run_locks.running_job_types([job.name for job in jobs]), ()))
	found = {job.name: guard(job.method, partial(due_times.rq_job_id, job)) for job in jobs}
	ids = {name: job_id for name, job_id in found.items() if job_id}
	states = guard("states of jobs", lambda: queues.states(list(ids.values())), {})
	lists = queues.QueueLists()
	for job in jobs:
		state = states.get(ids.get(job.name))
		if state and guard(job.method, partial(_is_alive, job.name, ids[job.name], state, lists), False):
			under_way.add(job.name)
	return under_way


def _is_alive(job_type: str, job_id: str, state: rq_data.JobData, lists: queues.QueueLists) -> bool:
	"""Whether a job really waits, or is executed, as its status in RQ says."""
	if state.status == "queued" and not lists.contains(state.origin, job_id, state.queued_age):
		return not _is_lost(job_id, state.queued_age)
	_not_in_its_queue_since.pop((frappe.local.site, job_id), None)
	return state.status == "queued" or (state.status == "started" and not _is_over(job_type, state))


def _is_lost(job_id: str, age: float | None) -> bool:
	"""Whether a job that has the status "queued", and is in no queue, is lost.

	RQ sets the status just before it adds the job to the list, and changes it just after a worker has taken
	the job from there; a process that is killed between the two leaves the job like this.

	:param age: seconds since it was enqueued, if that is known
	"""
	if age is not None:
		return age > SECONDS_BETWEEN_TWO_COMMANDS
	if len(_not_in_its_queue_since) >= MOST_LOST:
		_not_in_its_queue_since.clear()
	since = _not_in_its_queue_since.setdefault((frappe.local.site, job_id), time.monotonic())
	return time.monotonic() - since > SECONDS_OF_ANOTHER_TICK


def _is_over(job_type: str, state: rq_data.JobData) -> bool:
	"""Whether a job with the status "started" has ended: it keeps that for minutes if its worker is killed.

	Its runs being marked as executed is not enough: a job that has committed may go on, on another
	connection and so without its lock, but then its worker still writes that it works on it.
	"""
	return state.age > SECONDS_A_WORKER_IS_TRUSTED and scheduled_runs.are_all_executed(job_type)


def executed_now(names: set[str], jobs: dict[str, Any]) -> set[str]:
	"""Returns the names of those jobs of which a worker executes a run, by its lock or else by RQ.

	:param names: the names of the Scheduled Job Types
	:param jobs: their rows by name, of those that still exist
	"""
	found = run_locks.running_job_types(names)
	if run_locks.reach() == "everywhere":
		return found
	ids = {due_times.rq_job_id(job): name for name, job in jobs.items()}
	states = queues.states(list(ids))
	return found | {
		ids[job_id]
		for job_id, state in states.items()
		if state.status == "started" and state.age <= SECONDS_A_WORKER_IS_TRUSTED
	}


def failure_of(run: UnfinishedRun, job: Any) -> str | None:
	"""Returns why the worker that took a run from its queue last did not execute it, if RQ knows."""
	failure = queues.failure_of(due_times.rq_job_id(job))
	if not failure or failure.kwargs.get("run") != run.name:
		return None
	# A failure from before the run was claimed last is counted already.
	return failure.error if failure.age <= run.age + queues.MOST_SECONDS_APART else None
