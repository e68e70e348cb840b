# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whether core keeps columns of a higher permission level from those who may only read the others."""

import frappe


def are_kept(user: str) -> bool:
	"""Returns whether lists and REST leave out columns that a user may not read.

	v15 and later always do; v14 only with "Apply Perm Level on API calls" in System Settings, which is off by default.

	:param user: Administrator may read all of them
	"""
	if user == "Administrator" or not frappe.get_meta("System Settings").has_field(
		"apply_perm_level_on_api_calls"
	):
		return True
	return bool(frappe.db.get_single_value("System Settings", "apply_perm_level_on_api_calls"))
