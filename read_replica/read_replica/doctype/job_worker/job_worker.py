# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document


class JobWorker(Document):
	"""An RQ worker that runs jobs of this site. Written by read_replica.jobs.workers."""
