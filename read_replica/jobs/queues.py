# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""RQ's queues in Redis: which servers have one of their own, which workers read them, what waits there.

A server's own queue has the server's name. It stands in `workers` of common_site_config.json, as does any
queue that is not one of core's three.
"""

import re
import time
from typing import NamedTuple

from frappe.utils import background_jobs
from redis.exceptions import WatchError
from rq import Queue
from rq.job import Job

from read_replica.core import rq_data

# Core's queues, which belong to no server: workers of all servers may read them.
QUEUES_OF_ALL = ("short", "default", "long")

# Keys in a job's meta data: the queue that it was enqueued for, and the takeover_after of its rule.
INTENDED_QUEUE = "read_replica_queue"
TAKEOVER_AFTER = "read_replica_takeover_after"

# How much of the queue of a server that is gone is read at a time. Jobs of other sites, which may be many,
# are told by their ids and not read.
JOBS_AT_A_TIME = 200
IDS_AT_A_TIME = 1000

# A queue with so many jobs or more is cached, for a minute for each so many, as reading it takes long.
LONG_LIST = 1000
SECONDS_A_LIST_IS_KNOWN = 60 / LONG_LIST
LONGEST_LIST_KEPT = 100_000

# The cached queues: when each was read, by time.monotonic(), and the ids of the jobs in it.
_long_lists: dict[str, tuple[float, set[str]]] = {}

# What stands between the site and the rest of a job's id.
SEPARATOR = re.compile(r"::|\|\|")

# Seconds between two heartbeats of an idle RQ worker.
SECONDS_BETWEEN_HEARTBEATS = 420

# By how much the clocks of two servers may differ.
MOST_SECONDS_APART = 5


class WorkerInfo(NamedTuple):
	"""An RQ worker, as it is known from RQ's list or from its own notes.

	:param age: seconds since its last sign of life
	:param queues: the queues that it reads, by their names in Frappe
	:param name: its name in RQ
	:param server_id: the SERVER_ID of its process, if it has noted itself
	"""

	host: str
	age: float
	queues: tuple[str, ...]
	name: str = ""
	server_id: str = ""


def has_own_queue(server_id: str) -> bool:
	"""Whether a server has a queue of its own, by this host's common_site_config.json."""
	return server_id not in QUEUES_OF_ALL and server_id in background_jobs.get_queues_timeout()


def timeout_of(queue: str) -> int:
	"""Returns the seconds that a job of this queue may take."""
	return background_jobs.get_queues_timeout().get(queue) or 300


def listed_workers() -> list[WorkerInfo]:
	"""Returns the workers that RQ lists for the queues of this bench."""
	connection = background_jobs.get_redis_conn()
	names = {background_jobs.generate_qname(queue): queue for queue in background_jobs.get_queue_list()}
	connected = rq_data.client_names(connection)
	uptime = rq_data.uptime(connection)
	found = []
	for worker in rq_data.workers(connection):
		queues = tuple(names[name] for name in worker.queues if name in names)
		if queues:
			found.append(WorkerInfo(worker.host or "", _age(worker, connected, uptime), queues, worker.name))
	return found


def _age(worker: rq_data.WorkerData, connected: set[str] | None, uptime: float | None) -> float:
	"""Returns the seconds since a worker's last sign of life; 0 while its connection to Redis is open.

	RQ lists a worker that was killed for some minutes more, but its connection is gone at once: then its last
	heartbeat counts. Where connections tell nothing, as after a restart of Redis or where CLIENT LIST is
	refused, the seven minutes between two heartbeats of an idle worker are subtracted.
	"""
	if connected and worker.name in connected:
		return 0.0
	age = _or_infinite(worker.heartbeat_age)
	is_older_than_redis = uptime is None or _or_infinite(worker.birth_age) > uptime + MOST_SECONDS_APART
	is_known_to_be_gone = connected is not None and not is_older_than_redis
	return age if is_known_to_be_gone else max(0.0, age - SECONDS_BETWEEN_HEARTBEATS)


def _or_infinite(age: float | None) -> float:
	return float("inf") if age is None else age


def states(job_ids: list[str]) -> dict[str, rq_data.JobData]:
	"""Returns what RQ keeps in Redis of each of these jobs, by their ids in RQ, in one round trip."""
	return rq_data.jobs(background_jobs.get_redis_conn(), job_ids)


class Failure(NamedTuple):
	"""What RQ knows of a job that has failed; a scheduled run fails in RQ only outside of its method.

	:param kwargs: the keyword arguments of its function
	:param error: the last line of the traceback
	:param age: seconds since it failed; 0 where that is not known
	"""

	kwargs: dict
	error: str
	age: float


def failure_of(job_id: str) -> Failure | None:
	"""Returns why a job has failed; None if RQ does not know it as failed.

	:param job_id: its id in RQ
	"""
	connection = background_jobs.get_redis_conn()
	if states([job_id])[job_id].status != "failed":
		return None
	[job] = rq_data.fetch(connection, [job_id])
	if job is None:
		return None
	error, age = rq_data.failure_of(job)
	return Failure(rq_data.arguments_of(job), error or "RQ does not say why", age or 0.0)


class QueueLists:
	"""The ids of the jobs that wait in the queues of this Redis.

	Each object reads a queue once, as it may be asked for many jobs; a long queue is cached for some minutes.
	"""

	def __init__(self) -> None:
		self._ids: dict[str, set[str]] = {}

	def queue_of(self, job_id: str) -> str | None:
		"""Returns the name in RQ of the queue that a job waits in; None if it waits in none.

		The status alone does not tell: it stays "queued" if a worker is killed just as it takes the job.
		"""
		job = states([job_id])[job_id]
		if job.status != "queued" or not self.contains(job.origin, job_id, job.queued_age):
			return None
		return job.origin

	def contains(self, queue: str | None, job_id: str, queued_age: float | None = None) -> bool:
		"""Whether a job with the status "queued" is in the list of a queue.

		For a cached list, also if the job was in it when it was read, or was enqueued since.

		:param queue: the queue's name in RQ
		:param queued_age: seconds since the job was enqueued, if that is known
		"""
		if not queue:
			return False
		if queue not in self._ids:
			read_at, ids = _long_lists.get(queue, (0.0, set()))
			age = time.monotonic() - read_at
			is_new = queued_age is not None and queued_age < age
			if age < len(ids) * SECONDS_A_LIST_IS_KNOWN and (job_id in ids or is_new):
				return True
			self._ids[queue] = self._read(queue)
		return job_id in self._ids[queue]

	def _read(self, queue: str) -> set[str]:
		ids = set(rq_data.waiting_ids(background_jobs.get_redis_conn(), queue))
		_long_lists.pop(queue, None)
		if LONG_LIST <= len(ids) <= LONGEST_LIST_KEPT:
			_long_lists[queue] = time.monotonic(), ids
		return ids


def own_queues() -> list[str]:
	"""Returns the queues in this host's common_site_config.json other than core's three."""
	return [queue for queue in background_jobs.get_queue_list() if queue not in QUEUES_OF_ALL]


class WaitingPage(NamedTuple):
	"""Some of the jobs that wait in a queue.

	:param jobs: each with its position in the queue; None if RQ cannot read it
	:param next_position: where the next page begins; None: this was the end of the queue
	"""

	jobs: list[tuple[int, Job | None]]
	next_position: int | None


def waiting_jobs(queue: str, site: str, start: int) -> WaitingPage:
	"""Returns one page of the jobs of this site that wait in a queue, from the position `start` on."""
	found = background_jobs.get_queue(queue)
	ids = rq_data.waiting_ids(found.connection, found.name, start, IDS_AT_A_TIME)
	of_site = [(at, job_id) for at, job_id in enumerate(ids, start) if _may_be_of(site, job_id)]
	next_position = start + len(ids) if len(ids) == IDS_AT_A_TIME else None
	if len(of_site) > JOBS_AT_A_TIME:
		next_position, _ = of_site[JOBS_AT_A_TIME]
		of_site = of_site[:JOBS_AT_A_TIME]
	jobs = rq_data.fetch(found.connection, [job_id for _, job_id in of_site])
	return WaitingPage([(at, job) for (at, _), job in zip(of_site, jobs, strict=True)], next_position)


def _may_be_of(site: str, job_id: str) -> bool:
	"""Whether a job's id is of this site, `SITE::…` or from v16 on `SITE||…`, or names no site."""
	beginning, *rest = SEPARATOR.split(job_id, maxsplit=1)
	return not rest or beginning == site


def queue_named(name: str, like: Queue) -> Queue:
	"""Returns the queue of this bench with this name, on the same connection as `like`."""
	return Queue(
		background_jobs.generate_qname(name),
		connection=like.connection,
		is_async=getattr(like, "_is_async", True),
	)


def move(job: Job, at: int, from_queue: str, to_queue: str) -> bool:
	"""Move a waiting job to another queue; False if it is not there any more, or the queue has just changed.

	In one transaction of Redis: the job is never in both queues, nor in none.

	:param at: its position when the queue was read; it may have moved by a few places since
	"""
	connection = background_jobs.get_redis_conn()
	source = background_jobs.get_queue(from_queue)
	target = background_jobs.get_queue(to_queue)
	with connection.pipeline() as pipeline:
		try:
			pipeline.watch(source.key)
			around = pipeline.lrange(source.key, max(0, at - JOBS_AT_A_TIME), at + JOBS_AT_A_TIME)
			if job.id.encode() not in around:
				return False
			pipeline.multi()
			pipeline.lrem(source.key, 1, job.id)
			pipeline.hset(Job.key_for(job.id), "origin", target.name)
			pipeline.sadd(Queue.redis_queues_keys, target.key)
			pipeline.rpush(target.key, job.id)
			pipeline.execute()
			return True
		except WatchError:
			# The queue has changed meanwhile; the next tick tries again.
			return False
