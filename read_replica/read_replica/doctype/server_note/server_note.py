# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document


class ServerNote(Document):
	"""What one app server has seen of itself when the doctor last ran there. Written by deploy.site_notes."""
