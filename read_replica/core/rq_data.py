# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Reads what RQ and Redis keep about jobs, workers and connections, without RQ's own classes.

RQ's classes differ between versions in how they treat a field that is empty, missing or in another format,
and some raise. Here each such field is None, "not known", and the caller decides what that means. Only an
error of Redis itself is raised.
"""

import math
import re
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, NamedTuple

from redis.exceptions import ConnectionError, RedisError, TimeoutError
from rq import Queue
from rq.job import Job

KEY_OF_WORKERS = "rq:workers"
PREFIX_OF_WORKER = "rq:worker:"
FRACTION = re.compile(r"\.\d+")


class JobData(NamedTuple):
	"""The fields of a job in Redis.

	:param origin: the queue that it was put into, as RQ calls it
	:param heartbeat_age: seconds since the last heartbeat of its worker for it
	:param queued_age: seconds since it was put into its queue, or created
	"""

	status: str | None = None
	origin: str | None = None
	heartbeat_age: float | None = None
	queued_age: float | None = None

	@property
	def age(self) -> float:
		"""Seconds since the last heartbeat of its worker for it, infinite if that is not known."""
		return float("inf") if self.heartbeat_age is None else self.heartbeat_age


class WorkerData(NamedTuple):
	"""The fields of a worker in Redis.

	:param queues: the queues that it reads, as RQ calls them
	:param heartbeat_age: seconds since its last heartbeat
	:param birth_age: seconds since it was started
	"""

	name: str
	host: str | None = None
	queues: tuple[str, ...] = ()
	heartbeat_age: float | None = None
	birth_age: float | None = None


def text_of(value: Any) -> str | None:
	"""Returns a field as text; None if it is empty or no text."""
	if isinstance(value, bytes):
		value = value.decode("utf-8", "replace")
	return (value.strip() or None) if isinstance(value, str) else None


def datetime_of(value: Any) -> datetime | None:
	"""Returns a field as a time in UTC, which is assumed if it has no time zone; None if it is no time."""
	text = text_of(value)
	if text is None:
		return None
	if text[-1] in "Zz":
		text = text[:-1] + "+00:00"
	# Python 3.10 accepts only three or six digits of a fraction.
	text = FRACTION.sub(lambda found: f"{found[0]:0<7.7}", text)
	try:
		moment = datetime.fromisoformat(text)
		return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
	except (ValueError, OverflowError):
		return None


def age_of(value: Any) -> float | None:
	"""Returns the seconds since the time in a field, by this server's clock; None if it is no time."""
	moment = datetime_of(value)
	return None if moment is None else max(0.0, time.time() - moment.timestamp())


def jobs(connection: Any, job_ids: Iterable[str]) -> dict[str, JobData]:
	"""Returns what Redis holds of each of these jobs, by id as RQ has it, in one round trip."""
	ids = list(job_ids)
	fields = ("status", "origin", "last_heartbeat", "enqueued_at", "created_at")
	found = _fields_of(connection, [Job.key_for(job_id) for job_id in ids], fields)
	return {job_id: _job(*row) for job_id, row in zip(ids, found, strict=True)}


def _job(status: Any, origin: Any, beat: Any, enqueued_at: Any, created_at: Any) -> JobData:
	queued_age = age_of(enqueued_at)
	queued_age = age_of(created_at) if queued_age is None else queued_age
	return JobData(text_of(status), text_of(origin), age_of(beat), queued_age)


def workers(connection: Any) -> list[WorkerData]:
	"""Returns the workers of all benches on this Redis, but those of which only the name is left."""
	try:
		keys = connection.smembers(KEY_OF_WORKERS)
	except RedisError as error:
		if is_unreachable(error):
			raise
		return []
	texts = sorted(key for key in map(text_of, keys) if key)
	found = _fields_of(connection, texts, ("hostname", "queues", "last_heartbeat", "birth"))
	known = [_worker(key, *row) for key, row in zip(texts, found, strict=True)]
	return [worker for worker in known if worker.queues]


def _worker(key: str, host: Any, queues: Any, beat: Any, birth: Any) -> WorkerData:
	name = key[len(PREFIX_OF_WORKER) :] if key.startswith(PREFIX_OF_WORKER) else key
	names = (queue.strip() for queue in (text_of(queues) or "").split(","))
	return WorkerData(name, text_of(host), tuple(filter(None, names)), age_of(beat), age_of(birth))


def _fields_of(connection: Any, keys: list[str], fields: tuple[str, ...]) -> list[list]:
	"""Returns these fields of each key's hash; all None for a key that holds something else."""
	if not keys:
		return []
	pipeline = connection.pipeline(transaction=False)
	for key in keys:
		pipeline.hmget(key, *fields)
	nothing = [None] * len(fields)
	found = pipeline.execute(raise_on_error=False)
	return [row if isinstance(row, list) and len(row) == len(fields) else nothing for row in found]


def waiting_ids(connection: Any, queue: str, start: int = 0, count: int | None = None) -> list[str]:
	"""Returns the ids of the jobs in a queue, in its order. Bytes that are no text are replaced in an id.

	:param queue: its name as RQ has it
	:param start: the place of the first id in the queue, from 0
	:param count: at most so many ids; None for all
	"""
	last = -1 if count is None else start + count - 1
	try:
		found = connection.lrange(Queue.redis_queue_namespace_prefix + queue, start, last)
	except RedisError as error:
		if is_unreachable(error):
			raise
		# The key holds no list.
		return []
	return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in found]


def fetch(connection: Any, job_ids: list[str]) -> list[Job | None]:
	"""Returns these jobs as RQ makes them; None for one that does not exist or cannot be read."""
	try:
		return Job.fetch_many(job_ids, connection=connection)
	except Exception as error:
		if is_unreachable(error):
			raise
	return [_fetch_one(connection, job_id) for job_id in job_ids]


def _fetch_one(connection: Any, job_id: str) -> Job | None:
	try:
		return Job.fetch(job_id, connection=connection)
	except Exception as error:
		if is_unreachable(error):
			raise
		return None


def arguments_of(job: Job) -> dict:
	"""Returns the arguments of a job's function; empty if they cannot be read."""
	try:
		return dict((job.kwargs or {}).get("kwargs") or {})
	except Exception:
		# They are pickled, and may need code that is gone.
		return {}


def failure_of(job: Job) -> tuple[str | None, float | None]:
	"""Returns the last line of a failed job's traceback, and the seconds since then; None if not known."""
	try:
		lines = (text_of(job.exc_info) or "").splitlines()
	except Exception:
		# RQ's versions keep the traceback in different places, compressed or not.
		lines = []
	ended_at = getattr(job, "ended_at", None)
	age = None
	if isinstance(ended_at, datetime):
		aware = ended_at if ended_at.tzinfo else ended_at.replace(tzinfo=timezone.utc)
		age = max(0.0, time.time() - aware.timestamp())
	return (lines[-1] if lines else None), age


def client_names(connection: Any) -> set[str] | None:
	"""Returns the names of the clients of this Redis; None if CLIENT LIST fails or is not permitted."""
	try:
		names = {text_of(client.get("name")) for client in connection.client_list()}
	except Exception as error:
		if is_unreachable(error):
			raise
		# Not every user of Redis may ask this; and redis-py fails at a line that it cannot parse.
		return None
	return {name for name in names if name}


def uptime(connection: Any) -> float | None:
	"""Returns the seconds since Redis was started; None if INFO fails or is not permitted."""
	try:
		seconds = float(connection.info("server")["uptime_in_seconds"])
	except Exception as error:
		if is_unreachable(error):
			raise
		return None
	return seconds if math.isfinite(seconds) else None


def is_unreachable(error: BaseException) -> bool:
	"""Returns whether Redis does not answer at all, so that the next command would fail, too."""
	return isinstance(error, ConnectionError | TimeoutError)
