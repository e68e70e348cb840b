# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A job sees what the request that queued it had committed: its position travels in the job's meta data.

Needed beside the positions of users, as a job may work for another user, or start before the request
that queued it has ended.
"""

from typing import Any

import frappe

from read_replica import database
from read_replica.engine.dialect import Position
from read_replica.engine.request import RequestState
from read_replica.engine.router import Router

META_KEY = "read_replica_position"


def put_into_jobs_of(queue: Any, router: Router) -> None:
	"""Let all jobs that go through this RQ queue object carry what has been committed until then."""
	enqueue_call = queue.enqueue_call

	def enqueue_with_position(*args, meta=None, **kwargs):
		position = router.session.committed(database.primary_of(frappe.local.db))
		if position:
			meta = {**(meta or {}), META_KEY: str(position)}
		return enqueue_call(*args, meta=meta, **kwargs)

	queue.enqueue_call = enqueue_with_position


def take_over(state: RequestState) -> None:
	"""In a worker: begin with what the request that queued the job had committed."""
	from rq import get_current_job

	job = get_current_job()
	if job and META_KEY in job.meta:
		state.own = state.own.joined(Position(job.meta[META_KEY]))
