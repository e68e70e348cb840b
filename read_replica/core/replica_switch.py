# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Core's own use of a replica: its switch for read_only, and what it does in maintenance mode."""

from typing import Any

import frappe

from read_replica.config.source import SWITCHED_ON


def switch_core_on(conf: dict) -> None:
	"""Let core's read_only call connect_replica, whichever keys name the site's replicas."""
	if not conf.get("read_from_replica"):
		conf["read_from_replica"] = SWITCHED_ON


def is_entering_maintenance() -> bool:
	"""Whether core is about to read the session of a request in maintenance mode."""
	return bool(frappe.flags.read_only) and not getattr(frappe.local, "session_obj", None)


def leave_core_replica(router: Any) -> None:
	"""Undo the swap that core makes in maintenance mode in a process in which nothing is replaced yet."""
	replica = getattr(frappe.local, "replica_db", None)
	if not router or not frappe.flags.read_only or not replica or frappe.local.db is not replica:
		return
	frappe.local.db = frappe.local.primary_db
	frappe.local.replica_db = None
	replica.close()
	frappe.local.db.begin(read_only=True)
