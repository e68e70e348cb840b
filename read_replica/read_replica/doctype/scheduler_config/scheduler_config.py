# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document

from read_replica import job_rules


class SchedulerConfig(Document):
	"""One rule: the server that enqueues a scheduled job."""

	def validate(self) -> None:
		self.job = (self.job or "").strip()
		self.server_id = (self.server_id or "").strip()
		job_rules.check_job(self.job)

	def on_update(self) -> None:
		job_rules.forget_rules()

	def on_trash(self) -> None:
		job_rules.forget_rules()
