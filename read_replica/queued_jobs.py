# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What happens to each job that is put into a queue: it gets its place, and carries a position with it."""

from typing import Any

import frappe

from read_replica import calls, job_positions


def watch(queue: Any, named: str) -> None:
	"""Let all jobs that go through this RQ queue object go where they belong.

	:param named: the queue as frappe.enqueue knows it
	"""
	enqueue_call = queue.enqueue_call
	# Until the job is put there, a commit may be waited for, and the caller be gone.
	by_caller = getattr(frappe.local, "read_replica_call", None)

	def enqueue_call_in_its_place(*args, meta=None, **kwargs):
		target, placed = (
			(queue, by_caller)
			if by_caller is not None
			else calls.place(queue, kwargs.get("kwargs") or {}, named)
		)
		put = enqueue_call if target is queue else target.enqueue_call
		return put(*args, meta={**(meta or {}), **placed, **job_positions.meta()} or None, **kwargs)

	queue.enqueue_call = enqueue_call_in_its_place
