# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document


class UserPosition(Document):
	"""What a user has written, where there is no common Redis. Written by read_replica.database.common_store."""
