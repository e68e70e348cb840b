# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document


class ScheduledRun(Document):
	"""One due run of a scheduled job, claimed by one server. Written by read_replica.jobs.scheduled_runs."""
