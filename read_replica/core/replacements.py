# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Replaces functions of core. What a replacement does is handed in by the caller, as a callable.

Each replacement asks, per call, whether the current site routes, and calls core's own function if it does
not. This would make them unnecessary:

- frappe.connect_replica: a hook in core's read_only that names the database to read from.
- boot.get_bootinfo: core that makes it by a generator of its cache, which runs on the primary.
- background_jobs.get_queue: a hook that may choose a job's queue and add to its meta data.
- base_document.get_controller: classes of several apps for one doctype, as v16's extend_doctype_class has
  them, in an order that does not depend on which app was installed last.
- RedisWrapper and ClientCache, set and get; caching._SITE_CACHE and frappe.controllers: a core cache that asks
  whether its value may be kept.
- rq.Worker.work and worker_pool.run_worker, in processes of workers: an event of Frappe's, or of RQ's, as a
  worker begins and ends.
- scheduler.start_scheduler, in `bench schedule`: a message of core's own if another process has the lock of
  its file.
- conf.read_from_replica, set for a request whose site names its replicas in another way: the same
  hook as for connect_replica, asked before the key.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import frappe

from read_replica.core import class_overrides
from read_replica.core.class_overrides import JOB_TYPE
from read_replica.core.patching import Replacements, replace_once
from read_replica.database.routed import RoutedMethods


def install_in_reads(
	open_scope: Callable[[Callable[[], bool]], bool], guard_caches: Callable[[], Replacements]
) -> None:
	"""Replace what routing needs, once per process: connect_replica, and functions of core's caches.

	All of it or, on an error, nothing.

	:param open_scope: called by core's read_only in place of connect_replica, with core's own one; returns
		whether core is to close frappe.local.db at the end of the function
	:param guard_caches: makes the replacements in core's caches
	:raises AttributeError: if core has no such function
	"""

	def replacements() -> Replacements:
		core = frappe.connect_replica

		def connect_replica() -> bool:
			return open_scope(core)

		return [(frappe, {"connect_replica": connect_replica}), *guard_caches()]

	replace_once(frappe, replacements)


def install_in_queues(watch: Callable[[Any, str], None]) -> None:
	"""Replace core's get_queue, once per process; also on sites where nothing is routed.

	:param watch: called with each RQ queue that Frappe makes, and its name as in frappe.enqueue
	"""
	from frappe.utils import background_jobs

	def replacements() -> Replacements:
		core = background_jobs.get_queue

		def get_queue(qtype, *args, **kwargs):
			queue = core(qtype, *args, **kwargs)
			watch(queue, qtype)
			return queue

		return [(background_jobs, {"get_queue": get_queue})]

	replace_once(background_jobs, replacements)


def install_in_boot(on_primary: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
	"""Replace core's get_bootinfo, once per process: what it makes is kept for the user, and so not of a replica's rows.

	:param on_primary: makes a block in which frappe.db is the primary
	"""
	# Not at the top: jobs never need it, and it takes them a quarter of a second and more to load.
	from frappe import boot

	def replacements() -> Replacements:
		core = boot.get_bootinfo

		@functools.wraps(core)
		def get_bootinfo():
			if not isinstance(frappe.local.db, RoutedMethods):
				return core()
			with on_primary():
				info = core()
				# As core does next, in the scope, where it would not be kept.
				frappe.cache().hset("bootinfo", frappe.session.user, info)
				# v15 asks the cache of documents for it at each load, and would not find it there.
				frappe.get_cached_doc("Navbar Settings")
			return info

		return [(boot, {"get_bootinfo": get_bootinfo})]

	replace_once(boot, replacements)


def install_in_controllers(class_of_jobs: Callable[[Callable[[str], type]], type]) -> None:
	"""Replace core's get_controller for Scheduled Job Type, once per process.

	The hook override_doctype_class is not enough: of several apps, only that of the last installed counts.

	:param class_of_jobs: called with core's get_controller; returns the class
	"""
	from frappe.model import base_document, document

	def replacements() -> Replacements:
		return [(one, {"get_controller": with_ours(one.get_controller)}) for one in (base_document, document)]

	def with_ours(core: Callable[[str], type]) -> Callable[[str], type]:
		@functools.wraps(core)
		def get_controller(doctype):
			return class_of_jobs(core) if doctype == JOB_TYPE else core(doctype)

		return get_controller

	if replace_once(base_document, replacements):
		# v16 caches classes that it has derived from them.
		for classes in getattr(frappe, "lazy_controllers", {}).values():
			classes.pop(JOB_TYPE, None)


def install_in_workers(wrap_work: Callable[[Callable], Callable], run_worker: Callable) -> Callable | None:
	"""Replace the functions in which RQ workers of this process and of its children start; once per process.

	:param wrap_work: called with RQ's Worker.work; returns its replacement
	:param run_worker: replaces worker_pool.run_worker, and is imported by its name in a new process
	:returns: RQ's own run_worker if it was replaced now, else None
	"""
	from rq import Worker

	replaced = None

	def replacements() -> Replacements:
		nonlocal replaced
		found: Replacements = [(Worker, {"work": wrap_work(Worker.work)})]
		with contextlib.suppress(ImportError):
			# v14's RQ has no pools.
			from rq import worker_pool

			replaced = worker_pool.run_worker
			found.append((worker_pool, {"run_worker": run_worker}))
		return found

	replace_once(Worker, replacements)
	return replaced


def install_in_scheduler(wrap_start: Callable[[Callable[[], None]], Callable[[], None]]) -> None:
	"""Replace core's start_scheduler, once per process.

	:param wrap_start: called with core's start_scheduler; returns its replacement
	"""
	from frappe.utils import scheduler

	replace_once(scheduler, lambda: [(scheduler, {"start_scheduler": wrap_start(scheduler.start_scheduler)})])
