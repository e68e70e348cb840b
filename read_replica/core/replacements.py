# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""All that is replaced in core, and all that differs between its versions.

Each replacement asks, per call, whether the current site routes, and falls through to core's own
function where it does not. What would make it unnecessary:

- frappe.connect_replica: a hook in core's read_only that names the database to read from.
- background_jobs.get_queue: a hook that may choose a job's queue and add to its meta data.
- base_document.get_controller: classes of several apps for one doctype, as v16's extend_doctype_class has
  them, in an order that does not depend on which app was installed last.
- RedisWrapper and ClientCache, set and get: a core cache that asks whether its value may be kept.
- rq.Worker.work and worker_pool.run_worker, in processes of workers: an event of Frappe's, or of RQ's, as a worker begins and ends.
- scheduler.start_scheduler, in `bench schedule`: a word of core's own when the lock of its file is another's.
- conf.read_from_replica, set for a request whose site names its replicas in another way: the same
  hook, asked before the key.
"""

import contextlib
import functools
import sys
from typing import Any

import frappe

from read_replica.config.source import SWITCHED_ON
from read_replica.core import class_overrides
from read_replica.core.class_overrides import JOB_TYPE
from read_replica.database.event_log import log_event
from read_replica.engine.locks import Lock
from read_replica.engine.settings import Need

# As long as the names of doctypes and reports may be.
LONGEST_SUBJECT = 140

_lock = Lock()
# Each with its owner and its name: what was there, and what is there in its place.
_replaced: list[tuple[Any, str, Any]] = []
_ours: list[tuple[Any, str, Any]] = []
_logged: set[str] = set()


def install() -> None:
	"""Replace what routing needs, once per process; all of it or, after an error, none.

	:raises AttributeError: if something that is to be replaced is not there
	"""
	from frappe.utils import redis_wrapper

	from read_replica.cache import guard

	install_in_queues()
	with _lock:
		if any(owner is frappe for owner, _, _ in _replaced):
			return
		replacements = [
			(frappe, {"connect_replica": _connect_replica_with(frappe.connect_replica)}),
			(redis_wrapper.RedisWrapper, guard.guard_redis(redis_wrapper.RedisWrapper)),
		]
		if hasattr(redis_wrapper, "ClientCache"):
			client_cache = redis_wrapper.ClientCache
			replacements.append((client_cache, guard.guard_client_cache(client_cache)))
		_replace(replacements)


def install_in_queues() -> None:
	"""Replace what jobs need that are put into a queue, also where nothing is routed; once per process."""
	from frappe.utils import background_jobs

	with _lock:
		if not any(owner is background_jobs for owner, _, _ in _replaced):
			_replace([(background_jobs, {"get_queue": _get_queue_with(background_jobs.get_queue)})])


def install_in_workers() -> None:
	"""Let each RQ worker of this process, and of those that it starts, note itself; once per process."""
	from rq import Worker

	from read_replica.jobs import heartbeat

	with _lock:
		if any(owner is Worker for owner, _, _ in _replaced):
			return
		replacements = [(Worker, {"work": heartbeat.work_with(Worker.work)})]
		with contextlib.suppress(ImportError):
			# v14's RQ has no pools.
			from rq import worker_pool

			heartbeat.core_run_worker = worker_pool.run_worker
			replacements.append((worker_pool, {"run_worker": heartbeat.run_worker}))
		_replace(replacements)


def install_in_scheduler() -> None:
	"""Let a scheduler say so that ends because another one runs; once per process."""
	from frappe.utils import scheduler

	from read_replica.jobs import schedulers

	with _lock:
		if not any(owner is scheduler for owner, _, _ in _replaced):
			_replace([(scheduler, {"start_scheduler": schedulers.start_with(scheduler.start_scheduler)})])


def install_in_controllers() -> None:
	"""Let the class of Scheduled Job Type be ours over whatever other apps make of it; once per process.

	The hook override_doctype_class is the last installed app's alone.
	"""
	from frappe.model import base_document, document

	with _lock:
		if any(owner is base_document for owner, _, _ in _replaced):
			return
		modules = (base_document, document)
		_replace([(one, {"get_controller": _get_controller_with(one.get_controller)}) for one in modules])
		# v16 keeps classes that it has made of those.
		for classes in getattr(frappe, "lazy_controllers", {}).values():
			classes.pop(JOB_TYPE, None)


def _replace(replacements: list[tuple[Any, dict[str, Any]]]) -> None:
	originals = [(owner, name, getattr(owner, name)) for owner, methods in replacements for name in methods]
	for owner, methods in replacements:
		for name, method in methods.items():
			setattr(owner, name, method)
	_replaced.extend(originals)
	_ours.extend((owner, name, method) for owner, methods in replacements for name, method in methods.items())


def replaced_by_others() -> list[tuple[str, Any]]:
	"""What stands in this process where a replacement of ours stood, by the name of that place."""
	found = [(owner, name, getattr(owner, name), ours) for owner, name, ours in _ours]
	return [
		(f"{owner.__name__}.{name}", there)
		for owner, name, there, ours in found
		if there is not ours and not _wraps(there, ours)
	]


def log_what_others_replaced() -> None:
	"""Once per process: `status` sees only what was replaced in its own."""
	for name, there in replaced_by_others():
		if name not in _logged:
			_logged.add(name)
			log_event("replaced_by_another_app", what=name, by=f"{there.__module__}.{there.__qualname__}")


def _wraps(function: Any, inner: Any) -> bool:
	"""Whether a function says that it calls another one."""
	while function is not None and function is not inner:
		function = getattr(function, "__wrapped__", None)
	return function is inner


def core_function(owner: Any, name: str) -> Any:
	"""A function as core has it, whether or not it is replaced here."""
	originals = [original for of, its_name, original in _replaced if of is owner and its_name == name]
	return originals[0] if originals else getattr(owner, name)


def uninstall() -> None:
	"""Put back all that was replaced."""
	with _lock:
		_ours.clear()
		while _replaced:
			owner, name, original = _replaced.pop()
			setattr(owner, name, original)


def _connect_replica_with(core):
	def connect_replica() -> bool:
		"""Open a scope for a function that core's read_only decorates; True if it is to be closed."""
		from read_replica.engine.scope import Scope
		from read_replica.site import router_of_site, routing_of_site

		router = router_of_site()
		if not router:
			# Misconfigured is not switched off: the site then runs on its primary.
			return False if routing_of_site().problem else core()
		if _is_entering_maintenance():
			# Core would read the session from the replica, and delete one that has not arrived there.
			frappe.local.db.begin(read_only=True)
			return False
		return isinstance(router.open(Need(), _caller()), Scope)

	return connect_replica


def _get_queue_with(core):
	def get_queue(qtype, *args, **kwargs):
		from read_replica.jobs import enqueue_hook
		from read_replica.site import has_app, is_mariadb

		queue = core(qtype, *args, **kwargs)
		if has_app() and is_mariadb():
			enqueue_hook.watch(queue, qtype)
		return queue

	return get_queue


def _get_controller_with(core):
	@functools.wraps(core)
	def get_controller(doctype):
		if doctype != JOB_TYPE:
			return core(doctype)
		from read_replica import scheduler_split
		from read_replica.site import has_app

		return scheduler_split.over(class_overrides.class_by(core)) if has_app() else core(doctype)

	return get_controller


def _is_entering_maintenance() -> bool:
	return bool(frappe.flags.read_only) and not getattr(frappe.local, "session_obj", None)


def _caller() -> str:
	"""The function that core's wrapper is about to call: connect_replica is not told."""
	from read_replica.routing import name_of

	wrapper = sys._getframe(2).f_locals
	fn = wrapper.get("fn")
	if not callable(fn):
		return "frappe.connect_replica"
	return name_of(fn) + _subject_of(fn.__module__, wrapper["args"], wrapper["kwargs"])


def _subject_of(module: str, args: tuple, kwargs: dict) -> str:
	"""The report or doctype that a function of core's works for, in parentheses.

	All reports run through one function; one that writes must not keep the others on the primary.
	"""
	subject = None
	if module == "frappe.desk.query_report":
		report = args[0] if args else kwargs.get("report_name") or kwargs.get("report")
		subject = getattr(report, "name", report)
	elif module == "frappe.desk.reportview":
		subject = kwargs.get("doctype") or frappe.form_dict.get("doctype")
	if not isinstance(subject, str) or not subject:
		return ""
	# It comes from a request, and nobody has looked at it yet.
	name = subject[:LONGEST_SUBJECT].encode("utf-8", "replace").decode()
	return f"({name})"


def switch_core_on(conf: dict) -> None:
	"""Let core's read_only call connect_replica, whichever keys name the site's replicas."""
	if not conf.get("read_from_replica"):
		conf["read_from_replica"] = SWITCHED_ON


def leave_core_replica(router: Any) -> None:
	"""Undo the swap that core makes in maintenance mode in a process that has no shims yet."""
	replica = getattr(frappe.local, "replica_db", None)
	if not router or not frappe.flags.read_only or not replica or frappe.local.db is not replica:
		return
	frappe.local.db = frappe.local.primary_db
	frappe.local.replica_db = None
	replica.close()
	frappe.local.db.begin(read_only=True)
