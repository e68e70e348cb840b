# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Log tables: a write to one of them goes to the primary, and the scope goes on reading from its replica.

These are core's own logs and sessions, and the doctypes that the site's configuration (`log_doctypes`) or an
app's hook (`read_replica_log_doctypes`) names, with the tables that core writes together with their rows.
"""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import frappe

# Always read from the primary, too: core reads their rows, merges changes into them and writes them back.
ALWAYS_PRIMARY = ("__UserSettings", "tabSessions")

HOOK = "read_replica_log_doctypes"


def _tables_of(doctypes: Iterable[str]) -> frozenset[str]:
	"""Returns the tables of doctypes, and their sequences, as in `nextval(error_log_id_seq)`."""
	sequences = (f"{doctype.lower().replace(' ', '_')}_id_seq" for doctype in doctypes)
	return frozenset((*(f"tab{doctype}" for doctype in doctypes), *sequences))


LOG_TABLES = _tables_of(
	(
		"Access Log",
		"Activity Log",
		"Console Log",
		"Error Log",
		# Of v14.
		"Error Snapshot",
		"Permission Log",
		"Route History",
		"Scheduled Job Log",
		# Of this app.
		"Scheduled Run",
		"Sessions",
		"View Log",
		"Web Page View",
		"Webhook Request Log",
	)
)

LOGIN_COLUMNS = frozenset(("last_active", "last_ip", "last_login", "last_known_versions"))

# Written by core together with a row of any doctype: the last number of its series, and its changes.
WRITTEN_WITH_ANY = ("Series", "Version")

# Written by core together with a new row of these doctypes; a notification by mail is a row of Email Queue.
WRITTEN_WITH = {"Notification Log": ("Notification Settings", "Email Queue")}

# Core copies their text into this column of the document that they belong to: it reads the column, adds the
# text and writes it back.
COMMENT_DOCTYPES = frozenset(("Comment", "Communication"))
COMMENTS_COLUMN = "_comments"

# The list is looked up at each write to a table that is none of core's logs.
SECONDS_CACHED = 5.0
SECONDS_CHILDREN_ARE_CACHED = 300.0


class ListedDoctypes(NamedTuple):
	"""The doctypes that count as logs on a site beside core's, with all their tables and sequences.

	:param children_read_at: when their child tables were read from the database, by time.monotonic()
	"""

	doctypes: frozenset[str]
	tables: frozenset[str]
	children_read_at: float


NOTHING_LISTED = ListedDoctypes(frozenset(), frozenset(), 0.0)

# By site, with the time of the look-up.
_listed_by_site: dict[str, tuple[float, ListedDoctypes]] = {}


def log_names(
	table: str,
	column: str,
	log_doctypes: Callable[[], Iterable[str]],
	ask_primary: Callable[[str, tuple], list],
) -> tuple[str, ...]:
	"""Returns the names by which later statements that must see a write to a log are recognized.

	They are the names of its table and column; none if it is a write to anything but a session, a user's last
	activity or a log table.

	:param column: the first column that the write sets, in lower case
	:param log_doctypes: the doctypes that the site's configuration counts among the logs
	:param ask_primary: runs a query on the primary and returns its rows
	"""
	if table in LOG_TABLES or (table == "tabUser" and column in LOGIN_COLUMNS):
		return (table,)
	listed = _listed(log_doctypes, ask_primary)
	if table in listed.tables:
		return (table, COMMENTS_COLUMN) if table[3:] in COMMENT_DOCTYPES else (table,)
	if column == COMMENTS_COLUMN and listed.doctypes & COMMENT_DOCTYPES:
		return (COMMENTS_COLUMN,)
	return ()


def _listed(
	log_doctypes: Callable[[], Iterable[str]], ask_primary: Callable[[str, tuple], list]
) -> ListedDoctypes:
	site, now = frappe.local.site, time.monotonic()
	read_at, listed = _listed_by_site.get(site, (float("-inf"), NOTHING_LISTED))
	if now - read_at < SECONDS_CACHED:
		return listed
	named = {*log_doctypes(), *frappe.get_hooks(HOOK)}
	doctypes = frozenset(named.union(*(WRITTEN_WITH.get(doctype, ()) for doctype in named)))
	if not doctypes:
		listed = NOTHING_LISTED
	elif doctypes != listed.doctypes or now - listed.children_read_at > SECONDS_CHILDREN_ARE_CACHED:
		children = _children_of(doctypes, ask_primary)
		listed = ListedDoctypes(doctypes, _tables_of((*doctypes, *children, *WRITTEN_WITH_ANY)), now)
	_listed_by_site[site] = now, listed
	return listed


def _children_of(doctypes: frozenset[str], ask_primary: Callable[[str, tuple], list]) -> set[str]:
	"""Returns the doctypes of the child tables of doctypes."""
	names = tuple(sorted(doctypes))
	rows = ask_primary(
		"select options from `tabDocField` where fieldtype in ('Table', 'Table MultiSelect') and parent in %s"
		" union select options from `tabCustom Field` where fieldtype in ('Table', 'Table MultiSelect') and dt in %s",
		(names, names),
	)
	return {child for (child,) in rows if child}


def forget() -> None:
	"""Forget which doctypes the current site lists, so that the next write looks them up."""
	_listed_by_site.pop(frappe.local.site, None)
