# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The server that a scheduled method names for itself, by @run_on.

Looked up at each migrate, as the jobs themselves are, and kept on the primary: the scheduler would have
to import all apps to see it.
"""

import json
from collections.abc import Callable
from typing import TypeVar

import frappe

F = TypeVar("F", bound=Callable)

ATTRIBUTE = "read_replica_runs_on"
PARENT = "__read_replica_annotations"


def run_on(server_id: str) -> Callable[[F], F]:
	"""Let a scheduled method run on this server, where no rule says otherwise; `bench migrate` takes it up.

	:raises TypeError: when the function is decorated without the id of a server
	"""
	if not isinstance(server_id, str) or not server_id.strip():
		raise TypeError(f"run_on takes the id of a server, such as run_on('secondary'), not {server_id!r}")

	def annotate(fn: F) -> F:
		setattr(fn, ATTRIBUTE, server_id.strip())
		return fn

	return annotate


def note() -> None:
	"""after_migrate: look up what the scheduled methods of the site say."""
	found = {}
	for method in frappe.get_all("Scheduled Job Type", pluck="method"):
		try:
			server_id = getattr(frappe.get_attr(method), ATTRIBUTE, None)
		except Exception:
			# A server script, or a method that is gone: core says so when it runs.
			continue
		if server_id:
			found[method] = server_id
	forget()
	if found:
		frappe.get_doc(
			{
				"doctype": "DefaultValue",
				"parent": PARENT,
				"parenttype": "__default",
				"parentfield": "system_defaults",
				"defkey": "annotations",
				"defvalue": json.dumps(found),
			}
		).insert(ignore_permissions=True)


def load() -> dict[str, str]:
	"""The server of each scheduled method that names one."""
	text = frappe.db.get_value("DefaultValue", {"parent": PARENT, "defkey": "annotations"}, "defvalue")
	return json.loads(text) if text else {}


def forget() -> None:
	"""Delete what is kept for the site."""
	frappe.db.delete("DefaultValue", {"parent": PARENT})
