# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which workers there are, by what each says of itself: rows of Job Worker on the primary.

RQ's own list stands in Redis, which forgets it: after FLUSHALL, a restart without persistence or some
minutes without Redis, workers go on, and are in no list for good. It also has the workers of any other
bench that shares the Redis and, by mistake, the `bench_id`. So each worker notes itself, in each site that
it works for (see `heartbeat`). RQ's list is an addition: for workers that began before they could note
themselves, and for what happens between two notes. All times are the database's.
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
from read_replica.jobs import rules, servers
from read_replica.jobs.queues import WorkerInfo, has_own_queue

# A worker that has missed so many of its notes is not alive.
MOST_NOTES_MISSED = 3

# A worker asks only now and then whether a site has this app by now. In some rounds more, one that could not
# note itself at first has done so.
ROUNDS_BETWEEN_LOOKS_FOR_THE_APP = 10
ROUNDS_UNTIL_NOTED = 3

# As core has it.
ZONE_OF_NEW_SITES = "Asia/Kolkata"

# Rows of workers that are gone tell whose they were while RQ lists them; and since when workers note themselves.
DAYS_KEPT = 1
SECONDS_RQ_LISTS_WORKERS = 3600

# In the Redis of the queues, for as long as a worker notes itself, in whichever database.
MARK_PREFIX = "rq:read_replica:notes_itself:"

_NOTE = """
	insert into `tabJob Worker` (name, creation, modified, owner, modified_by, server_id, host, bench, pid, queues,
		seconds_between_notes, noted_since, alive_at, has_ended)
	values (%(name)s, %(now)s, %(now)s, 'Administrator', 'Administrator', %(server_id)s, %(host)s, %(bench)s,
		%(pid)s, %(queues)s, %(seconds)s, utc_timestamp(6), utc_timestamp(6), 0)
	on duplicate key update modified = values(modified), server_id = values(server_id), host = values(host),
		bench = values(bench), pid = values(pid), queues = values(queues),
		seconds_between_notes = values(seconds_between_notes), alive_at = values(alive_at), has_ended = 0"""

# Of the field `name`. RQ's names of workers hold those of the host and of all queues.
LONGEST_NAME = 140


class _Noted(NamedTuple):
	reader: WorkerInfo
	bench: str
	is_alive: bool


def note(name: str, rq_queues: list[str], seconds: float) -> None:
	"""From a worker: note that it is alive. Commits. Not tried again: the next note is soon enough.

	:param name: as RQ calls it
	:param rq_queues: what it reads, as RQ calls them
	:param seconds: until it does so again
	"""
	queues = [queue for queue in get_queue_list() if generate_qname(queue) in rq_queues]
	values = {"name": _key(name), "now": _now(), "server_id": servers.this_server(), "bench": get_bench_id()}
	values |= {"host": socket.gethostname(), "pid": os.getpid(), "seconds": seconds}
	values["queues"] = ", ".join(queues)
	_write(_NOTE, values)


def _write(statement: str, values: dict) -> None:
	# What was read before would be the statement's view of the table.
	frappe.db.commit()
	frappe.db.sql(statement, values)
	frappe.db.commit()


def _key(name: str) -> str:
	"""The row of a worker."""
	if len(name) <= LONGEST_NAME:
		return name
	return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def _now() -> str:
	"""As frappe.utils.now, which would load all that a document needs into each process of a worker."""
	found = frappe.db.sql(
		"select value from tabSingles where doctype = 'System Settings' and field = 'time_zone' and value != ''"
	)
	try:
		zone = ZoneInfo(found[0][0] if found else ZONE_OF_NEW_SITES)
	except (ZoneInfoNotFoundError, ValueError):
		zone = ZoneInfo("UTC")
	return datetime.now(zone).strftime(DATETIME_FORMAT)


def note_end(name: str) -> None:
	"""From a worker: note that it has ended. Commits."""
	_write(
		"update `tabJob Worker` set has_ended = 1"
		" where name = %(name)s and host = %(host)s and pid = %(pid)s",
		{"name": _key(name), "host": socket.gethostname(), "pid": os.getpid()},
	)


def shortest_limit() -> float:
	"""Seconds after which the first server of this site would be taken for gone; 0: none ever is."""
	limits = [rules.default_takeover_after()]
	for row in frappe.local.conf.get(rules.CONFIG_KEY) or []:
		limits.append(row.get("takeover_after") if isinstance(row, dict) else None)
	of_desk = "select min(takeover_after) from `tabScheduler Config` where enabled and takeover_after > 0"
	limits.append(frappe.db.sql(of_desk)[0][0])
	return min((float(limit) for limit in limits if isinstance(limit, int | float) and limit > 0), default=0)


def mark_in_redis(redis: Any, name: str, seconds: float) -> None:
	"""From a worker, in the Redis of its queues: that it is in the database of each site that it works for.

	:raises RedisError: if Redis does not answer, or refuses it
	"""
	redis.set(MARK_PREFIX + name, 1, ex=int(seconds * MOST_NOTES_MISSED) + 60)


def seen(listed: list[WorkerInfo]) -> list[WorkerInfo]:
	"""The workers of this bench and site: those that note themselves, and those that RQ lists beside them.

	:param listed: what RQ lists
	"""
	noted = _noted(listed)
	others = {reader.name for reader in _of_another_bench(listed, noted)}
	readers = [_as_noted(reader, noted) for reader in listed if reader.name not in others]
	names = {reader.name for reader in listed}
	bench = get_bench_id()
	for name, of_worker in noted.items():
		if of_worker.is_alive and of_worker.bench == bench and name not in names:
			readers.append(of_worker.reader)
	return readers


def servers_alive() -> set[str]:
	"""The ids of servers with a worker that notes itself."""
	return {of_worker.reader.server_id for of_worker in _noted([]).values() if of_worker.is_alive}


def of_another_bench(listed: list[WorkerInfo]) -> list[WorkerInfo]:
	"""Those that RQ lists, and that work for another bench: they take this one's jobs, and can do none of them."""
	return _of_another_bench(listed, _noted(listed))


def _as_noted(reader: WorkerInfo, noted: dict[str, _Noted]) -> WorkerInfo:
	of_worker = noted.get(reader.name)
	if not of_worker:
		return reader
	itself = of_worker.reader
	# RQ trusts a worker that is gone for some minutes.
	age = min(reader.age, itself.age) if of_worker.is_alive else itself.age
	return reader._replace(age=age, server_id=itself.server_id)


def _of_another_bench(listed: list[WorkerInfo], noted: dict[str, _Noted]) -> list[WorkerInfo]:
	"""Each of our workers is in this site's database, if it is one that notes itself."""
	unknown = [reader for reader in listed if reader.name and reader.name not in noted]
	if not unknown or not _have_all_noted_themselves():
		return []
	try:
		marks = background_jobs.get_redis_conn().mget([MARK_PREFIX + reader.name for reader in unknown])
	except RedisError:
		return []
	return [reader for reader, mark in zip(unknown, marks, strict=True) if mark]


def _have_all_noted_themselves() -> bool:
	"""Whether this site has had this table for so long that all workers have noted themselves here since."""
	found = _rows(
		"select 1 from `tabJob Worker`"
		" where noted_since < utc_timestamp(6) - interval %s * seconds_between_notes second limit 1",
		(ROUNDS_BETWEEN_LOOKS_FOR_THE_APP + ROUNDS_UNTIL_NOTED,),
	)
	return bool(found)


def _noted(listed: list[WorkerInfo]) -> dict[str, _Noted]:
	"""Workers that have noted themselves, by their names: all that are alive, and those that RQ lists."""
	names = {_key(reader.name): reader.name for reader in listed}
	select = (
		"select name, server_id, host, bench, queues,"
		" timestampdiff(microsecond, alive_at, utc_timestamp(6)) / 1e6,"
		" not has_ended and alive_at > utc_timestamp(6) - interval %(missed)s * seconds_between_notes second"
		" from `tabJob Worker` where "
	)
	# With "or", the database would read the whole table.
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
	"""Delete the rows of workers that are gone; the last one stays. Commits."""
	try:
		execute_and_commit(
			"delete from `tabJob Worker` where alive_at < utc_timestamp(6) - interval %s day"
			" and alive_at < (select at from (select max(alive_at) at from `tabJob Worker`) newest)",
			(DAYS_KEPT,),
		)
	except Exception as error:
		if not is_before_migrate(error):
			raise
