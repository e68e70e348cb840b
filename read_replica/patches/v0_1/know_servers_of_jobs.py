# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Marks runs of the first version as executed, and forgets where it noted servers."""

import frappe


def execute() -> None:
	"""Mark runs that had begun as executed, or they would be executed again."""
	frappe.db.sql("update `tabScheduled Run` set executed_at = begun_at where begun_at is not null")
	# Servers were noted there before Job Server existed.
	frappe.db.delete("DefaultValue", {"parent": "__read_replica_servers"})
