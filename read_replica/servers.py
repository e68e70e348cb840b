# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which servers run a scheduler for this site: each leaves a note on the primary.

Not in Redis, which two servers need not share.
"""

import time
from datetime import timedelta

import frappe
from frappe.utils import get_datetime, now_datetime

PARENT = "__read_replica_servers"
SEEN_FOR = timedelta(hours=1)
SECONDS_BETWEEN_NOTES = 600

_noted_at: dict[tuple[str, str], float] = {}


def note(server_id: str) -> None:
	"""Note that a scheduler with this id is at work. Commits, so only for the scheduler's own tick."""
	key = (frappe.local.site, server_id)
	if time.monotonic() - _noted_at.get(key, float("-inf")) < SECONDS_BETWEEN_NOTES:
		return
	_noted_at[key] = time.monotonic()
	frappe.db.delete("DefaultValue", {"parent": PARENT, "defkey": server_id})
	row = {
		"doctype": "DefaultValue",
		"parent": PARENT,
		"parenttype": "__default",
		"parentfield": "system_defaults",
	}
	frappe.get_doc({**row, "defkey": server_id, "defvalue": str(now_datetime())}).insert(
		ignore_permissions=True
	)
	frappe.db.commit()


def seen() -> set[str]:
	"""The ids of the servers whose scheduler was at work within the last hour."""
	rows = frappe.get_all("DefaultValue", filters={"parent": PARENT}, fields=["defkey", "defvalue"])
	return {row.defkey for row in rows if get_datetime(row.defvalue) > now_datetime() - SEEN_FOR}


def forget() -> None:
	"""Delete all notes of the site."""
	frappe.db.delete("DefaultValue", {"parent": PARENT})
