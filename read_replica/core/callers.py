# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Names the function that core's read_only is about to call, which it does not pass to connect_replica."""

import sys
from collections.abc import Callable

import frappe

# The longest name of a doctype or report.
LONGEST_SUBJECT = 140


def name_of(fn: Callable) -> str:
	"""Returns the dotted path under which a function is counted and listed."""
	return f"{fn.__module__}.{fn.__qualname__}"


def caller_of_connect_replica(depth: int) -> str:
	"""Returns the name of the function that core's read_only decorates, read from the frame of its wrapper.

	:param depth: how many frames above the caller of this function core's wrapper is
	"""
	wrapper = sys._getframe(depth + 1).f_locals
	fn = wrapper.get("fn")
	if not callable(fn):
		return "frappe.connect_replica"
	return name_of(fn) + _subject_of(fn.__module__, wrapper["args"], wrapper["kwargs"])


def _subject_of(module: str, args: tuple, kwargs: dict) -> str:
	"""Returns the report or doctype that a function of core works for, in parentheses, or nothing.

	All reports run through one function: a report that writes must not keep all others on the primary.
	"""
	subject = None
	if module == "frappe.desk.query_report":
		report = args[0] if args else kwargs.get("report_name") or kwargs.get("report")
		subject = getattr(report, "name", report)
	elif module == "frappe.desk.reportview":
		subject = kwargs.get("doctype") or frappe.form_dict.get("doctype")
	if not isinstance(subject, str) or not subject:
		return ""
	# It comes from a request, and is not validated yet.
	name = subject[:LONGEST_SUBJECT].encode("utf-8", "replace").decode()
	return f"({name})"
