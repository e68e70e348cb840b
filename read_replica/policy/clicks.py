# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a click on the page Routed Methods does: take suggestions, set rules, and undo both."""

from collections.abc import Iterable

import frappe
from frappe.utils import escape_html

from read_replica.database.host import shared_of_site
from read_replica.policy import desk, sources
from read_replica.policy.rules import Rules
from read_replica.policy.suggestions import suggestions

PLACES = ("replica", "primary", "default")


def take(names: Iterable[str]) -> None:
	"""Let methods that are suggested read on replicas; their first write moves them back.

	:raises frappe.ValidationError: if one of them is no suggestion any more; nothing is changed then
	"""
	found = {
		one.name: one for one in suggestions(shared_of_site().load_requests(), Rules("", sources.load()))
	}
	for name in names:
		if name not in found:
			frappe.throw(
				frappe._("{0} is not suggested any more. Load the page again.").format(
					frappe.bold(escape_html(name))
				)
			)
		desk.take(name, found[name].reason, frappe.session.user)


def set_rules(names: Iterable[str], where: str) -> None:
	"""Set by rules of the desk where methods read.

	:param where: replica, primary or default
	:raises frappe.ValidationError: if there can be no such rule for one of them; nothing is changed then
	"""
	if where not in PLACES:
		frappe.throw(
			frappe._("A method reads on replica, primary or default, not {0}").format(escape_html(where))
		)
	for name in names:
		if name.startswith("job:"):
			frappe.throw(
				frappe._("{0} is a job: its rule stands in Scheduler Config").format(escape_html(name))
			)
		desk.put_rule(name, where)


def undo(names: Iterable[str]) -> None:
	"""Undo what was taken, moved or set in the desk for methods: they read where they did before.

	A method that was moved by itself, and would be again, keeps a row that says so.
	"""
	moves_by_itself = sources.is_switched_on("auto")
	for name in names:
		row = frappe.db.get_value(
			desk.DOCTYPE, desk.values_of(name), ["name", "source", "reads"], as_dict=True
		)
		if row is None or row.source == "Shipped":
			continue
		if row.source == "Learned" and row.reads == "Replica" and moves_by_itself:
			desk.undo(row.name, frappe.session.user)
		else:
			frappe.delete_doc(desk.DOCTYPE, row.name)
