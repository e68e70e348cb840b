# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""All that is replaced in core, and by what. Each function is handed in by whoever knows more than core does.

Each replacement asks, per call, whether the current site routes, and falls through to core's own
function where it does not. What would make it unnecessary:

- frappe.connect_replica: a hook in core's read_only that names the database to read from.
- background_jobs.get_queue: a hook that may choose a job's queue and add to its meta data.
- base_document.get_controller: classes of several apps for one doctype, as v16's extend_doctype_class has
  them, in an order that does not depend on which app was installed last.
- RedisWrapper and ClientCache, set and get: a core cache that asks whether its value may be kept.
- rq.Worker.work and worker_pool.run_worker, in processes of workers: an event of Frappe's, or of RQ's, as a
  worker begins and ends.
- scheduler.start_scheduler, in `bench schedule`: a word of core's own when the lock of its file is another's.
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


def install_in_reads(
	open_scope: Callable[[Callable[[], bool]], bool], guard_caches: Callable[[], Replacements]
) -> None:
	"""Replace what routing needs, once per process; all of it or, after an error, none.

	:param open_scope: called by core's read_only in place of connect_replica, which it is given; True: core
		is to close the database that is in place, at the end of the function
	:param guard_caches: what goes in place of the functions of core's caches
	:raises AttributeError: if something that is to be replaced is not there
	"""

	def replacements() -> Replacements:
		core = frappe.connect_replica

		def connect_replica() -> bool:
			return open_scope(core)

		return [(frappe, {"connect_replica": connect_replica}), *guard_caches()]

	replace_once(frappe, replacements)


def install_in_queues(watch: Callable[[Any, str], None]) -> None:
	"""Let each RQ queue that Frappe makes be watched, also where nothing is routed; once per process.

	:param watch: called with the queue, and with its name as frappe.enqueue knows it
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


def install_in_controllers(class_of_jobs: Callable[[Callable[[str], type]], type]) -> None:
	"""Let the class of Scheduled Job Type be ours over whatever other apps make of it; once per process.

	The hook override_doctype_class is the last installed app's alone.

	:param class_of_jobs: called with core's get_controller, for the class
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
		# v16 keeps classes that it has made of those.
		for classes in getattr(frappe, "lazy_controllers", {}).values():
			classes.pop(JOB_TYPE, None)


def install_in_workers(work_with: Callable[[Callable], Callable], run_worker: Callable) -> Callable | None:
	"""Replace what an RQ worker of this process, and of those that it starts, begins with; once per process.

	:param work_with: makes a Worker.work of RQ's own
	:param run_worker: in place of worker_pool.run_worker, which a new process finds by its name
	:returns: RQ's own run_worker, if it was replaced now
	"""
	from rq import Worker

	replaced = None

	def replacements() -> Replacements:
		nonlocal replaced
		found: Replacements = [(Worker, {"work": work_with(Worker.work)})]
		with contextlib.suppress(ImportError):
			# v14's RQ has no pools.
			from rq import worker_pool

			replaced = worker_pool.run_worker
			found.append((worker_pool, {"run_worker": run_worker}))
		return found

	replace_once(Worker, replacements)
	return replaced


def install_in_scheduler(start_with: Callable[[Callable[[], None]], Callable[[], None]]) -> None:
	"""Replace core's start_scheduler, once per process.

	:param start_with: makes one of core's own
	"""
	from frappe.utils import scheduler

	replace_once(scheduler, lambda: [(scheduler, {"start_scheduler": start_with(scheduler.start_scheduler)})])
