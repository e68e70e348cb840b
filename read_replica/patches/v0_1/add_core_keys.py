# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Give a site that has only the original keys core's keys beside them."""

import frappe
from frappe.installer import update_site_config

from read_replica.config import core_keys_for

# Names what was added here, so that an uninstall can take it out again.
ADDED_KEYS = "read_replica_added_keys"


def execute() -> None:
	"""Add core's keys to site_config.json; safe to run any number of times."""
	added = core_keys_for(frappe.local.conf)
	if not added:
		return
	for key, value in added.items():
		update_site_config(key, value)
		frappe.local.conf[key] = value
	update_site_config(ADDED_KEYS, sorted(added))
	frappe.local.conf[ADDED_KEYS] = sorted(added)
	print(f"read_replica: added {', '.join(sorted(added))} to the configuration of {frappe.local.site}")


def undo() -> None:
	"""Take out again what `execute` has added."""
	added = frappe.local.conf.get(ADDED_KEYS)
	for key in [*added, ADDED_KEYS] if added else ():
		update_site_config(key, "None")
		frappe.local.conf.pop(key, None)
