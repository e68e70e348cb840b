# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document


class ReadAudit(Document):
	"""What an app writes with each read: named by a series, with rows of a child table, and versions."""
