# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which servers there are, and when each was last seen: rows of Job Server on the primary.

Not in Redis, which two servers need not share. Each scheduler notes itself and the workers that it sees (see
`workers`), and a worker its server as it begins a job; all times are the database's. A server that a rule
names and nobody has seen has a row as well, so that it is known for how long it has been missing.
"""

import hashlib
import os
import socket
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import frappe
from frappe.utils import get_bench_id, now
from frappe.utils.background_jobs import generate_qname
from redis.exceptions import RedisError
from rq import get_current_job

from read_replica import __version__
from read_replica.database.bookkeeping import execute_and_commit
from read_replica.database.event_log import log_event
from read_replica.jobs import server_rows
from read_replica.jobs.queues import WorkerInfo, has_own_queue
from read_replica.jobs.rules import DEFAULT_SERVER
from read_replica.jobs.tick_interval import interval_of

SECONDS_BETWEEN_NOTES_OF_WORKERS = 60

# In seconds; what the database can take from its clock.
A_LONG_TIME = 10**8

# Where a scheduler has seen workers so lately, nobody looks for what they have noted since.
SECONDS_UNTIL_ASKED = 10

# A worker that is gone has its last sign of life worked out anew each time, from two clocks.
SECONDS_OF_DOUBT = 2

_NOTE = f"""
	insert into `tabJob Server`
		(name, creation, modified, owner, modified_by, server_id, host, bench, app_version, missed_since,
		scheduler_alive_at, seconds_between_ticks, ticks_since, workers_alive_at, workers, queues)
	values (%(name)s, %(now)s, %(now)s, 'Administrator', 'Administrator', %(server_id)s, %(host)s, %(bench)s,
		%(app_version)s, utc_timestamp(6), if(%(is_scheduler)s, utc_timestamp(6), null),
		%(seconds_between_ticks)s, if(%(is_scheduler)s, coalesce(%(ticks_since)s, utc_timestamp(6)), null),
		utc_timestamp(6) - interval %(age)s second, coalesce(%(workers)s, 0), %(queues)s)
	on duplicate key update modified = %(now)s,
		app_version = coalesce(values(app_version), app_version),
		scheduler_alive_at = coalesce(values(scheduler_alive_at), scheduler_alive_at),
		seconds_between_ticks = if(%(is_scheduler)s, values(seconds_between_ticks), seconds_between_ticks),
		ticks_since = coalesce(values(ticks_since), ticks_since),
		workers_alive_at = if(workers_alive_at is null
			or values(workers_alive_at) > workers_alive_at + interval {SECONDS_OF_DOUBT} second,
			coalesce(values(workers_alive_at), workers_alive_at), workers_alive_at),
		workers = coalesce(%(workers)s, workers), queues = coalesce(nullif(values(queues), ''), queues)"""


@dataclass(frozen=True)
class Server:
	"""What is known of the server with this id, all of its hosts together.

	:param age: seconds since it was last able to run jobs, or since it was first missed
	:param missed_for: the same, without the time in which nobody here could have seen it
	:param seconds_between_signs: seconds between its signs of life, if it is known by those of its scheduler
	:param seen_at: when it was last able to run jobs, by the database's clock
	:param was_seen: whether anything of it was ever seen
	"""

	server_id: str
	age: float
	missed_for: float
	seconds_between_signs: float
	seen_at: datetime
	was_seen: bool

	def is_gone(self, takeover_after: float) -> bool:
		"""Whether its jobs are another's now; never where `takeover_after` is 0.

		One that misses a single tick is not, however short that time is.
		"""
		return bool(takeover_after) and self.missed_for > max(takeover_after, 2 * self.seconds_between_signs)


def this_server() -> str:
	"""The id of this server: the environment variable SERVER_ID, else `primary`."""
	return os.environ.get("SERVER_ID", "").strip() or DEFAULT_SERVER


def note(readers: list[WorkerInfo], named: Iterable[str]) -> None:
	"""From the scheduler of this server: note it, the workers that it sees, and servers never seen. Commits.

	:param readers: see `workers.seen`
	:param named: the ids of the servers that rules name
	"""
	here = this_server()
	hosts = _by_server_and_host(readers, here, {here, *named})
	hosts.setdefault((here, socket.gethostname()), [])
	for (server_id, host), its_readers in sorted(hosts.items()):
		_write(server_id, host, its_readers, is_scheduler=(server_id, host) == (here, socket.gethostname()))
	for server_id in sorted(set(named) - {here}):
		execute_and_commit(
			"insert ignore into `tabJob Server`"
			" (name, creation, modified, owner, modified_by, server_id, host, missed_since)"
			" select %(name)s, %(now)s, %(now)s, 'Administrator', 'Administrator', %(server_id)s, '', utc_timestamp(6)"
			" from dual where not exists"
			" (select 1 from `tabJob Server` where server_id = %(server_id)s and binary server_id = %(server_id)s)",
			{"now": now(), "name": _name(server_id, "", ""), "server_id": server_id},
		)


def _by_server_and_host(
	readers: list[WorkerInfo], here: str, server_ids: set[str]
) -> dict[tuple[str, str], list[WorkerInfo]]:
	"""Whose workers they are: of the server whose own queue they read; without such queues, of their own."""
	hosts = defaultdict(list)
	for reader in readers:
		own = [queue for queue in reader.queues if queue in server_ids and has_own_queue(queue)]
		its_server = reader.server_id or here
		for server_id in own or ([] if has_own_queue(its_server) else [its_server]):
			hosts[server_id, reader.host].append(reader)
	return hosts


def _write(server_id: str, host: str, readers: list[WorkerInfo], is_scheduler: bool) -> None:
	age = min((min(reader.age, A_LONG_TIME) for reader in readers), default=None)
	rhythm = interval_of(server_id) if is_scheduler else None
	execute_and_commit(
		_NOTE,
		{
			"now": now(),
			"name": _name(server_id, host, get_bench_id()),
			"server_id": server_id,
			"host": host,
			"bench": get_bench_id(),
			"app_version": __version__ if is_scheduler else None,
			"is_scheduler": is_scheduler,
			"seconds_between_ticks": rhythm.seconds if rhythm else 0,
			"ticks_since": rhythm.since if rhythm else None,
			"age": age,
			"workers": len(readers),
			"queues": ", ".join(sorted({queue for reader in readers for queue in reader.queues})),
		},
	)


def note_worker() -> None:
	"""From a job's worker of this server: note that it is at work. Commits, so only before a job begins."""
	job = get_current_job()
	if has_own_queue(this_server()) and job and job.origin != generate_qname(this_server()):
		# That it works off other queues does not help those that wait in its own.
		return
	name = _name(this_server(), socket.gethostname(), get_bench_id())
	try:
		key = frappe.cache().make_key(f"read_replica|noted|{name}")
		if not frappe.cache().set(key, 1, ex=SECONDS_BETWEEN_NOTES_OF_WORKERS, nx=True):
			return
	except RedisError:
		return
	values = {"name": name, "server_id": this_server(), "host": socket.gethostname(), "bench": get_bench_id()}
	values |= {"app_version": __version__, "is_scheduler": False, "age": 0, "workers": None, "queues": None}
	values |= {"now": now(), "seconds_between_ticks": 0, "ticks_since": None}
	try:
		execute_and_commit(_NOTE, values)
	except Exception as error:
		# The job must not fail for a note: a migrate has not made the table yet, the primary is read-only.
		frappe.db.rollback()
		log_event("worker_not_noted", error=f"{type(error).__name__} {error}")


class _Row(NamedTuple):
	server_id: str
	host: str
	workers_alive_at: datetime
	scheduler_alive_at: datetime
	seconds_between_ticks: float
	ticks_since: datetime | None
	now: datetime


def load(server_ids: Iterable[str] | None = None) -> dict[str, Server]:
	"""These servers of the site, as far as anything is known of them, and this one, by their ids.

	What that takes grows with the servers that are asked for, and not with their hosts that are gone.

	:param server_ids: where they are not given, all servers
	"""
	found = server_rows.columns_of(
		"server_id, host, coalesce(workers_alive_at, missed_since),"
		" coalesce(scheduler_alive_at, missed_since), seconds_between_ticks, ticks_since, utc_timestamp(6)",
		None if server_ids is None else server_rows.last_seen_names({*server_ids, this_server()}),
	)
	by_id = defaultdict(list)
	for row in map(_Row._make, found):
		by_id[row.server_id].append(row)
	watched_for = _watched_for(by_id.get(this_server(), []))
	# A scheduler looks at its ticks only, and does not where it is paused.
	unsure = [
		server_id
		for server_id, rows in by_id.items()
		if has_own_queue(server_id)
		and (rows[0].now - _workers_alive_at(rows)).total_seconds() > SECONDS_UNTIL_ASKED
	]
	noted_at = server_rows.last_worker_notes(unsure, get_bench_id()) if unsure else {}
	return {
		server_id: _server(server_id, rows, watched_for, noted_at.get(server_id))
		for server_id, rows in by_id.items()
	}


def _workers_alive_at(rows: list[_Row]) -> datetime:
	return max(row.workers_alive_at for row in rows)


def _watched_for(rows: list[_Row]) -> float:
	"""Seconds since the scheduler of this server ticks; endless where it has none, and others look."""
	ticking = [row for row in rows if row.ticks_since]
	if not ticking:
		return float("inf")
	last = max(ticking, key=lambda row: row.scheduler_alive_at)
	return (last.now - last.ticks_since).total_seconds()


def _server(server_id: str, rows: list[_Row], watched_for: float, noted_at: datetime | None) -> Server:
	seen_at = max(_workers_alive_at(rows), noted_at or datetime.min)
	seconds_between_signs = 0.0
	if not has_own_queue(server_id):
		# Nobody but its own scheduler puts jobs where its workers find them.
		seen_at = min(seen_at, max(row.scheduler_alive_at for row in rows))
		seconds_between_signs = max(row.seconds_between_ticks for row in rows)
	age = (rows[0].now - seen_at).total_seconds()
	was_seen = any(row.host for row in rows)
	return Server(server_id, age, min(age, watched_for), seconds_between_signs, seen_at, was_seen)


def note_job_counts(counts: dict[str, int]) -> None:
	"""Note how many scheduled jobs the rules give to each server; and clean up, now and then. Commits.

	Hosts that are gone keep the number that they had.

	:param counts: for each server that is of interest; others have none
	"""
	for server_id, count in sorted(counts.items()):
		execute_and_commit(
			"update `tabJob Server` set jobs = %s where server_id = %s and binary server_id = %s and jobs != %s"
			" and (workers_alive_at is null or workers_alive_at > utc_timestamp() - interval 1 day)",
			(count, server_id, server_id, count),
		)
	found = frappe.db.sql("select distinct server_id from `tabJob Server`")
	if others := [server_id for (server_id,) in found if server_id not in counts]:
		execute_and_commit(
			"update `tabJob Server` set jobs = 0 where server_id in %s and binary server_id not in %s and jobs != 0",
			(others, [*counts, ""]),
		)
	if names := server_rows.obsolete_names(set(counts)):
		execute_and_commit("delete from `tabJob Server` where name in %s", (names,))


def _name(server_id: str, host: str, bench: str) -> str:
	return hashlib.sha1(f"{server_id}|{host}|{bench}".encode(), usedforsecurity=False).hexdigest()
