# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Shows the shipped list in the desk, as rows of Routed Method.

These rows are no rules: the list itself counts, whatever stands in the database. Whoever changes one makes it a rule
by hand, which counts before the list.
"""

import frappe

from read_replica.core.whitelist import is_there
from read_replica.policy.called import called_of
from read_replica.policy.desk import DOCTYPE, name_of
from read_replica.policy.shipped import READS, REMEMBERS_NO_WRITES


def reason_of(name: str) -> str | None:
	"""Returns why the shipped list has a method; None if it does not have it."""
	return READS.get(name) or REMEMBERS_NO_WRITES.get(name)


def sync() -> None:
	"""Add rows for what is on the list and in the apps of this site, and delete those for what is not any more."""
	wanted = {name for name in (*READS, *REMEMBERS_NO_WRITES) if _is_here(name)}
	rows = frappe.get_all(DOCTYPE, fields=["name", "method", "subject", "source"])
	there = {name_of(row.method, row.subject): row for row in rows}
	for name, row in there.items():
		if row.source == "Shipped" and name not in wanted:
			frappe.db.delete(DOCTYPE, {"name": row.name})
	for name in sorted(wanted - there.keys()):
		add(name)


def add(name: str) -> None:
	"""Add the row that shows an entry of the list."""
	called = called_of(name)
	frappe.get_doc(
		{
			"doctype": DOCTYPE,
			"method": called.method,
			"subject": called.subject,
			"reads": "Replica",
			"source": "Shipped",
			"reason": reason_of(name),
		}
	).db_insert()


def _is_here(name: str) -> bool:
	method = called_of(name).method
	return method.startswith("/") or is_there(method)
