# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Moves the jobs that wait in the own queue of a server that is gone to a queue that is read."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import frappe

from read_replica.database.bookkeeping import execute_and_commit
from read_replica.database.event_log import log_event
from read_replica.jobs import queues, takeovers
from read_replica.jobs.placement import Place, Placement
from read_replica.jobs.positions import RUN_ONCE
from read_replica.jobs.rules import DEFAULT_SERVER, rule_for

# May pass between reading the list of workers and reading when their server was last seen.
SECONDS_OF_A_LOOK = 1.0

# By site and queue: since when no worker has read it on this server's Redis, by time.monotonic().
_unread_since: dict[tuple[str, str], float] = {}

# By site and queue: the position where the next tick goes on; the jobs before it stay for now.
_passed_over: dict[tuple[str, str], int] = {}


def move_from_unread_queues(placement: Placement, guard: Callable) -> None:
	"""Move jobs of this site whose server is gone for longer than their takeover_after out of its own queue.

	Handles one page of each queue per call.

	:param guard: `Problems.guard`: a queue or a job that fails does not hold up the others
	"""
	for queue in queues.own_queues():
		if unread_for := _seconds_unread(queue, placement):
			guard(f"queue {queue}", partial(_move_some, queue, unread_for, placement, guard))


def _move_some(queue: str, unread_for: float, placement: Placement, guard: Callable) -> None:
	key = frappe.local.site, queue
	page = queues.waiting_jobs(queue, frappe.local.site, _passed_over.get(key, 0))
	moved = 0
	for at, job in page.jobs:
		# Guarded, as reading it may fail: with a function that this server's code does not have.
		if job and guard(f"move {job.id}", partial(_move_if_late, job, at, queue, unread_for, placement)):
			moved += 1
	_passed_over[key] = 0 if page.next_position is None else page.next_position - moved


def _seconds_unread(server_id: str, placement: Placement) -> float:
	"""Returns for how many seconds no worker has read a server's own queue.

	The longer of two times: since it was last read on this Redis, as seen by this process, and since the
	server was last seen anywhere.
	"""
	key = frappe.local.site, server_id
	if server_id in placement.read_queues:
		_unread_since.pop(key, None)
		server = placement.servers.get(server_id)
		# RQ lists a worker that was killed for some minutes more.
		return server.missed_for if server and server.missed_for > SECONDS_OF_A_LOOK else 0.0
	since = _unread_since.setdefault(key, time.monotonic())
	server = placement.servers.get(server_id)
	return max(time.monotonic() - since, server.missed_for if server else 0.0)


def _move_if_late(job: Any, at: int, server_id: str, unread_for: float, placement: Placement) -> bool:
	limit = _limit_of(job)
	if not limit or unread_for <= limit or job.kwargs.get("site") != frappe.local.site:
		return False
	target = _target_of(job, server_id, placement)
	if not target or not queues.move(job, at, server_id, target):
		return False
	log_event("moved", job=job.id, from_queue=server_id, to_queue=target)
	if server_id != DEFAULT_SERVER:
		_note_takeover(job, server_id, target, placement)
	return True


def _target_of(job: Any, server_id: str, placement: Placement) -> str | None:
	"""Returns the default server's own queue, or one of core's if that is not read; None: the job stays."""
	if (
		server_id != DEFAULT_SERVER
		and queues.has_own_queue(DEFAULT_SERVER)
		and DEFAULT_SERVER in placement.read_queues
	):
		return DEFAULT_SERVER
	# Core's queues may be read by workers of any server, and so are for jobs of the default server only.
	return _intended_queue(job) if placement.this_server == DEFAULT_SERVER else None


def _note_takeover(job: Any, server_id: str, target: str, placement: Placement) -> None:
	place = Place(DEFAULT_SERVER, target, server_id)
	if _is_run(job):
		# From when a worker begins it, only that changes its row.
		execute_and_commit(
			"update `tabScheduled Run` set server_id = %s, taken_from = %s"
			" where name = %s and executed_at is null and (begun_at is null or begun_at < claimed_at)",
			(place.server_id, place.taken_from, job.kwargs["kwargs"]["run"]),
		)
	if server_id in placement.servers:
		method = job.kwargs["kwargs"]["job_type"] if _is_run(job) else str(job.kwargs.get("method"))
		takeovers.note([(place, method)], placement.servers)


def _is_run(job: Any) -> bool:
	return job.kwargs.get("method") == RUN_ONCE


def _limit_of(job: Any) -> float:
	"""Returns a job's takeover_after in seconds; 0: it stays, as does one that its caller put here."""
	if _is_run(job):
		return rule_for(job.kwargs["kwargs"]["job_type"]).takeover_after
	return job.meta.get(queues.TAKEOVER_AFTER, 0)


def _intended_queue(job: Any) -> str:
	"""Returns the queue that a job was enqueued for, or one of core's by its timeout."""
	by_time = "default" if (job.timeout or 0) <= queues.timeout_of("default") else "long"
	return job.meta.get(queues.INTENDED_QUEUE) or by_time
