# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A job sees what the request that queued it had committed: its position travels in the job's meta data.

Needed beside the positions of users, as a job may work for another user, or start before the request
that queued it has ended.
"""

import frappe

from read_replica import database
from read_replica.engine.dialect import Position
from read_replica.engine.request import RequestState

META_KEY = "read_replica_position"


def meta() -> dict[str, str]:
	"""What a job carries that is put into a queue now: what has been committed until then."""
	from read_replica.site import router_of_site

	router = router_of_site()
	position = router.session.committed(database.primary_of(frappe.local.db)) if router else None
	return {META_KEY: str(position)} if position else {}


def take_over(state: RequestState) -> None:
	"""In a worker: begin with what the request that queued the job had committed."""
	from rq import get_current_job

	job = get_current_job()
	if job and META_KEY in job.meta:
		state.own = state.own.joined(Position(job.meta[META_KEY]))
