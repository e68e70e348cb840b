# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document


class ScheduledRun(Document):
	"""One run of a scheduled job, claimed by one scheduler. Written by read_replica.jobs.scheduled_runs."""
