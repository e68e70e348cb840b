# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""@run_on: a decorator by which a scheduled method names the server that it runs on.

Read at each migrate, as core does with the jobs themselves, and stored on the primary: otherwise the
scheduler would have to import all apps.
"""

import json
from collections.abc import Callable
from typing import TypeVar

import frappe

from read_replica.core.whitelist import function_of

F = TypeVar("F", bound=Callable)

ATTRIBUTE = "read_replica_runs_on"
PARENT = "__read_replica_annotations"


def run_on(server_id: str) -> Callable[[F], F]:
	"""Decorates a scheduled method that is to run on this server unless a rule names another.

	Takes effect with the next `bench migrate`. The function itself is returned unchanged.

	:param server_id: the SERVER_ID of the server, such as "secondary"
	:raises TypeError: when the function is decorated without the id of a server
	"""
	if not isinstance(server_id, str) or not server_id.strip():
		raise TypeError(f"run_on takes the id of a server, such as run_on('secondary'), not {server_id!r}")

	def annotate(fn: F) -> F:
		setattr(fn, ATTRIBUTE, server_id.strip())
		return fn

	return annotate


def note() -> None:
	"""Store the server of each scheduled method that is decorated with @run_on (hook after_migrate)."""
	found = {}
	for method in frappe.get_all("Scheduled Job Type", pluck="method"):
		# Of a Server Script, and of what is not there any more, there is none: core reports that when it runs.
		if server_id := getattr(function_of(method), ATTRIBUTE, None):
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
	"""Returns the server id of each scheduled method that names one, as of the last migrate."""
	text = frappe.db.get_value("DefaultValue", {"parent": PARENT, "defkey": "annotations"}, "defvalue")
	return json.loads(text) if text else {}


def forget() -> None:
	"""Delete what the site has stored of annotations."""
	frappe.db.delete("DefaultValue", {"parent": PARENT})
