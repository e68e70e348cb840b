# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Lets a job of frappe.enqueue run on the server that its rule, or its caller, names.

Only where servers share one Redis: there the job goes into its server's own queue.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import frappe
from frappe import _
from frappe.utils import escape_html
from rq import Queue

from read_replica.database.bookkeeping import is_before_migrate
from read_replica.database.routed import primary_of
from read_replica.database.transaction import is_giving_rows
from read_replica.jobs import queues, servers
from read_replica.jobs.placement import Place, Placement
from read_replica.jobs.replica_reads import meta_of, need_in, open_scope
from read_replica.jobs.rule_set import Rule
from read_replica.jobs.rule_sources import default_takeover_after
from read_replica.jobs.rules import named_servers, rule_for

# Methods that no rule moves: this app's own, and scheduled jobs, which the scheduler has placed.
PLACED_ALREADY = ("read_replica.", "frappe.core.doctype.scheduled_job_type.")


def enqueue(
	method: str | Callable,
	*,
	server_id: str,
	queue: str = "default",
	timeout: int | None = None,
	takeover_after: float | None = None,
	**kwargs: Any,
) -> Any:
	"""Enqueue a job for this server, and otherwise do and return what frappe.enqueue does.

	:param server_id: this server, or one that shares its Redis and has a queue of its own there
	:param queue: the queue whose timeout the job gets, and where it goes if the server is gone
	:param timeout: seconds that the job may take; default: that of `queue`
	:param takeover_after: seconds after which a server that is not seen counts as gone; 0: never; default:
		`scheduler_takeover_after` of the site's configuration, or 900
	:raises frappe.ValidationError: if this server cannot reach a queue of that server
	"""
	after = default_takeover_after() if takeover_after is None else takeover_after
	place = _placement(server_id).for_enqueue(server_id, after)
	if place is None:
		frappe.throw(
			_(
				"Server {0} has no queue of its own on this bench. If it shares this bench's Redis, run there"
				" and here: bench --site {1} read-replica queues --write"
			).format(frappe.bold(escape_html(server_id)), frappe.local.site)
		)
	kwargs |= {"queue": place.queue or queue, "timeout": timeout or queues.timeout_of(queue)}
	if kwargs.get("now") or not kwargs.get("is_async", True):
		# The job runs here and now; jobs that it enqueues itself are not for that server.
		return frappe.enqueue(method, **kwargs)
	with _placing(_meta(place, queue, after)) as meta:
		job = frappe.enqueue(method, **kwargs)
		if kwargs.get("enqueue_after_commit"):
			_remember_until_commit(meta)
		return job


@contextmanager
def _placing(meta: dict) -> Iterator[dict]:
	frappe.local.read_replica_call = meta
	try:
		yield meta
	finally:
		frappe.local.read_replica_call = None


def _remember_until_commit(meta: dict) -> None:
	"""Keep the meta data of a job that v14 keeps in a list, and puts into its queue after the commit."""
	if waiting := frappe.flags.get("enqueue_after_commit"):
		job = waiting[-1]["queue_args"]
		remembered = getattr(frappe.local, "read_replica_calls", None) or {}
		# With the job itself, so that its id() cannot become that of another object.
		frappe.local.read_replica_calls = remembered | {id(job): (job, meta)}


def place_job(queue: Queue, job: dict, named: str) -> tuple[Queue, dict]:
	"""Returns the queue that a job goes into, and what is added to its meta data.

	:param queue: the RQ queue that frappe.enqueue has chosen
	:param job: the keyword arguments that frappe.enqueue gives to RQ, among them the job's method
	:param named: the name of that queue, as frappe.enqueue was called with it
	"""
	_, by_caller = (getattr(frappe.local, "read_replica_calls", None) or {}).get(id(job), (None, None))
	if by_caller is not None:
		return queue, by_caller
	name = _name_of(job.get("method"))
	# While an unbuffered result is being read, its connection cannot be used to look up a rule.
	if not name or name.startswith(PLACED_ALREADY) or is_giving_rows(primary_of(frappe.local.db)):
		return queue, {}
	rule = rule_for(name)
	reads = meta_of(rule.need) if rule.reads == "replica" else {}
	if rule.source in ("default", "annotation") or named in named_servers():
		return queue, reads
	found = _place_by(rule)
	if not found or not found.queue:
		return queue, reads
	return queues.queue_named(found.queue, queue), reads | _meta(found, named, rule.takeover_after)


def _name_of(method: Any) -> str:
	"""Returns the dotted path of a job's method; "" for a job that was given to RQ without frappe.enqueue."""
	if isinstance(method, str):
		return method
	return f"{method.__module__}.{method.__qualname__}" if hasattr(method, "__qualname__") else ""


def _place_by(rule: Rule) -> Place | None:
	if not queues.has_own_queue(rule.server_id):
		return None
	return _placement(rule.server_id).for_enqueue(rule.server_id, rule.takeover_after)


def _meta(place: Place, intended_queue: str, takeover_after: float) -> dict:
	if not place.queue:
		return {}
	return {queues.INTENDED_QUEUE: intended_queue, queues.TAKEOVER_AFTER: takeover_after}


def _placement(server_id: str) -> Placement:
	"""Returns the placement by what is known of one server; before a migrate, nothing is known."""
	try:
		known = servers.load({server_id})
	except Exception as error:
		if not is_before_migrate(error):
			raise
		known = {}
	return Placement(servers.this_server(), known, set())


def open_scope_of_job(method: str) -> None:
	"""Open a replica scope in a worker if the rule of its job asks for one; it closes as the job ends."""
	from rq import get_current_job

	job = get_current_job()
	need = need_in(job.meta) if job else None
	if need:
		open_scope(method, need)
