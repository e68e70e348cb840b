# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Rows of Job Takeover: each is a period in which the default server ran the jobs of one that was gone."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

import frappe
from frappe.utils import now

from read_replica.database.bookkeeping import execute_and_commit
from read_replica.database.event_log import log_event
from read_replica.jobs.placement import Place
from read_replica.jobs.servers import Server

# The last sign of life of a worker that is gone is computed anew each time, and may move by so much.
SECONDS_OF_DOUBT = 5

_INSERT = """
	insert ignore into `tabJob Takeover` (name, creation, modified, owner, modified_by, server_id, taken_by,
		seen_at, began_at, runs, last_job)
	values (%(name)s, %(now)s, %(now)s, 'Administrator', 'Administrator', %(server_id)s, %(taken_by)s, %(seen_at)s,
		utc_timestamp(6), %(runs)s, %(last_job)s)"""


def note(runs: Iterable[tuple[Place, str]], known: Mapping[str, Server]) -> None:
	"""Record those of these runs that were enqueued for servers that are gone. Commits if there are any.

	:param runs: where each run was enqueued, and its method
	:param known: the servers by their ids
	"""
	taken = [(place.taken_from, place.server_id, method) for place, method in runs if place.taken_from]
	counts = Counter(server_id for server_id, _, _ in taken)
	last = {server_id: (taken_by, method) for server_id, taken_by, method in taken}
	for server_id, count in sorted(counts.items()):
		taken_by, method = last[server_id]
		server = known[server_id]
		has_begun = execute_and_commit(
			"update `tabJob Takeover` set modified = %s, runs = runs + %s, last_job = %s"
			" where binary server_id = %s and ended_at is null",
			(now(), count, method, server_id),
		)
		if not has_begun:
			values = {"now": now(), "name": _name(server), "server_id": server_id, "taken_by": taken_by}
			execute_and_commit(
				_INSERT, values | {"seen_at": server.seen_at, "runs": count, "last_job": method}
			)
		log_event("takeover", server_id=server_id, taken_by=taken_by, runs=count, seen_at=str(server.seen_at))


def end(known: Mapping[str, Server]) -> None:
	"""End the takeovers of servers that have been seen again since. Commits if there are any."""
	going_on = frappe.db.sql("select name, server_id, seen_at from `tabJob Takeover` where ended_at is null")
	for name, server_id, seen_at in going_on:
		server = known.get(server_id)
		if server and server.seen_at > seen_at + timedelta(seconds=SECONDS_OF_DOUBT):
			execute_and_commit(
				"update `tabJob Takeover` set ended_at = utc_timestamp(6) where name = %s", (name,)
			)
			log_event("takeover_over", server_id=server_id)


def servers_taken_over() -> set[str]:
	"""Returns the ids of the servers whose jobs are taken over now."""
	found = frappe.db.sql("select server_id from `tabJob Takeover` where ended_at is null")
	return {server_id for (server_id,) in found}


def _name(server: Server) -> str:
	text = f"{server.server_id}|{server.seen_at}"
	return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
