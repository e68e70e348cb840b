# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What happens to each job that is put into a queue: it gets its place, and carries a position with it."""

from collections.abc import Callable
from typing import Any

import frappe
from rq import Queue

from read_replica.core.replacements import install_in_queues
from read_replica.jobs import enqueue, positions, queues
from read_replica.jobs.placement import Place
from read_replica.site import has_app, is_mariadb


def install() -> None:
	"""Let each queue that Frappe makes from now on be watched, where a site has this app; once per process."""
	install_in_queues(_watch_on_site)


def _watch_on_site(queue: Any, named: str) -> None:
	if has_app() and is_mariadb():
		watch(queue, named)


def watch(queue: Any, named: str) -> None:
	"""Let all jobs that go through this RQ queue object go where they belong.

	:param named: the queue as frappe.enqueue knows it
	"""
	enqueue_call = queue.enqueue_call
	# Until the job is put there, a commit may be waited for, and the caller be gone.
	by_caller = getattr(frappe.local, "read_replica_call", None)

	def enqueue_call_in_its_place(*args, meta=None, **kwargs):
		if run := _run_to_be_put():
			return run.forward(queue, enqueue_call, *args, meta=meta, **kwargs)
		target, placed = (
			(queue, by_caller)
			if by_caller is not None
			else enqueue.place(queue, kwargs.get("kwargs") or {}, named)
		)
		put = enqueue_call if target is queue else target.enqueue_call
		return put(*args, meta={**(meta or {}), **placed, **positions.meta()} or None, **kwargs)

	queue.enqueue_call = enqueue_call_in_its_place


class RunEnqueuedByOwnClass:
	"""A run of a scheduled job whose class, of another app, puts it into a queue by its own `enqueue`.

	What that gives to RQ is executed by a worker as the run: the same function, with the same arguments.
	"""

	def __init__(self, run: str, job: Any, place: Place):
		self._run = run
		self._job = job
		self._place = place
		self.is_put = False

	def forward(self, queue: Queue, enqueue_call: Callable, *args, meta: dict | None, **kwargs) -> Any:
		self.is_put = True
		if self._place.queue:
			enqueue_call = queues.queue_named(self._place.queue, queue).enqueue_call
		given = kwargs.pop("kwargs")
		arguments = {
			"run": self._run,
			"job_type": self._job.method,
			"scheduled_job_type": self._job.name,
			"instead": (given["method"], given["kwargs"]),
		}
		job = given | {"method": positions.RUN_ONCE, "kwargs": arguments}
		return enqueue_call(*args, kwargs=job, meta={**(meta or {}), **positions.meta()} or None, **kwargs)


def enqueue_by_own_class(run: str, job: Any, place: Place) -> bool:
	"""Let a job put a claimed run into its queue by the `enqueue` of its own class; whether it has."""
	frappe.local.read_replica_run_to_be_put = by_itself = RunEnqueuedByOwnClass(run, job, place)
	try:
		job.enqueue_by_own_class()
	finally:
		frappe.local.read_replica_run_to_be_put = None
	return by_itself.is_put


def _run_to_be_put() -> RunEnqueuedByOwnClass | None:
	run = getattr(frappe.local, "read_replica_run_to_be_put", None)
	return run if run and not run.is_put else None
