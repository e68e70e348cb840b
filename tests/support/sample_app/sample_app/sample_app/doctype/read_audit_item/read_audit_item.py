# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document


class ReadAuditItem(Document):
	"""A row of a Read Audit."""
