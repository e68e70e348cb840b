# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Adds core's keys to the configuration of a site that has only the original ones."""

import frappe
from frappe.installer import update_site_config

from read_replica.core import core_keys

# The key that lists the added keys, so that an uninstall can take them out again.
ADDED_KEYS = "read_replica_added_keys"


def execute() -> None:
	"""Add core's keys to site_config.json, or correct those added before; safe to run any number of times."""
	conf, has_user_key = frappe.local.conf, core_keys.core_has_user_key()
	known = conf.get(ADDED_KEYS) or []
	added = core_keys.keys_for(conf, has_user_key)
	corrected = core_keys.corrected_keys_for(conf, known, has_user_key)
	if not added and not corrected:
		return
	names = sorted({*known, *added})
	for key, value in {**added, **corrected, ADDED_KEYS: names}.items():
		update_site_config(key, value)
		conf[key] = value
	what = "added" if added else "corrected"
	print(
		f"read_replica: {what} {', '.join(sorted(added or corrected))} in the configuration of {frappe.local.site}"
	)


def undo() -> None:
	"""Take out again what `execute` has added."""
	added = frappe.local.conf.get(ADDED_KEYS)
	for key in [*added, ADDED_KEYS] if added else ():
		update_site_config(key, "None")
		frappe.local.conf.pop(key, None)
