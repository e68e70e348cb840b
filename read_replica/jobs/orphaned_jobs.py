# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Nothing waits for ever in a queue that nobody reads: jobs of a server that is gone go to another queue."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import frappe

from read_replica.database.bookkeeping import execute_and_commit
from read_replica.database.event_log import log_event
from read_replica.jobs import queues, takeovers
from read_replica.jobs.placement import Place, Placement
from read_replica.jobs.rules import DEFAULT_SERVER, rule_for

# What passes between a look at the workers and one at what is known of their server.
SECONDS_OF_A_LOOK = 1.0

# Of a site and a queue: since when nobody has read it on this server's Redis, by time.monotonic().
_unread_since: dict[tuple[str, str], float] = {}

# Up to where the jobs stay, for now: the next tick looks at those behind them.
_passed_over: dict[tuple[str, str], int] = {}


def move_from_unread_queues(placement: Placement, guard: Callable) -> None:
	"""Move this site's jobs out of own queues of servers that are gone, by the limit of each job's rule.

	:param guard: see `tick_problems`; one queue, or one job, that cannot be moved holds up no other
	"""
	for queue in queues.own_queues():
		if unread_for := _seconds_unread(queue, placement):
			guard(f"queue {queue}", partial(_move_some, queue, unread_for, placement, guard))


def _move_some(queue: str, unread_for: float, placement: Placement, guard: Callable) -> None:
	key = frappe.local.site, queue
	look = queues.waiting_jobs(queue, frappe.local.site, _passed_over.get(key, 0))
	moved = 0
	for at, job in look.jobs:
		# It may be a function that this server's code does not have.
		if job and guard(f"move {job.id}", partial(_move_if_late, job, at, queue, unread_for, placement)):
			moved += 1
	_passed_over[key] = 0 if look.next_position is None else look.next_position - moved


def _seconds_unread(server_id: str, placement: Placement) -> float:
	"""How long nobody has read a server's own queue: on this Redis, or, if it was seen here, anywhere."""
	key = frappe.local.site, server_id
	if server_id in placement.read_queues:
		_unread_since.pop(key, None)
		server = placement.servers.get(server_id)
		# RQ knows a worker that was killed for some minutes more.
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
	"""The default server's own queue, or core's where nobody reads that; None: it stays."""
	if (
		server_id != DEFAULT_SERVER
		and queues.has_own_queue(DEFAULT_SERVER)
		and DEFAULT_SERVER in placement.read_queues
	):
		return DEFAULT_SERVER
	# Workers of any server may read core's queues, and nobody takes over for the default server.
	return _meant_for(job) if placement.this_server == DEFAULT_SERVER else None


def _note_takeover(job: Any, server_id: str, target: str, placement: Placement) -> None:
	place = Place(DEFAULT_SERVER, target, server_id)
	if _is_run(job):
		# Once a worker there has begun it, its row is the worker's.
		execute_and_commit(
			"update `tabScheduled Run` set server_id = %s, taken_from = %s"
			" where name = %s and executed_at is null and (begun_at is null or begun_at < claimed_at)",
			(place.server_id, place.taken_from, job.kwargs["kwargs"]["run"]),
		)
	if server_id in placement.servers:
		method = job.kwargs["kwargs"]["job_type"] if _is_run(job) else str(job.kwargs.get("method"))
		takeovers.note([(place, method)], placement.servers)


def _is_run(job: Any) -> bool:
	return job.kwargs.get("method") == "read_replica.execution.run_once"


def _limit_of(job: Any) -> float:
	"""Seconds after which a job leaves the queue of a server that is gone; 0: never, or it is no such queue."""
	if _is_run(job):
		return rule_for(job.kwargs["kwargs"]["job_type"]).takeover_after
	return job.meta.get(queues.TAKEOVER_AFTER, 0)


def _meant_for(job: Any) -> str:
	"""The queue that a job was meant for; of one that does not say so, by the time that it may take."""
	by_time = "default" if (job.timeout or 0) <= queues.timeout_of("default") else "long"
	return job.meta.get(queues.INTENDED_QUEUE) or by_time
