# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Give a site that has only the original keys core's keys beside them."""

import frappe
from frappe.installer import update_site_config

from read_replica.core import core_keys

# Names what was added here, so that an uninstall can take it out again.
ADDED_KEYS = "read_replica_added_keys"


def execute() -> None:
	"""Add core's keys to site_config.json, or mend those added before; safe to run any number of times."""
	conf, has_user_key = frappe.local.conf, core_keys.core_has_a_key_for_the_user()
	known = conf.get(ADDED_KEYS) or []
	added = core_keys.keys_for(conf, has_user_key)
	mended = core_keys.mended_keys_for(conf, known, has_user_key)
	if not added and not mended:
		return
	names = sorted({*known, *added})
	for key, value in {**added, **mended, ADDED_KEYS: names}.items():
		update_site_config(key, value)
		conf[key] = value
	what = "added" if added else "corrected"
	print(
		f"read_replica: {what} {', '.join(sorted(added or mended))} in the configuration of {frappe.local.site}"
	)


def undo() -> None:
	"""Take out again what `execute` has added."""
	added = frappe.local.conf.get(ADDED_KEYS)
	for key in [*added, ADDED_KEYS] if added else ():
		update_site_config(key, "None")
		frappe.local.conf.pop(key, None)
