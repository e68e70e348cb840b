# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whether core keeps columns of a higher permission level from those who may only read the others."""

import frappe

SWITCH = "apply_perm_level_on_api_calls"


def are_kept() -> bool:
	"""Returns whether lists and REST leave out columns that a user may not read.

	v15 and later always do; v14 only with "Apply Perm Level on API calls" in System Settings, which is off by default.
	"""
	if not frappe.get_meta("System Settings").has_field(SWITCH):
		return True
	return bool(frappe.get_system_settings(SWITCH))
