# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Wraps RQ's queues: a job goes to its server's queue, with a replication position in its meta data."""

from collections.abc import Callable
from typing import Any

import frappe
from rq import Queue

from read_replica.core.replacements import install_in_queues
from read_replica.jobs import enqueue, positions, queues
from read_replica.jobs.placement import Place
from read_replica.site import has_app, is_mariadb


def install() -> None:
	"""Wrap each queue that Frappe gets from now on, on sites that have this app; once per process."""
	install_in_queues(_wrap_on_site)


def _wrap_on_site(queue: Any, named: str) -> None:
	if has_app() and is_mariadb():
		wrap(queue, named)


def wrap(queue: Any, named: str) -> None:
	"""Replace enqueue_call of an RQ queue: a job goes to the queue of its server, with its meta data.

	:param queue: an rq.Queue
	:param named: its name, as frappe.enqueue was called with it
	"""
	enqueue_call = queue.enqueue_call
	# Read now: with enqueue_after_commit the job is enqueued later, when read_replica.enqueue has returned.
	by_caller = getattr(frappe.local, "read_replica_call", None)

	def enqueue_call_in_its_place(*args: Any, meta: dict | None = None, **kwargs: Any) -> Any:
		if run := _run_to_be_put():
			return run.forward(queue, enqueue_call, *args, meta=meta, **kwargs)
		target, placed = (
			(queue, by_caller)
			if by_caller is not None
			else enqueue.place_job(queue, kwargs.get("kwargs") or {}, named)
		)
		put = enqueue_call if target is queue else target.enqueue_call
		return put(*args, meta={**(meta or {}), **placed, **positions.meta()} or None, **kwargs)

	queue.enqueue_call = enqueue_call_in_its_place


class RunEnqueuedByOwnClass:
	"""A scheduled run that is enqueued by the overridden `enqueue` of another app's class.

	A worker executes as the run what that gives to RQ: the same function, with the same arguments.

	:param run: the name of the Scheduled Run
	:param job: the document of Scheduled Job Type
	:param place: where the run goes
	"""

	def __init__(self, run: str, job: Any, place: Place):
		self._run = run
		self._job = job
		self._place = place
		self.is_enqueued = False

	def forward(
		self, queue: Queue, enqueue_call: Callable, *args: Any, meta: dict | None, **kwargs: Any
	) -> Any:
		"""Enqueue what the app's `enqueue` gives to RQ as the argument `instead` of `execution.run_once`."""
		self.is_enqueued = True
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
	"""Enqueue a claimed run by the overridden `enqueue` of the job's class; whether that enqueued it."""
	frappe.local.read_replica_run_to_be_put = enqueued = RunEnqueuedByOwnClass(run, job, place)
	try:
		job.enqueue_by_own_class()
	finally:
		frappe.local.read_replica_run_to_be_put = None
	return enqueued.is_enqueued


def _run_to_be_put() -> RunEnqueuedByOwnClass | None:
	run = getattr(frappe.local, "read_replica_run_to_be_put", None)
	return run if run and not run.is_enqueued else None
