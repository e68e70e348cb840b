# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe


def execute() -> None:
	"""Runs that had begun before they were marked as executed are not to be executed again."""
	frappe.db.sql("update `tabScheduled Run` set executed_at = begun_at where begun_at is not null")
	# Where servers were noted before Job Server.
	frappe.db.delete("DefaultValue", {"parent": "__read_replica_servers"})
