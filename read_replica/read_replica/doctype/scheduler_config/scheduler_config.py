# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document

from read_replica import scheduler_split


class SchedulerConfig(Document):
	"""One rule: the server that enqueues a scheduled job."""

	def validate(self) -> None:
		self.job = (self.job or "").strip()
		self.server_id = (self.server_id or "").strip()
		scheduler_split.check_job(self.job)

	def on_update(self) -> None:
		scheduler_split.forget_rules()

	def on_trash(self) -> None:
		scheduler_split.forget_rules()
