# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes rules of the desk, for those who do not open it."""

from typing import Any

import frappe
from frappe.utils import escape_html, nowdate

from read_replica.policy.called import called_of

DOCTYPE = "Routed Method"


def name_of(method: str, subject: str | None) -> str:
	"""Returns the name of a rule for a method, or for a method with a subject."""
	return f"{method}({subject})" if subject else method


def set_rule(name: str, where: str) -> str:
	"""Set where a method reads by a row of Routed Method; returns what was done, in a sentence.

	:param name: a method, or `method(subject)`
	:raises frappe.ValidationError: if it cannot be a rule
	"""
	put_rule(name, where)
	frappe.db.commit()
	return f"{name}: {where}. All processes take it up within two seconds."


def put_rule(name: str, where: str) -> None:
	"""As `set_rule`, within the transaction of the caller."""
	row = _row_of(name)
	row.reads = where.capitalize()
	row.save()


def values_of(name: str) -> dict[str, str]:
	"""Returns by what values the row for a method is found."""
	called = called_of(name)
	return {"method": called.method.strip(), "subject": called.subject.strip()}


def _row_of(name: str) -> Any:
	"""Returns the row for a method, or a new one.

	:raises frappe.ValidationError: if the name ends within its brackets
	"""
	if "(" in name and not name.endswith(")"):
		frappe.throw(
			frappe._("{0} is no name of a rule: write method or method(subject)").format(escape_html(name))
		)
	values = values_of(name)
	existing = frappe.db.get_value(DOCTYPE, values)
	if existing:
		return frappe.get_doc(DOCTYPE, existing)
	return frappe.new_doc(DOCTYPE).update(values)


def move(name: str, why: str) -> None:
	"""Let a method read on replicas, as it has never written; what it shows is never older than on the primary.

	A method that has a row already is left to that, unless the row only shows an entry of the shipped list.

	:param why: in a sentence
	"""
	_move(name, frappe._("Moved on {0}: {1}").format(nowdate(), why))


def _move(name: str, reason: str) -> None:
	row = _row_of(name)
	if not row.is_new() and row.source != "Shipped":
		return
	row.update({"reads": "Replica", "consistency": "Strong", "source": "Learned"})
	_save_with_reason(row, reason)


def take(name: str, why: str, user: str) -> None:
	"""As `move`, for a user who has taken a suggestion by a click."""
	_move(name, frappe._("Taken on {0} by {1}: {2}").format(nowdate(), user, why))


def move_back(name: str) -> None:
	"""Let a method that was moved, and has written, read where it did before; it is not moved again.

	:param name: of its row
	"""
	row = frappe.get_doc(DOCTYPE, name)
	row.reads = "Default"
	_save_with_reason(row, frappe._("Moved back on {0}, for good: it has written.").format(nowdate()))


def undo(name: str, user: str) -> None:
	"""Undo a move, or a move back, of a method; from now on its row is changed by hand only.

	:param name: of its row
	:param user: who undoes it
	"""
	row = frappe.get_doc(DOCTYPE, name)
	if row.source != "Learned":
		frappe.throw(frappe._("Routed Method {0} was not moved by itself").format(escape_html(name)))
	row.update({"reads": "Replica" if row.reads == "Default" else "Default", "source": "By Hand"})
	_save_with_reason(row, frappe._("Undone on {0} by {1}. Before: {2}").format(nowdate(), user, row.reason))


def _save_with_reason(row: Any, reason: str) -> None:
	row.reason = reason
	row.save()
	row.add_comment("Info", reason)
