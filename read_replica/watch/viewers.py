# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Who may look at what this app shows: System Managers, and users with the role Read Replica Viewer.

Viewers see rules, servers, runs and outages. Columns with hosts and with errors, which may name hosts and users of
databases, have permission level 1, which only System Managers have.
"""

from typing import Any

import frappe

from read_replica.core.column_permissions import are_kept

SYSTEM_MANAGER = "System Manager"
VIEWER = "Read Replica Viewer"


def only_rows_with_kept_columns(user: str | None = None) -> str:
	"""Returns no condition, or one that no row meets where a viewer would be given all columns (hook)."""
	return "" if _may_look(user or frappe.session.user) else "1 = 0"


def has_permission(doc: Any, user: str | None = None, **kwargs: Any) -> bool:
	"""Returns whether a row may be given to a user, who has the permission for its doctype otherwise (hook)."""
	return _may_look(user or frappe.session.user)


def _may_look(user: str) -> bool:
	return SYSTEM_MANAGER in frappe.get_roles(user) or are_kept()


def forget() -> None:
	"""Delete the role and take it from all who have it, as at an uninstall: core leaves both behind."""
	for doctype in ("Has Role", "DocPerm", "Custom DocPerm"):
		frappe.db.delete(doctype, {"role": VIEWER})
	frappe.db.delete("Role", {"name": VIEWER})
