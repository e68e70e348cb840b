# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe
from frappe.model.document import Document


class JobTakeover(Document):
	"""A time in which the default server ran a server's jobs. Written by read_replica.jobs.takeovers."""

	@staticmethod
	def clear_old_logs(days: int = 180) -> None:
		"""What Log Settings calls."""
		frappe.db.sql(
			"delete from `tabJob Takeover` where ended_at < utc_timestamp() - interval %s day", days
		)
