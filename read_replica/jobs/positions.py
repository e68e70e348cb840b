# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Carries the replication position that a job's replica must have reached, in the job's meta data.

A job reads at least what the request that enqueued it was to read, as it may work for another user or start
before that request has ended, and what it commits itself. It need not read what other jobs of its user commit
meanwhile, nor what is committed for bookkeeping before its method begins.

A due run of a scheduled job belongs to no user: it reads at least what its own earlier runs have committed,
but not what the scheduler commits, which are claims of runs. A job that needs everything that was committed
before it began asks for `consistency="strong"`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import frappe

from read_replica.database import request_counts
from read_replica.database.routed import primary_of
from read_replica.database.transaction import request_state
from read_replica.engine.dialect import Position
from read_replica.engine.request import RequestState
from read_replica.engine.shared.user_positions import UserPosition
from read_replica.engine.sticking.session import FOREVER
from read_replica.site import router_of_site

META_KEY = "read_replica_position"
KNOWN_FOR = "read_replica_known_for"
ASKED_BY = "read_replica_asked_by"

# The function that executes a scheduled run, as it stands in queues; see `patches.moved`.
RUN_ONCE = "read_replica.execution.run_once"

# For a job without a timeout: the longest statement timeout that the database accepts.
SECONDS_WITHOUT_LIMIT = 365 * 24 * 3600


def meta() -> dict[str, Any]:
	"""Returns the meta data of a job that is enqueued now: its position, and the user who asked for it."""
	of_scheduler = getattr(frappe.local, "read_replica_carried", None)
	if of_scheduler is not None:
		return of_scheduler
	router = router_of_site()
	written = router.session.position_for_job(primary_of(frappe.local.db)) if router else None
	if written is None:
		return {}
	carried = _as_meta(written)
	if asked_by := router.host.state().asked_by:
		carried[ASKED_BY] = asked_by
	return carried


def _as_meta(written: UserPosition) -> dict:
	carried = {META_KEY: str(written.position)}
	if written.known_for != FOREVER:
		carried[KNOWN_FOR] = int(written.known_for)
	return carried


@contextmanager
def enqueuing_scheduled_run(asked_for: bool) -> Iterator[None]:
	"""Let the block enqueue scheduled runs, which do not carry the scheduler's own position.

	:param asked_for: a user asked for it on another server, and must find what they had committed before;
		who it was is not known here, so the run carries all that was committed by anybody
	"""
	router = router_of_site()
	carried = {}
	if router and asked_for:
		carried = _as_meta(router.session.all_committed(primary_of(frappe.local.db)))
	frappe.local.read_replica_carried = carried
	try:
		yield
	finally:
		frappe.local.read_replica_carried = None


def restore(state: RequestState, method: str) -> None:
	"""Set a worker's state from the meta data of its next job: position, user and timeout."""
	from rq import get_current_job

	job = get_current_job()
	carried = (job.meta if job else None) or {}
	if META_KEY in carried:
		state.carried = UserPosition(Position(carried[META_KEY]), carried.get(KNOWN_FOR, FOREVER))
	elif method == RUN_ONCE:
		state.carried = UserPosition(Position(), FOREVER)
	state.asked_by = carried.get(ASKED_BY) or state.asked_by
	state.timeout_at_least = timeout_of_job(job)


def name_of_job(job: Mapping[str, Any]) -> str:
	"""Returns the name under which a job is counted: that of its method, or of the one that is scheduled.

	:param job: what Frappe gives to the hook before_job
	"""
	method = job["method"]
	scheduled = (job.get("kwargs") or {}).get("job_type") if method == RUN_ONCE else None
	return f"job:{scheduled or method}"


def timeout_of_job(job: Any) -> float:
	"""Returns the seconds that an RQ job may take; 0 if that is not known."""
	seconds = getattr(job, "timeout", None)
	if isinstance(seconds, bool) or not isinstance(seconds, int | float):
		return 0
	return seconds if seconds >= 0 else SECONDS_WITHOUT_LIMIT


def method_begins(job_type: str | None = None) -> None:
	"""Note that a job's method is called next: commits before it are not the job's own.

	:param job_type: the name of the Scheduled Job Type if this is a scheduled run
	"""
	request_counts.method_begins(request_state())
	if router := _router_of_job():
		reader = f"job {job_type}" if job_type else None
		router.session.job_begins(primary_of(frappe.local.db), reader)


def method_has_ended() -> None:
	"""Note that a job's method has ended: commits after it are not the job's own."""
	if router := router_of_site():
		state, primary = request_state(), primary_of(frappe.local.db)
		request_counts.end(state)
		request_counts.count(router, state, primary)
	if router := _router_of_job():
		router.session.job_has_ended(primary_of(frappe.local.db))


def _router_of_job() -> Any:
	router = router_of_site()
	return router if router and router.host.state().carried is not None else None
