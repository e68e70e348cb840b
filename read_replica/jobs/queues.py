# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Queues in Redis: those that servers have of their own where they share one, and who reads them.

A server's own queue is called as the server is. It stands in `workers` of common_site_config.json, as
any queue that is not one of core's three.
"""

import re
import time
from typing import NamedTuple

from frappe.utils import background_jobs
from redis.exceptions import WatchError
from rq import Queue
from rq.job import Job

from read_replica.core import rq_data

# Core's queues, which workers of all servers may read.
QUEUES_OF_ALL = ("short", "default", "long")

# In a job's meta data: the queue that it was meant for, and the limit of its rule.
INTENDED_QUEUE = "read_replica_queue"
TAKEOVER_AFTER = "read_replica_takeover_after"


# In a queue whose server is gone. Those of other sites, which may be many, are passed over by their ids.
JOBS_AT_A_TIME = 200
IDS_AT_A_TIME = 1000

# A list of so many jobs or more is read a minute later for each so many: reading it takes its time, too.
LONG_LIST = 1000
SECONDS_A_LIST_IS_KNOWN = 60 / LONG_LIST
LONGEST_LIST_KEPT = 100_000

# Of each queue with such a list: when it was read, by time.monotonic(), and who stood there.
_long_lists: dict[str, tuple[float, set[str]]] = {}

# Between the site and the rest of a job's id.
SEPARATOR = re.compile(r"::|\|\|")

# Of an idle worker, as RQ has it.
SECONDS_BETWEEN_HEARTBEATS = 420

# Between the clocks of two servers.
MOST_SECONDS_APART = 5


class WorkerInfo(NamedTuple):
	"""A worker that reads a queue.

	:param age: seconds since its last sign of life
	:param name: as RQ calls it
	:param server_id: of its process, if it has said so
	"""

	host: str
	age: float
	queues: tuple[str, ...]
	name: str = ""
	server_id: str = ""


def has_own_queue(queue: str) -> bool:
	"""Whether this host knows a queue of this name, other than core's three."""
	return queue not in QUEUES_OF_ALL and queue in background_jobs.get_queues_timeout()


def timeout_of(queue: str) -> int:
	"""Seconds that a job of this queue may take."""
	return background_jobs.get_queues_timeout().get(queue) or 300


def listed_workers() -> list[WorkerInfo]:
	"""The workers of this bench on its Redis, as far as RQ knows them."""
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
	"""Of a worker, by its connection, or its last heartbeat where it has none with its name.

	One that was killed is known to RQ for some minutes, but its connection is gone at once: then its last
	heartbeat counts. After a restart of Redis, or where nobody may look at the connections, that would
	take an idle worker for dead, which tells of itself every seven minutes.
	"""
	if connected and worker.name in connected:
		return 0.0
	age = _or_endless(worker.heartbeat_age)
	is_older_than_redis = uptime is None or _or_endless(worker.birth_age) > uptime + MOST_SECONDS_APART
	is_known_to_be_gone = connected is not None and not is_older_than_redis
	return age if is_known_to_be_gone else max(0.0, age - SECONDS_BETWEEN_HEARTBEATS)


def _or_endless(age: float | None) -> float:
	return float("inf") if age is None else age


def states(job_ids: list[str]) -> dict[str, rq_data.JobData]:
	"""What Redis knows of each of these jobs, in one round trip; ids as RQ has them."""
	return rq_data.jobs(background_jobs.get_redis_conn(), job_ids)


class Failure(NamedTuple):
	"""What RQ knows of a job that has failed: outside of its method, if that is ours.

	:param kwargs: what the function was to be called with
	:param error: the last line of what the worker has reported
	:param age: seconds since then; 0 where that is not known
	"""

	kwargs: dict
	error: str
	age: float


def failure_of(job_id: str) -> Failure | None:
	"""Why a job has failed that no worker executes, and that waits in no queue; None if it has not.

	:param job_id: as RQ has it
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
	"""What waits in the queues of this Redis. Each queue is read once, as many jobs may be asked for; a long
	one now and then.
	"""

	def __init__(self):
		self._ids: dict[str, set[str]] = {}

	def queue_of(self, job_id: str) -> str | None:
		"""The queue, as RQ calls it, that a job waits in; None if it waits in none.

		RQ calls one queued as well whose worker was killed as it took it.
		"""
		job = states([job_id])[job_id]
		if job.status != "queued" or not self.contains(job.origin, job_id, job.queued_age):
			return None
		return job.origin

	def contains(self, queue: str | None, job_id: str, queued_age: float | None = None) -> bool:
		"""Whether a job that RQ calls queued stands in the list of a queue, as RQ calls it.

		In a long list it is taken to stand there until the list is read again, if it did so the last time,
		or was put there since.

		:param queued_age: seconds since it was put there, as far as that is known
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
	"""The queues that this host knows, other than core's three."""
	return [queue for queue in background_jobs.get_queue_list() if queue not in QUEUES_OF_ALL]


class WaitingPage(NamedTuple):
	"""Some jobs that wait in a queue, with their positions.

	:param next_position: the position behind those that were looked at; None: that was the end of the queue
	"""

	jobs: list[tuple[int, Job | None]]
	next_position: int | None


def waiting_jobs(queue: str, site: str, start: int) -> WaitingPage:
	"""Jobs of this site that wait in a queue, from a position on: as many as one look can take."""
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
	"""Whether a job is of a site by its id; most begin with it: `SITE::…`, and from v16 on `SITE||…`."""
	beginning, *rest = SEPARATOR.split(job_id, maxsplit=1)
	return not rest or beginning == site


def queue_named(name: str, like: Queue) -> Queue:
	"""Another queue of this bench, on the same connection."""
	return Queue(
		background_jobs.generate_qname(name),
		connection=like.connection,
		is_async=getattr(like, "_is_async", True),
	)


def move(job: Job, at: int, from_queue: str, to_queue: str) -> bool:
	"""Move a waiting job; False if a worker, or somebody else who moves it, was faster.

	At once or not at all: a job is never in both, nor in none.

	:param at: its position, some moves ago
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
			# The queue has changed; the next tick looks again.
			return False
