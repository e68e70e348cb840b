# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Classes of Scheduled Job Type, as other apps have them. site_config.json names the one in use."""

import frappe
from frappe.core.doctype.scheduled_job_type.scheduled_job_type import ScheduledJobType
from frappe.model.document import Document
from frappe.utils import now_datetime
from frappe.utils.background_jobs import enqueue


class WithArguments(ScheduledJobType):
	"""Gives its jobs arguments, and some of them a queue and an id."""

	def execute(self, **more):
		"""As core's, with arguments; and not before it is due, as a public app has it."""
		if self.next_execution and self.next_execution > now_datetime():
			return
		self.scheduler_log = None
		try:
			self.log_status("Start")
			frappe.get_attr(self.method)(**self.arguments(), **more)
			frappe.db.commit()
			self.log_status("Complete")
		except Exception:
			frappe.db.rollback()
			self.log_status("Failed")

	def arguments(self) -> dict:
		return {"of": self.name} if self.method.startswith("other_app.") else {}

	def get_queue_name(self):
		return "short" if self.method.startswith("other_app.") else super().get_queue_name()

	@property
	def rq_job_id(self):
		return f"of_other_app||{self.name}"


class Quiet(WithArguments):
	"""Says nothing of when its jobs begin and end."""

	def execute(self):
		frappe.get_attr(self.method)(**self.arguments())


class PutsItself(WithArguments):
	"""Puts its runs into a queue by a function of its own, with arguments that are known only there."""

	def enqueue(self, force=False):
		if not (force or self.is_event_due()) or self.is_job_in_queue():
			return False
		enqueue(
			"other_app.job_types.execute_with",
			queue=self.get_queue_name(),
			job_id=self.rq_job_id,
			job_type=self.method,
			name=self.name,
			arguments={"asked_by": "enqueue"},
		)
		return True


class RunsAtOnce(WithArguments):
	"""Needs no queue; and does nothing on holidays."""

	def enqueue(self, force=False):
		if not self.is_event_due() or frappe.cache().get_value("other_app_holiday"):
			return False
		self.execute()
		return True


class OfItsOwn(Document):
	"""Has nothing of core's class; v16 refuses it."""

	def execute(self):
		frappe.get_attr(self.method)(of=self.name)


def execute_with(job_type, name, arguments):
	frappe.get_doc("Scheduled Job Type", name).execute(**arguments)


class SameId(WithArguments):
	"""Knows its jobs in Redis by their method, as core up to v15, and has several for one method."""

	def autoname(self):
		self.name = f"{self.method} {self.frequency}"

	@property
	def rq_job_id(self):
		return f"of_other_app||{self.method}"


class DueByItself(WithArguments):
	"""Is due when it says so, whatever core's fields say."""

	def is_event_due(self, current_time=None):
		return not frappe.cache().get_value("other_app_holiday")


class Extension:
	"""What v16 puts before any of them."""

	def execute(self, *args, **kwargs):
		frappe.local.other_app_extension = True
		return super().execute(*args, **kwargs)


def __getattr__(name: str):
	if name == "JobType":
		return globals()[frappe.conf.get("other_app_class") or "WithArguments"]
	raise AttributeError(name)
