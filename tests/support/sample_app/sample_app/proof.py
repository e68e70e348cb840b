# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whitelisted methods that nobody decorated, for the proof of the policy: rules alone say where they read.

Each tells which server has answered it, and in which process.
"""

import os
from collections.abc import Callable

import frappe

PROBES = 3
WRITERS = 4

# What is cached in Redis and made by reading it if it is missing, as many apps do.
KEPT, GENERATED = "of_the_policy_proof", "generated_of_the_policy_proof"


def where() -> tuple[int, int]:
	return frappe.db.sql("select @@server_id")[0][0], os.getpid()


def _make_probe() -> Callable:
	def probe():
		return where()

	return probe


def _make_writer() -> Callable:
	def writer(description: str):
		before = where()
		frappe.get_doc({"doctype": "ToDo", "description": description}).insert()
		return [before, where()]

	return writer


# Several of each, so that their rules can change apart from each other.
for _number in range(PROBES):
	globals()[f"probe_{_number}"] = frappe.whitelist()(_make_probe())
for _number in range(WRITERS):
	globals()[f"writer_{_number}"] = frappe.whitelist()(_make_writer())


@frappe.whitelist()
def number_of(name: str):
	"""What stands in a user's document."""
	return [frappe.db.get_value("ToDo", name, "description"), where()]


@frappe.whitelist()
def cached(names: list | str):
	"""What caches show of these documents, by each way in which core or an app may cache a row."""
	seen = where()
	documents = [frappe.get_cached_doc("ToDo", name).description for name in names]
	values = [frappe.get_cached_value("ToDo", name, "description") for name in names]
	kept = frappe.cache().get_value(KEPT)
	if kept is None:
		kept = _descriptions(names)
		frappe.cache().set_value(KEPT, kept)
	generated = frappe.cache().get_value(GENERATED, lambda: _descriptions(names))
	return [{"documents": documents, "values": values, "kept": kept, "generated": generated}, seen]


def _descriptions(names: list) -> list[str]:
	return [frappe.db.get_value("ToDo", name, "description") for name in names]


@frappe.whitelist()
def write_cached(name: str, description: str):
	"""Change one of the documents, and let go of what is cached of it once that is committed."""
	doc = frappe.get_doc("ToDo", name)
	doc.description = description
	doc.save()
	frappe.db.commit()
	frappe.cache().delete_value(KEPT)
	frappe.cache().delete_value(GENERATED)
