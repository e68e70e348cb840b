# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The class of Scheduled Job Type with this app: one server enqueues each run, for its rule's server.

It is put over whatever class core and the other apps of the site give to Scheduled Job Type: see
`core/replacements.py`.
"""

import functools
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
import frappe
from frappe.model import base_document

from read_replica.core import class_overrides
from read_replica.core.class_overrides import JOB_TYPE
from read_replica.core.replacements import install_in_controllers
from read_replica.database.bookkeeping import is_before_migrate
from read_replica.database.event_log import log_event
from read_replica.jobs import execution, positions, run_now, tick
from read_replica.jobs.placement import Placement
from read_replica.jobs.rules import rule_for
from read_replica.jobs.servers import this_server
from read_replica.site import has_app, is_mariadb


def _tell_of_server_that_tells(placement: Placement) -> None:
	# Not at the top: each process of a site imports this file, and only a scheduler tells.
	from read_replica.watch import notices

	notices.tell_of_server_that_tells(placement)


tick.further_steps["notices"] = _tell_of_server_that_tells


class Split:
	"""Overrides what the scheduler calls to enqueue a job, and what a worker calls to execute it."""

	is_split_over_servers = True

	def enqueue(self, force: bool = False, *args: Any, **kwargs: Any) -> bool:
		"""Enqueue the job if it is due, as core does, but only where this server's scheduler has to.

		Otherwise returns False and writes nothing.

		:param force: "Run now", due or not
		:param args: further arguments, as of another app that calls its own class, are passed on to that
		"""
		if args or kwargs or not is_mariadb() or (force and frappe.flags.execute_job):
			# With flags.execute_job, v14 executes the job in place.
			return super().enqueue(force, *args, **kwargs)
		try:
			if force:
				return run_now.run(self)
			current = tick.current()
			run = current.take(self)
			return bool(run) and current.enqueue(run._replace(job=self))
		except Exception as error:
			if is_before_migrate(error):
				return super().enqueue(force=force)
			if force:
				raise
			# Raised, it would end core's tick.
			log_event("not_scheduled", job=self.method, error=f"{type(error).__name__} {error}")
			return False

	def enqueue_by_own_class(self) -> Any:
		"""Call the `enqueue` of another app's class so that it enqueues even a job that waits in Redis."""
		self.flags.read_replica_is_put = True
		try:
			return super().enqueue(force=True)
		finally:
			self.flags.read_replica_is_put = False

	def is_job_in_queue(self) -> bool:
		"""As core's; False during enqueue_by_own_class, as this app has checked that itself."""
		return not self.flags.read_replica_is_put and super().is_job_in_queue()

	def get_next_execution(self) -> datetime:
		"""As core's; for a run that is being executed, when that run was due."""
		running = self.flags.read_replica_work
		return (
			running.due_at
			if running and running.due_at and not running.is_log_status_called
			else super().get_next_execution()
		)

	def execute(self, *args: Any, **kwargs: Any) -> Any:
		"""As core's; warns if a job is executed here by hand that its rule gives to another server."""
		self.flags.read_replica_work = execution.take_for(self)
		if is_mariadb() and not self.flags.read_replica_work:
			_warn_if_bypassing_rule(self.method)
		return super().execute(*args, **kwargs)

	def log_status(self, status: str, *args: Any, **kwargs: Any) -> Any:
		"""As core's, which calls this right before and after the method; tells the execution so."""
		running = self.flags.read_replica_work
		if running:
			running.is_log_status_called = True
			if status != "Start":
				# Core calls this while it handles the error that the method has raised.
				running.after_method(sys.exc_info()[1] if status == "Failed" else None)
				positions.method_has_ended()
		result = super().log_status(status, *args, **kwargs)
		if running and status == "Start":
			positions.method_begins(self.name)
			running.before_method()
		return result

	def __reduce_ex__(self, protocol: int) -> tuple:
		"""Pickles a document for the cache without its class, which pickle could not find by its name."""
		_make, _arguments, *state = super().__reduce_ex__(protocol)
		return (_empty_document, (), *state)


def _empty_document() -> Any:
	# Of the class in effect where it is unpickled: an app may have been installed or removed meanwhile.
	made = base_document.get_controller(JOB_TYPE)
	return made.__new__(made)


def install() -> None:
	"""Replace Frappe's get_controller so that Scheduled Job Type has this app's class; once per process."""
	install_in_controllers(class_of_site)


def class_of_site(get_controller: Callable[[str], type]) -> type:
	"""Returns the class of Scheduled Job Type on this site, with `Split` over it if the site has this app.

	:param get_controller: core's own function
	"""
	if not has_app():
		return get_controller(JOB_TYPE)
	return over(class_overrides.underlying_class_from(get_controller))


@functools.lru_cache
def over(class_: type) -> type:
	"""Returns a subclass of this class of Scheduled Job Type with `Split` first; the same one each time."""
	if class_overrides.is_ours(class_):
		return class_
	return type(class_.__name__, (Split, class_), {"__module__": class_.__module__})


def __getattr__(name: str) -> Any:
	"""Returns SplitScheduledJobType, which hooks.py names: the class of Scheduled Job Type without this app.

	`class_of_site` asks for it and puts `Split` over it. Frappe itself asks for it only in a process where
	nothing is replaced yet, such as a scheduler that was not started by bench: then this installs the
	replacement, and returns the class with `Split` over it.

	:raises AttributeError: for any other name
	"""
	if name != "SplitScheduledJobType":
		raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
	install()
	path = [f"{class_overrides.CORE_MODULE}.ScheduledJobType", *class_overrides.override_paths()][-1]
	class_ = frappe.get_attr(path)
	return class_ if class_overrides.is_looking_up_underlying_class() else over(class_)


def _warn_if_bypassing_rule(method: str) -> None:
	rule = rule_for(method)
	if rule.server_id != this_server():
		click.secho(
			f"{method} is executed here, on {this_server()!r}, although it belongs to {rule.server_id!r}"
			f" (rule from {rule.source}). To run it there, use Run now in the desk.",
			fg="yellow",
			err=True,
		)
