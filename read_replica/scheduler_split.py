# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Scheduled Job Type, each of whose runs is put into a queue by one server, for the right one.

Over whatever class core and the other apps of the site give it: see `core/replacements.py`.
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
from read_replica.jobs.rules import rule_for
from read_replica.jobs.servers import this_server
from read_replica.site import has_app, is_mariadb


class Split:
	"""What the scheduler asks to put itself into a queue, and the worker to execute itself."""

	is_split_over_servers = True

	def enqueue(self, force: bool = False, *args, **kwargs) -> bool:
		"""As core's, but False, with nothing written, where another server's scheduler sees to it.

		`force` is "Run now". With further arguments it is a call of another app's own, to its own class.
		"""
		if args or kwargs or not is_mariadb() or (force and frappe.flags.execute_job):
			# v14 executes it in place then.
			return super().enqueue(force, *args, **kwargs)
		try:
			if force:
				return run_now.run(self)
			now = tick.current()
			run = now.take(self)
			return bool(run) and now.put(run._replace(job=self))
		except Exception as error:
			if is_before_migrate(error):
				return super().enqueue(force=force)
			if force:
				raise
			# Core would end its tick.
			log_event("not_scheduled", job=self.method, error=f"{type(error).__name__} {error}")
			return False

	def enqueue_by_own_class(self) -> Any:
		"""Let another app's `enqueue` put the job into its queue, whatever it has in Redis."""
		self.flags.read_replica_is_put = True
		try:
			return super().enqueue(force=True)
		finally:
			self.flags.read_replica_is_put = False

	def is_job_in_queue(self) -> bool:
		return not self.flags.read_replica_is_put and super().is_job_in_queue()

	def get_next_execution(self) -> datetime:
		"""As core's; of a run that a worker has in hand, when it was due, as the job's next time is another."""
		work = self.flags.read_replica_work
		return (
			work.due_at
			if work and work.due_at and not work.is_log_status_called
			else super().get_next_execution()
		)

	def execute(self, *args, **kwargs) -> Any:
		"""As core's; says so when somebody executes a job by hand that a rule gives to another server."""
		self.flags.read_replica_work = execution.take_for(self)
		if is_mariadb() and not self.flags.read_replica_work:
			_say_that_it_bypasses_its_rule(self.method)
		return super().execute(*args, **kwargs)

	def log_status(self, status: str, *args, **kwargs) -> Any:
		"""Core calls it right before the method begins, and when it has ended."""
		work = self.flags.read_replica_work
		if work:
			work.is_log_status_called = True
			if status != "Start":
				# Core calls it where it has caught what the method has raised.
				work.after_method(sys.exc_info()[1] if status == "Failed" else None)
				positions.method_has_ended()
		result = super().log_status(status, *args, **kwargs)
		if work and status == "Start":
			positions.method_begins(self.name)
			work.before_method()
		return result

	def __reduce_ex__(self, protocol: int) -> tuple:
		"""For the cache: the class is made in each process, and so is not found by its name."""
		_make, _arguments, *state = super().__reduce_ex__(protocol)
		return (_empty_document, (), *state)


def _empty_document() -> Any:
	# Of the class that is in effect where it is loaded: an app may have come or gone meanwhile.
	made = base_document.get_controller(JOB_TYPE)
	return made.__new__(made)


def install() -> None:
	"""Let Frappe know Scheduled Job Type by the class of this app; once per process."""
	install_in_controllers(class_of_site)


def class_of_site(get_controller: Callable[[str], type]) -> type:
	"""The class of Scheduled Job Type on the current site, with ours over it if the site has this app.

	:param get_controller: core's own
	"""
	if not has_app():
		return get_controller(JOB_TYPE)
	return over(class_overrides.underlying_class_from(get_controller))


@functools.lru_cache
def over(class_: type) -> type:
	"""This class of Scheduled Job Type with ours before it, so that neither loses what it does."""
	if class_overrides.is_ours(class_):
		return class_
	return type(class_.__name__, (Split, class_), {"__module__": class_.__module__})


def __getattr__(name: str) -> Any:
	"""What the hook for the class names: the class that there would be without this app.

	`class_of_site` asks for it and puts ours over it. Frappe itself asks in a process in which nothing is
	replaced, such as a scheduler that was not started by bench; from then on it is.
	"""
	if name != "SplitScheduledJobType":
		raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
	install()
	path = [f"{class_overrides.CORE_MODULE}.ScheduledJobType", *class_overrides.override_paths()][-1]
	class_ = frappe.get_attr(path)
	return class_ if class_overrides.is_looking_up_underlying_class() else over(class_)


def _say_that_it_bypasses_its_rule(method: str) -> None:
	rule = rule_for(method)
	if rule.server_id != this_server():
		click.secho(
			f"{method} is executed here, on {this_server()!r}, although it belongs to {rule.server_id!r}"
			f" (rule from {rule.source}). To run it there, use Run now in the desk.",
			fg="yellow",
			err=True,
		)
