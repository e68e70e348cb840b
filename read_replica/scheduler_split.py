# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which server enqueues which scheduled job: SERVER_ID against Scheduler Config."""

import os
from datetime import datetime

import frappe
from croniter import croniter
from frappe.core.doctype.scheduled_job_type.scheduled_job_type import ScheduledJobType
from frappe.utils import get_datetime

from read_replica import scheduled_runs, servers
from read_replica.job_rules import DEFAULT_SERVER, rule_for


class SplitScheduledJobType(ScheduledJobType):
	"""Core's Scheduled Job Type, which enqueues itself on one server only, and each due run once."""

	def enqueue(self, force: bool = False) -> bool:
		"""As core's, but False, with nothing written, where the rule names another server.

		`force` is "Run now": that runs where it is clicked.
		"""
		if force:
			return super().enqueue(force=True)
		if rule_for(self.method).server_id != this_server():
			return False
		servers.note(this_server())
		if not self.is_event_due() or self.is_job_in_queue():
			return False
		try:
			run = scheduled_runs.claim(self.name, self.method, self.due_at, this_server())
		except Exception as error:
			if frappe.db.is_missing_table(error):
				# A migrate has not made the table yet.
				return super().enqueue()
			raise
		if not run:
			return False
		frappe.enqueue(
			"read_replica.scheduled_runs.run_once",
			queue=self.get_queue_name(),
			job_id=self.rq_job_id,
			run=run,
			job_type=self.method,
			scheduled_job_type=self.name,
		)
		return True

	@property
	def due_at(self) -> datetime:
		"""When the next run is due: the same on all servers, without what core adds at random."""
		self.get_next_execution()
		last_execution = get_datetime(self.last_execution or self.creation)
		return croniter(self.cron_format, last_execution).get_next(datetime)


def this_server() -> str:
	"""The id of this server: the environment variable SERVER_ID, else `primary`."""
	return os.environ.get("SERVER_ID", "").strip() or DEFAULT_SERVER
