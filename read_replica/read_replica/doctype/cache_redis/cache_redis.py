# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from frappe.model.document import Document


class CacheRedis(Document):
	"""A cache Redis that a host uses for this site. Written by read_replica.database.common_store."""
