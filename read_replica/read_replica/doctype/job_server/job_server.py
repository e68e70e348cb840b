# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe
from frappe.model.document import Document

from read_replica.jobs.server_rows import INDEXES


class JobServer(Document):
	"""A server that runs jobs of this site, on one host. Written by read_replica.jobs.servers."""


def on_doctype_update() -> None:
	"""Let the hosts of a server that were seen last be found without a look at those that are gone."""
	for fields in INDEXES:
		frappe.db.add_index("Job Server", fields)
