# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Nothing waits for ever in a queue that nobody reads: jobs of a server that is gone go to another queue."""

import time
from typing import Any

import frappe

from read_replica import execution, job_rules, queues, takeovers
from read_replica.job_rules import DEFAULT_SERVER
from read_replica.logs import log_event
from read_replica.placement import Place, Places

# What passes between a look at the workers and one at what is known of their server.
SECONDS_OF_A_LOOK = 1.0

# Since when nobody has read a queue on this server's Redis, by time.monotonic().
_unread_since: dict[tuple[str, str], float] = {}


def move_from_unread_queues(places: Places) -> None:
	"""Move this site's jobs out of own queues of servers that are gone, by the limit of each job's rule."""
	for server_id in sorted({*places.known, *job_rules.named_servers()}):
		if queues.is_own(server_id):
			unread_for = _seconds_unread(server_id, places)
			if unread_for:
				for job in queues.waiting(server_id):
					_move_if_late(job, server_id, unread_for, places)


def _seconds_unread(server_id: str, places: Places) -> float:
	"""How long nobody has read a server's own queue: on this Redis, or, if it was seen here, anywhere."""
	key = frappe.local.site, server_id
	if server_id in places.read:
		_unread_since.pop(key, None)
		server = places.known.get(server_id)
		# RQ knows a worker that was killed for some minutes more.
		return server.age if server and server.age > SECONDS_OF_A_LOOK else 0.0
	since = _unread_since.setdefault(key, time.monotonic())
	server = places.known.get(server_id)
	return max(time.monotonic() - since, server.age if server else 0.0)


def _move_if_late(job: Any, server_id: str, unread_for: float, places: Places) -> None:
	limit = job.meta.get(queues.TAKEOVER_AFTER, job_rules.default_takeover_after())
	if job.kwargs.get("site") != frappe.local.site or not limit or unread_for <= limit:
		return
	default_is_read = (
		queues.is_own(DEFAULT_SERVER) and DEFAULT_SERVER in places.read and server_id != DEFAULT_SERVER
	)
	target = DEFAULT_SERVER if default_is_read else _meant_for(job)
	if not queues.move(job, server_id, target):
		return
	method = str(job.kwargs.get("method"))
	log_event("moved", job=method, from_queue=server_id, to_queue=target)
	if server_id == DEFAULT_SERVER:
		return
	place = Place(DEFAULT_SERVER, target, server_id)
	if run := job.kwargs.get("kwargs", {}).get("run"):
		execution.change(
			"update `tabScheduled Run` set server_id = %s, taken_from = %s where name = %s and executed_at is null",
			(place.server_id, place.taken_from, run),
		)
	if server_id in places.known:
		takeovers.note([(place, method)], places.known)


def _meant_for(job: Any) -> str:
	"""The queue that a job was meant for; of one that does not say so, by the time that it may take."""
	by_time = "default" if (job.timeout or 0) <= queues.timeout_of("default") else "long"
	return job.meta.get(queues.MEANT_FOR) or by_time
