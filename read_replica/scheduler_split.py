# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Core's Scheduled Job Type, each of whose runs is put into a queue by one server, for the right one."""

import click
import frappe
from frappe.core.doctype.scheduled_job_type.scheduled_job_type import ScheduledJobType

from read_replica import job_positions, run_now, tick
from read_replica.job_rules import rule_for
from read_replica.logs import log_event
from read_replica.own_transaction import is_before_migrate
from read_replica.servers import this_server
from read_replica.site import is_mariadb


class SplitScheduledJobType(ScheduledJobType):
	"""What the scheduler asks to put itself into a queue, and the worker to execute itself."""

	def enqueue(self, force: bool = False) -> bool:
		"""As core's, but False, with nothing written, where another server's scheduler sees to it.

		`force` is "Run now".
		"""
		if not is_mariadb() or (force and frappe.flags.execute_job):
			# v14 executes it in place then.
			return super().enqueue(force=force)
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

	def execute(self) -> None:
		"""As core's; says so when somebody executes a job by hand that a rule gives to another server."""
		if is_mariadb() and not self.flags.read_replica_work:
			_say_that_it_bypasses_its_rule(self.method)
		super().execute()

	def log_status(self, status: str) -> None:
		"""Core calls it right before the method begins, and when it has ended."""
		work = self.flags.read_replica_work
		if work and status != "Start":
			work.ends()
			job_positions.method_has_ended()
		super().log_status(status)
		if work and status == "Start":
			job_positions.method_begins(self.name)
			work.begins()


def _say_that_it_bypasses_its_rule(method: str) -> None:
	rule = rule_for(method)
	if rule.server_id != this_server():
		click.secho(
			f"{method} is executed here, on {this_server()!r}, although it belongs to {rule.server_id!r}"
			f" (rule from {rule.source}). To run it there, use Run now in the desk.",
			fg="yellow",
			err=True,
		)
