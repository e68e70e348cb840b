# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document


class JobServer(Document):
	"""A server that runs jobs of this site, on one host. Written by read_replica.servers."""
