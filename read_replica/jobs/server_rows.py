# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Rows of Job Server, one for each host of a server: which of them are read, and which are deleted.

A server whose workers get a new host name with each rollout has thousands of hosts that are gone. What an
enqueue or a tick reads must not grow with them: only each server's last hosts are read, by an index.
"""

from collections.abc import Iterable
from datetime import datetime

import frappe

from read_replica.database.bookkeeping import is_before_migrate

# Afterwards, the row of a host that another has replaced is deleted.
DAYS_KEPT = 30

# Of each server, so many hosts are read: those that were seen last.
HOSTS_PER_SERVER = 20
ROWS_AT_A_TIME = 1000


def last_seen_names(server_ids: Iterable[str]) -> list[str]:
	"""Returns the names of the rows of those hosts of these servers that were seen last."""
	names = []
	for server_id in sorted(server_ids):
		found = frappe.db.sql(_LAST_SEEN, (server_id,) * _LAST_SEEN.count("%s"))
		names += [name for (name,) in found]
	return names


def _last(by: str, only: str = "", limit: int = 1) -> str:
	# Twice: the first comparison is by the collation and uses the index, the second one is case-sensitive.
	return (
		"(select name from `tabJob Server` where server_id = %s and binary server_id = %s"
		f" {only} order by {by} desc limit {limit})"
	)


# A host that never had a worker, or a scheduler, is ordered by when its row was made; see `INDEXES`.
_LAST_SEEN = " union ".join(
	(
		_last("workers_alive_at", limit=HOSTS_PER_SERVER),
		_last("scheduler_alive_at"),
		_last("missed_since", "and workers_alive_at is null"),
		_last("missed_since", "and scheduler_alive_at is null"),
	)
)

# As long as RQ lists a worker that is gone.
SECONDS_LOOKED_BACK = 3600


def last_worker_notes(server_ids: Iterable[str], bench: str) -> dict[str, datetime]:
	"""Returns when a worker of each server's own queue last noted itself, by the database's clock.

	:param bench: the id of the bench whose workers count
	"""
	try:
		rows = frappe.db.sql(
			"select queues, max(alive_at) from `tabJob Worker`"
			" where alive_at > utc_timestamp(6) - interval %s second and bench = %s group by queues",
			(SECONDS_LOOKED_BACK, bench),
		)
	except Exception as error:
		if not is_before_migrate(error):
			raise
		return {}
	found: dict[str, datetime] = {}
	for queues, alive_at in rows:
		for server_id in set(server_ids).intersection((queues or "").split(", ")):
			found[server_id] = max(alive_at, found.get(server_id, alive_at))
	return found


INDEXES = (
	("server_id", "workers_alive_at", "missed_since"),
	("server_id", "scheduler_alive_at", "missed_since"),
)


def obsolete_names(named: set[str]) -> list[str]:
	"""Returns the names of old rows to delete: of hosts that were replaced, of servers not in use.

	About a thousand at a time.

	:param named: the ids of the servers that are in use
	"""
	rows = columns_of(f"name, server_id, host, {_IS_OLD}", last_seen_names(named), DAYS_KEPT)
	in_use = {server_id for _, server_id, host, is_old in rows if host and not is_old}
	# The last rows of a server that is gone tell since when.
	kept = {name for name, server_id, _, _ in rows if server_id not in in_use}
	old = frappe.db.sql(
		"select name from `tabJob Server`"
		f" where missed_since < utc_timestamp() - interval %s day and {_IS_OLD} limit %s",
		(DAYS_KEPT, DAYS_KEPT, ROWS_AT_A_TIME),
	)
	names = {name for (name,) in old if name not in kept}
	return sorted(names | {name for name, server_id, host, _ in rows if not host and server_id in in_use})


_IS_OLD = (
	"greatest(coalesce(scheduler_alive_at, missed_since), coalesce(workers_alive_at, missed_since))"
	" < utc_timestamp() - interval %s day"
)


def columns_of(columns: str, names: list[str] | None, *values: object) -> list[tuple]:
	"""Returns these columns of the rows with these names, or of all rows if `names` is None."""
	if names is None:
		return frappe.db.sql(f"select {columns} from `tabJob Server`", values)
	if not names:
		return []
	return frappe.db.sql(f"select {columns} from `tabJob Server` where name in %s", (*values, names))
