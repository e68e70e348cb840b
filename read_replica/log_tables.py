# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tables that core itself writes while it reads: their rows go to the primary, and pin nothing."""

from read_replica.engine import dialect

# Read inside a scope as often as written: what is read there is merged and written back.
ALWAYS_PRIMARY = ("__UserSettings", "tabSessions")

LOG_TABLES = frozenset(
	f"tab{doctype}"
	for doctype in (
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

# `nextval(error_log_id_seq)` names its doctype in lower case.
LOG_SEQUENCES = frozenset(f"{table[3:].lower().replace(' ', '_')}_id_seq" for table in LOG_TABLES)

LOGIN_COLUMNS = frozenset(("last_active", "last_ip", "last_login", "last_known_versions"))


def is_log_write(table: str, statement: str) -> bool:
	"""Whether a refused write is one of core's own: a session, a log row, a user's last activity."""
	if table == "tabUser":
		return dialect.first_column_of(statement) in LOGIN_COLUMNS
	return table in LOG_TABLES or table in LOG_SEQUENCES
