# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes rules of the desk, for those who do not open it."""

import frappe


def set_rule(name: str, where: str) -> str:
	"""Set where a method reads by a row of Routed Method; returns what was done, in a sentence.

	:param name: a method, or `method(subject)`
	:raises frappe.ValidationError: if it cannot be a rule
	"""
	method, _, subject = name.partition("(")
	values = {"method": method.strip(), "subject": subject.rstrip(")").strip()}
	existing = frappe.db.get_value("Routed Method", values)
	row = frappe.get_doc("Routed Method", existing) if existing else frappe.new_doc("Routed Method")
	row.update(values | {"reads": where.capitalize()})
	row.save()
	frappe.db.commit()
	return f"{name}: {where}. All processes take it up within two seconds."
