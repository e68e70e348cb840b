# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tables that are written by those who only read: their rows go to the primary, and pin nothing.

Core's own logs and sessions; and the doctypes that the site's configuration (`log_doctypes`) or an app's
hook (`read_replica_log_doctypes`) names, with what core writes beside a row of theirs.
"""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import frappe

from read_replica.engine import dialect

# Read inside a scope as often as written: what is read there is merged and written back.
ALWAYS_PRIMARY = ("__UserSettings", "tabSessions")

HOOK = "read_replica_log_doctypes"


def _tables_of(doctypes) -> frozenset[str]:
	"""Their tables, and the sequences of those that are numbered: `nextval(error_log_id_seq)`."""
	sequences = (f"{doctype.lower().replace(' ', '_')}_id_seq" for doctype in doctypes)
	return frozenset((*(f"tab{doctype}" for doctype in doctypes), *sequences))


LOG_TABLES = _tables_of(
	(
		"Access Log",
		"Activity Log",
		"Console Log",
		"Error Log",
		# v14's.
		"Error Snapshot",
		"Permission Log",
		"Route History",
		"Scheduled Job Log",
		# This app's own.
		"Scheduled Run",
		"Sessions",
		"View Log",
		"Web Page View",
		"Webhook Request Log",
	)
)

LOGIN_COLUMNS = frozenset(("last_active", "last_ip", "last_login", "last_known_versions"))

# What core writes beside a row of any doctype: the last number of its series, and what was changed in it.
WRITTEN_WITH_ANY = ("Series", "Version")

# And beside a new row of these; a mail that tells somebody of it is a row, too.
WRITTEN_WITH = {"Notification Log": ("Notification Settings", "Email Queue")}

# Their text is copied into this column of the document that they belong to: core reads what stands there,
# adds to it and writes it back.
COMMENTING = frozenset(("Comment", "Communication"))
COMMENTS = "_comments"

# Each write to a table that is none of core's logs asks.
SECONDS_KNOWN = 5.0
SECONDS_CHILDREN_ARE_KNOWN = 300.0


class Listed(NamedTuple):
	"""The doctypes that count as logs on a site beside core's, and all tables and sequences of theirs."""

	doctypes: frozenset[str]
	tables: frozenset[str]
	children_known_at: float


NONE = Listed(frozenset(), frozenset(), 0.0)

_of_process: dict[str, tuple[float, Listed]] = {}


def log_names(
	table: str,
	statement: str,
	log_doctypes: Callable[[], Iterable[str]],
	ask_primary: Callable[[str, tuple], list],
) -> tuple[str, ...]:
	"""What tells later statements that must see a write of a log: the names of its table and columns.

	Nothing, if it is not one of a session, a user's last activity or a log row.

	:param log_doctypes: the doctypes that the site's configuration counts among the logs
	:param ask_primary: runs a query on the primary and returns its rows
	"""
	column = dialect.first_column_of(statement)
	if table in LOG_TABLES or (table == "tabUser" and column in LOGIN_COLUMNS):
		return (table,)
	listed = _listed(log_doctypes, ask_primary)
	if table in listed.tables:
		return (table, COMMENTS) if table[3:] in COMMENTING else (table,)
	if column == COMMENTS and listed.doctypes & COMMENTING:
		return (COMMENTS,)
	return ()


def _listed(log_doctypes: Callable[[], Iterable[str]], ask_primary: Callable[[str, tuple], list]) -> Listed:
	site, now = frappe.local.site, time.monotonic()
	known_at, listed = _of_process.get(site, (float("-inf"), NONE))
	if now - known_at < SECONDS_KNOWN:
		return listed
	named = {*log_doctypes(), *frappe.get_hooks(HOOK)}
	doctypes = frozenset(named.union(*(WRITTEN_WITH.get(doctype, ()) for doctype in named)))
	if not doctypes:
		listed = NONE
	elif doctypes != listed.doctypes or now - listed.children_known_at > SECONDS_CHILDREN_ARE_KNOWN:
		children = _children_of(doctypes, ask_primary)
		listed = Listed(doctypes, _tables_of((*doctypes, *children, *WRITTEN_WITH_ANY)), now)
	_of_process[site] = now, listed
	return listed


def _children_of(doctypes: frozenset[str], ask_primary: Callable[[str, tuple], list]) -> set[str]:
	"""The doctypes of their child tables."""
	names = tuple(sorted(doctypes))
	rows = ask_primary(
		"select options from `tabDocField` where fieldtype in ('Table', 'Table MultiSelect') and parent in %s"
		" union select options from `tabCustom Field` where fieldtype in ('Table', 'Table MultiSelect') and dt in %s",
		(names, names),
	)
	return {child for (child,) in rows if child}


def forget() -> None:
	"""Look up what is listed when it is next asked for."""
	_of_process.pop(frappe.local.site, None)
