# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe
from frappe.model.document import Document

from read_replica.jobs.server_rows import INDEXES


class JobServer(Document):
	"""One host of a server that runs jobs of this site. Written by read_replica.jobs.servers."""


def on_doctype_update() -> None:
	"""Add the indexes by which a server's last hosts are found without reading those that are gone."""
	for fields in INDEXES:
		frappe.db.add_index("Job Server", fields)
