# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the default server has run for servers that were gone: one row of Job Takeover for each time."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

import frappe

from read_replica.logs import log_event
from read_replica.placement import Place
from read_replica.servers import Server

_NOTE = """
	insert into `tabJob Takeover` (name, creation, modified, owner, modified_by, server_id, taken_by, seen_at,
		began_at, runs, last_job)
	values (%(name)s, now(6), now(6), 'Administrator', 'Administrator', %(server_id)s, %(taken_by)s, %(seen_at)s,
		utc_timestamp(6), %(runs)s, %(last_job)s)
	on duplicate key update modified = now(6), runs = runs + values(runs), last_job = values(last_job)"""


def note(runs: Iterable[tuple[Place, str]], known: Mapping[str, Server]) -> None:
	"""Note runs that were put somewhere; those of servers that are gone are recorded. Commits."""
	taken = [(place.taken_from, place.server_id, method) for place, method in runs if place.taken_from]
	counts = Counter(server_id for server_id, _, _ in taken)
	last = {server_id: (taken_by, method) for server_id, taken_by, method in taken}
	for server_id, count in sorted(counts.items()):
		taken_by, method = last[server_id]
		server = known[server_id]
		values = {
			"name": _name(server),
			"server_id": server_id,
			"taken_by": taken_by,
			"seen_at": server.seen_at,
		}
		frappe.db.sql(_NOTE, values | {"runs": count, "last_job": method})
		frappe.db.commit()
		log_event("takeover", server_id=server_id, taken_by=taken_by, runs=count, seen_at=server.seen_at)


def end(known: Mapping[str, Server]) -> None:
	"""Note which servers are back: those that have been seen since. Commits if there are any."""
	going_on = frappe.db.sql("select name, server_id from `tabJob Takeover` where ended_at is null")
	last_seen = {_name(server) for server in known.values()}
	for name, server_id in going_on:
		if name not in last_seen:
			frappe.db.sql("update `tabJob Takeover` set ended_at = utc_timestamp(6) where name = %s", name)
			frappe.db.commit()
			log_event("takeover_over", server_id=server_id)


def _name(server: Server) -> str:
	"""The same for as long as the server is not seen again."""
	text = f"{server.server_id}|{server.seen_at}"
	return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
