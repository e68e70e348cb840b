# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Handles core's own use of a replica: the key that switches its read_only on, and its maintenance mode."""

from typing import Any

import frappe

from read_replica.config.keys import SWITCHED_ON


def switch_core_on(conf: dict) -> None:
	"""Set `read_from_replica` for this request, so that core's read_only calls connect_replica.

	The site may name its replicas in other keys, and core looks at this one alone.
	"""
	if not conf.get("read_from_replica"):
		conf["read_from_replica"] = SWITCHED_ON


def is_entering_maintenance() -> bool:
	"""Returns whether core is about to read the session of a request in maintenance mode."""
	return bool(frappe.flags.read_only) and not getattr(frappe.local, "session_obj", None)


def leave_core_replica(router: Any) -> None:
	"""Put the primary back if core has connected to a replica by itself, for maintenance mode.

	It does so in a process in which its connect_replica is not replaced yet.
	"""
	replica = getattr(frappe.local, "replica_db", None)
	if not router or not frappe.flags.read_only or not replica or frappe.local.db is not replica:
		return
	frappe.local.db = frappe.local.primary_db
	frappe.local.replica_db = None
	replica.close()
	frappe.local.db.begin(read_only=True)
