# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Rows of Job Server on the primary: tell which servers there are and when each was last seen.

Not in Redis, which two servers need not share. Each scheduler writes there that it ticks and which workers
it sees (see `workers`), and a worker writes it for its server as it begins a job. All times are the
database's. A server that a rule names and that was never seen has a row as well, which tells how long it has
been missing.
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

# The longest age in seconds that the database can subtract from its clock.
LONGEST_AGE = 10**8

# If a scheduler has seen a server's workers so lately, their own notes are not read.
SECONDS_UNTIL_ASKED = 10

# A worker's last sign of life is computed anew each time, from two clocks, and varies by so much.
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
	"""What is known of a server, over all of its hosts.

	:param age: seconds since it was last able to run jobs, or since it was first missed
	:param missed_for: the same, but at most for as long as this server's scheduler has watched without a pause
	:param seconds_between_signs: seconds between its scheduler's ticks, if it is known by these; else 0
	:param seen_at: when it was last able to run jobs, by the database's clock
	:param was_seen: whether any worker or scheduler of it was ever seen
	"""

	server_id: str
	age: float
	missed_for: float
	seconds_between_signs: float
	seen_at: datetime
	was_seen: bool

	def is_gone(self, takeover_after: float) -> bool:
		"""Whether it was not seen for so many seconds that the default server takes its jobs over.

		Not yet while it has missed a single tick, however short that time is.

		:param takeover_after: seconds; 0: never
		"""
		return bool(takeover_after) and self.missed_for > max(takeover_after, 2 * self.seconds_between_signs)


def this_server() -> str:
	"""Returns the id of this server: the environment variable SERVER_ID, else `primary`."""
	return os.environ.get("SERVER_ID", "").strip() or DEFAULT_SERVER


def note(workers: list[WorkerInfo], named: Iterable[str]) -> None:
	"""Write that this server's scheduler ticks, which workers it sees, and which servers there are; commit.

	:param workers: the workers, see `workers.seen`
	:param named: the ids of the servers that rules name
	"""
	here = this_server()
	hosts = _by_server_and_host(workers, here, {here, *named})
	hosts.setdefault((here, socket.gethostname()), [])
	for (server_id, host), its_workers in sorted(hosts.items()):
		_write(server_id, host, its_workers, is_scheduler=(server_id, host) == (here, socket.gethostname()))
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
	workers: list[WorkerInfo], here: str, server_ids: set[str]
) -> dict[tuple[str, str], list[WorkerInfo]]:
	"""Groups workers by host and by the server whose own queue they read, or else by their SERVER_ID."""
	hosts = defaultdict(list)
	for worker in workers:
		own = [queue for queue in worker.queues if queue in server_ids and has_own_queue(queue)]
		its_server = worker.server_id or here
		for server_id in own or ([] if has_own_queue(its_server) else [its_server]):
			hosts[server_id, worker.host].append(worker)
	return hosts


def _write(server_id: str, host: str, workers: list[WorkerInfo], is_scheduler: bool) -> None:
	age = min((min(worker.age, LONGEST_AGE) for worker in workers), default=None)
	interval = interval_of(server_id) if is_scheduler else None
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
			"seconds_between_ticks": interval.seconds if interval else 0,
			"ticks_since": interval.since if interval else None,
			"age": age,
			"workers": len(workers),
			"queues": ", ".join(sorted({queue for worker in workers for queue in worker.queues})),
		},
	)


def note_worker() -> None:
	"""Write from a worker that its server runs jobs. Commits, so it is for before a job begins."""
	job = get_current_job()
	if has_own_queue(this_server()) and job and job.origin != generate_qname(this_server()):
		# This job came by another queue, and tells nothing about jobs that wait in the server's own queue.
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
		# The job must not fail for this: as before a migrate has made the table, or on a read-only primary.
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
	"""Returns these servers of the site, and this one, by their ids; those with no row are left out.

	The cost grows with the number of servers that are asked for, not with their hosts that are gone.

	:param server_ids: default: all servers
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
	# Schedulers see workers at their ticks only, and a paused one does not tick.
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
	"""Returns the seconds that this server's scheduler has ticked without a pause; infinite without one."""
	ticking = [row for row in rows if row.ticks_since]
	if not ticking:
		return float("inf")
	last = max(ticking, key=lambda row: row.scheduler_alive_at)
	return (last.now - last.ticks_since).total_seconds()


def _server(server_id: str, rows: list[_Row], watched_for: float, noted_at: datetime | None) -> Server:
	seen_at = max(_workers_alive_at(rows), noted_at or datetime.min)
	seconds_between_signs = 0.0
	if not has_own_queue(server_id):
		# Only its own scheduler enqueues jobs where its workers find them.
		seen_at = min(seen_at, max(row.scheduler_alive_at for row in rows))
		seconds_between_signs = max(row.seconds_between_ticks for row in rows)
	age = (rows[0].now - seen_at).total_seconds()
	was_seen = any(row.host for row in rows)
	return Server(server_id, age, min(age, watched_for), seconds_between_signs, seen_at, was_seen)


def note_job_counts(counts: dict[str, int]) -> None:
	"""Write how many scheduled jobs the rules give to each server, and delete old rows. Commits.

	Hosts that have been gone for a day keep the number that they had.

	:param counts: the number for each server that is in use; all other servers have 0
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
