# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe
from frappe.model.document import Document


class JobTakeover(Document):
	"""A period in which the default server ran another's jobs. Written by read_replica.jobs.takeovers."""

	@staticmethod
	def clear_old_logs(days: int = 180) -> None:
		"""Delete takeovers that ended more than so many days ago; Log Settings calls this."""
		frappe.db.sql(
			"delete from `tabJob Takeover` where ended_at < utc_timestamp() - interval %s day", days
		)
