# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Rows of Job Worker on the primary, which each worker writes itself: tells which workers are alive.

RQ's own list is in Redis, which may lose it: after FLUSHALL, a restart without persistence or some minutes
without Redis, workers go on, and are never in the list again. It also has the workers of another bench that
shares the Redis and, by mistake, the `bench_id`. So each worker notes itself in the database of each site
that it works for (see `heartbeat`). RQ's list adds workers that began before they could note themselves, and
what happens between two notes. All times are the database's.
"""

import hashlib
import os
import socket
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import frappe
from frappe.utils import DATETIME_FORMAT, background_jobs, get_bench_id
from frappe.utils.background_jobs import generate_qname, get_queue_list
from redis.exceptions import RedisError

from read_replica.database.bookkeeping import execute_and_commit, is_before_migrate
from read_replica.jobs import rule_sources, servers
from read_replica.jobs.queues import WorkerInfo, has_own_queue

# A worker that has missed so many of its notes counts as gone.
MOST_NOTES_MISSED = 3

# A worker looks for this app on sites that did not have it only every so many rounds. It needs some rounds
# more to note itself, if it could not at first.
ROUNDS_BETWEEN_LOOKS_FOR_THE_APP = 10
ROUNDS_UNTIL_NOTED = 3

# Core's default time zone.
ZONE_OF_NEW_SITES = "Asia/Kolkata"

# Rows of workers that are gone are kept: while RQ still lists a worker they name its server and bench, and
# they tell since when workers note themselves here.
DAYS_KEPT = 1
SECONDS_RQ_LISTS_WORKERS = 3600

# Begins a key in the Redis of the queues that exists as long as a worker notes itself, in whichever database.
MARK_PREFIX = "rq:read_replica:notes_itself:"

_NOTE = """
	insert into `tabJob Worker` (name, creation, modified, owner, modified_by, server_id, host, bench, pid, queues,
		seconds_between_notes, noted_since, alive_at, has_ended)
	values (%(name)s, %(now)s, %(now)s, 'Administrator', 'Administrator', %(server_id)s, %(host)s, %(bench)s,
		%(pid)s, %(queues)s, %(seconds)s, utc_timestamp(6), utc_timestamp(6), 0)
	on duplicate key update modified = values(modified), server_id = values(server_id), host = values(host),
		bench = values(bench), pid = values(pid), queues = values(queues),
		seconds_between_notes = values(seconds_between_notes), alive_at = values(alive_at), has_ended = 0"""

# The length of the field `name`; RQ names a worker after its host and all its queues.
LONGEST_NAME = 140


class _Noted(NamedTuple):
	worker: WorkerInfo
	bench: str
	is_alive: bool


def note(name: str, rq_queues: list[str], seconds: float) -> None:
	"""Write from a worker that it is alive, and commit. Not retried, as the next note follows soon.

	:param name: the worker's name in RQ
	:param rq_queues: the names in RQ of the queues that it reads
	:param seconds: seconds until it notes itself again
	"""
	queues = [queue for queue in get_queue_list() if generate_qname(queue) in rq_queues]
	values = {"name": _key(name), "now": _now(), "server_id": servers.this_server(), "bench": get_bench_id()}
	values |= {"host": socket.gethostname(), "pid": os.getpid(), "seconds": seconds}
	values["queues"] = ", ".join(queues)
	_write(_NOTE, values)


def _write(statement: str, values: dict) -> None:
	# Ends a snapshot of earlier reads, which would make the statement conflict with later changes.
	frappe.db.commit()
	frappe.db.sql(statement, values)
	frappe.db.commit()


def _key(name: str) -> str:
	"""Returns the name of a worker's row."""
	if len(name) <= LONGEST_NAME:
		return name
	return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def _now() -> str:
	"""Returns the site's time, without frappe.utils.now, which would load Document into each worker."""
	found = frappe.db.sql(
		"select value from tabSingles where doctype = 'System Settings' and field = 'time_zone' and value != ''"
	)
	try:
		zone = ZoneInfo(found[0][0] if found else ZONE_OF_NEW_SITES)
	except (ZoneInfoNotFoundError, ValueError):
		zone = ZoneInfo("UTC")
	return datetime.now(zone).strftime(DATETIME_FORMAT)


def note_end(name: str) -> None:
	"""Write from a worker that it has ended, and commit."""
	_write(
		"update `tabJob Worker` set has_ended = 1"
		" where name = %(name)s and host = %(host)s and pid = %(pid)s",
		{"name": _key(name), "host": socket.gethostname(), "pid": os.getpid()},
	)


def shortest_limit() -> float:
	"""Returns the shortest time in seconds after which a server of this site counts as gone; 0: never."""
	limits = [rule_sources.default_takeover_after()]
	for row in frappe.local.conf.get(rule_sources.CONFIG_KEY) or []:
		limits.append(row.get("takeover_after") if isinstance(row, dict) else None)
	of_desk = "select min(takeover_after) from `tabScheduler Config` where enabled and takeover_after > 0"
	limits.append(frappe.db.sql(of_desk)[0][0])
	return min((float(limit) for limit in limits if isinstance(limit, int | float) and limit > 0), default=0)


def mark_in_redis(redis: Any, name: str, seconds: float) -> None:
	"""Write to the Redis of a worker's queues that it notes itself in the database of each of its sites.

	:param redis: a connection to that Redis
	:param name: the worker's name in RQ
	:param seconds: seconds until it does so again
	:raises RedisError: if Redis does not answer, or refuses it
	"""
	redis.set(MARK_PREFIX + name, 1, ex=int(seconds * MOST_NOTES_MISSED) + 60)


def seen(listed: list[WorkerInfo]) -> list[WorkerInfo]:
	"""Returns the workers of this bench: those that have noted themselves, and those that only RQ lists.

	:param listed: the workers that RQ lists, see `queues.listed_workers`
	"""
	noted = _noted(listed)
	others = {worker.name for worker in _of_another_bench(listed, noted)}
	workers = [_as_noted(worker, noted) for worker in listed if worker.name not in others]
	names = {worker.name for worker in listed}
	bench = get_bench_id()
	for name, noted_worker in noted.items():
		if noted_worker.is_alive and noted_worker.bench == bench and name not in names:
			workers.append(noted_worker.worker)
	return workers


def servers_alive() -> set[str]:
	"""Returns the ids of the servers with a worker that is alive by its own notes."""
	return {noted_worker.worker.server_id for noted_worker in _noted([]).values() if noted_worker.is_alive}


def of_another_bench(listed: list[WorkerInfo]) -> list[WorkerInfo]:
	"""Returns listed workers of another bench, which take this bench's jobs and cannot execute them."""
	return _of_another_bench(listed, _noted(listed))


def _as_noted(worker: WorkerInfo, noted: dict[str, _Noted]) -> WorkerInfo:
	noted_worker = noted.get(worker.name)
	if not noted_worker:
		return worker
	itself = noted_worker.worker
	# RQ lists a worker that is gone for some minutes more.
	age = min(worker.age, itself.age) if noted_worker.is_alive else itself.age
	return worker._replace(age=age, server_id=itself.server_id)


def _of_another_bench(listed: list[WorkerInfo], noted: dict[str, _Noted]) -> list[WorkerInfo]:
	"""Returns listed workers that note themselves, by their mark in Redis, but not in this database."""
	unknown = [worker for worker in listed if worker.name and worker.name not in noted]
	if not unknown or not _have_all_noted_themselves():
		return []
	try:
		marks = background_jobs.get_redis_conn().mget([MARK_PREFIX + worker.name for worker in unknown])
	except RedisError:
		return []
	return [worker for worker, mark in zip(unknown, marks, strict=True) if mark]


def _have_all_noted_themselves() -> bool:
	"""Whether the table has been there for so long that each worker of the bench has noted itself."""
	found = _rows(
		"select 1 from `tabJob Worker`"
		" where noted_since < utc_timestamp(6) - interval %s * seconds_between_notes second limit 1",
		(ROUNDS_BETWEEN_LOOKS_FOR_THE_APP + ROUNDS_UNTIL_NOTED,),
	)
	return bool(found)


def _noted(listed: list[WorkerInfo]) -> dict[str, _Noted]:
	"""Returns the workers that noted themselves within an hour or that RQ lists, by their names."""
	names = {_key(worker.name): worker.name for worker in listed}
	select = (
		"select name, server_id, host, bench, queues,"
		" timestampdiff(microsecond, alive_at, utc_timestamp(6)) / 1e6,"
		" not has_ended and alive_at > utc_timestamp(6) - interval %(missed)s * seconds_between_notes second"
		" from `tabJob Worker` where "
	)
	# A union, as for an "or" the database would read the whole table.
	rows = _rows(
		f"{select} alive_at > utc_timestamp(6) - interval %(listed_for)s second union {select} name in %(names)s",
		{"missed": MOST_NOTES_MISSED, "listed_for": SECONDS_RQ_LISTS_WORKERS, "names": tuple(names) or ("",)},
	)
	noted = {}
	for key, server_id, host, bench, queues, age, is_alive in rows:
		read = tuple(queues.split(", ")) if queues else ()
		name = names.get(key, key)
		noted[name] = _Noted(
			WorkerInfo(host, max(0.0, float(age)), read, name, server_id), bench, bool(is_alive)
		)
	return noted


def _rows(statement: str, values: tuple | dict) -> tuple:
	try:
		return frappe.db.sql(statement, values)
	except Exception as error:
		if not is_before_migrate(error):
			raise
		return ()


def clean_up() -> None:
	"""Delete the rows of workers that are gone, except the newest, and commit."""
	try:
		execute_and_commit(
			"delete from `tabJob Worker` where alive_at < utc_timestamp(6) - interval %s day"
			" and alive_at < (select at from (select max(alive_at) at from `tabJob Worker`) newest)",
			(DAYS_KEPT,),
		)
	except Exception as error:
		if not is_before_migrate(error):
			raise
