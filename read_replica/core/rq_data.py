# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What RQ and Redis keep about jobs, workers and connections, read without RQ's own classes.

Those differ between versions in what they make of a field that is empty, missing or written in another way,
and some raise. Here each such field is "not known", which is None, and what it means is the caller's to say.
Only an error of Redis itself is raised.
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
	"""What Redis holds of a job.

	:param origin: the queue that it was put into, as RQ calls it
	:param beat_age: seconds since its worker last said that it works on it
	:param queued_age: seconds since it was put into its queue, or made
	"""

	status: str | None = None
	origin: str | None = None
	beat_age: float | None = None
	queued_age: float | None = None

	@property
	def age(self) -> float:
		"""Seconds since its worker last said that it works on it, endless if that is not known."""
		return float("inf") if self.beat_age is None else self.beat_age


class WorkerData(NamedTuple):
	"""What Redis holds of a worker.

	:param queues: that it reads, as RQ calls them
	:param beat_age: seconds since it last told of itself
	:param birth_age: seconds since it was started
	"""

	name: str
	host: str | None = None
	queues: tuple[str, ...] = ()
	beat_age: float | None = None
	birth_age: float | None = None


def text_of(value: Any) -> str | None:
	"""A field as text; None if it is empty or no text."""
	if isinstance(value, bytes):
		value = value.decode("utf-8", "replace")
	return (value.strip() or None) if isinstance(value, str) else None


def moment_of(value: Any) -> datetime | None:
	"""A field as a moment, in UTC where it does not say otherwise; None if it is none."""
	text = text_of(value)
	if text is None:
		return None
	if text[-1] in "Zz":
		text = text[:-1] + "+00:00"
	# Python 3.10 takes three or six digits of a fraction.
	text = FRACTION.sub(lambda found: f"{found[0]:0<7.7}", text)
	try:
		moment = datetime.fromisoformat(text)
		return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
	except (ValueError, OverflowError):
		return None


def age_of(value: Any) -> float | None:
	"""Seconds since the moment in a field, by this server's clock; None if that is not known."""
	moment = moment_of(value)
	return None if moment is None else max(0.0, time.time() - moment.timestamp())


def jobs(connection: Any, job_ids: Iterable[str]) -> dict[str, JobData]:
	"""What Redis holds of each of these jobs, in one round trip; ids as RQ has them."""
	ids = list(job_ids)
	fields = ("status", "origin", "last_heartbeat", "enqueued_at", "created_at")
	found = _fields_of(connection, [Job.key_for(job_id) for job_id in ids], fields)
	return {job_id: _job(*row) for job_id, row in zip(ids, found, strict=True)}


def _job(status: Any, origin: Any, beat: Any, enqueued_at: Any, created_at: Any) -> JobData:
	queued_age = age_of(enqueued_at)
	queued_age = age_of(created_at) if queued_age is None else queued_age
	return JobData(text_of(status), text_of(origin), age_of(beat), queued_age)


def workers(connection: Any) -> list[WorkerData]:
	"""The workers that RQ knows, of all benches on this Redis; none that has nothing but its name left."""
	try:
		keys = connection.smembers(KEY_OF_WORKERS)
	except RedisError as error:
		if is_no_answer(error):
			raise
		return []
	texts = sorted(key for key in map(text_of, keys) if key)
	found = _fields_of(connection, texts, ("hostname", "queues", "last_heartbeat", "birth"))
	read = [_worker(key, *row) for key, row in zip(texts, found, strict=True)]
	return [worker for worker in read if worker.queues]


def _worker(key: str, host: Any, queues: Any, beat: Any, birth: Any) -> WorkerData:
	name = key[len(PREFIX_OF_WORKER) :] if key.startswith(PREFIX_OF_WORKER) else key
	names = (queue.strip() for queue in (text_of(queues) or "").split(","))
	return WorkerData(name, text_of(host), tuple(filter(None, names)), age_of(beat), age_of(birth))


def _fields_of(connection: Any, keys: list[str], fields: tuple[str, ...]) -> list[list]:
	"""Of each key; as if empty where it holds something else than a hash."""
	if not keys:
		return []
	pipeline = connection.pipeline(transaction=False)
	for key in keys:
		pipeline.hmget(key, *fields)
	nothing = [None] * len(fields)
	found = pipeline.execute(raise_on_error=False)
	return [row if isinstance(row, list) and len(row) == len(fields) else nothing for row in found]


def waiting_ids(connection: Any, queue: str, start: int = 0, count: int | None = None) -> list[str]:
	"""The ids of the jobs in a queue, in their order; one that is no text is among them, as good as may be.

	:param queue: as RQ calls it
	:param start: the position of the first one
	:param count: the most of them; all where it is not given
	"""
	last = -1 if count is None else start + count - 1
	try:
		found = connection.lrange(Queue.redis_queue_namespace_prefix + queue, start, last)
	except RedisError as error:
		if is_no_answer(error):
			raise
		# It is no list.
		return []
	return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in found]


def fetch(connection: Any, job_ids: list[str]) -> list[Job | None]:
	"""These jobs as RQ makes them; None where there is none, or nobody can read it."""
	try:
		return Job.fetch_many(job_ids, connection=connection)
	except Exception as error:
		if is_no_answer(error):
			raise
	return [_fetch_one(connection, job_id) for job_id in job_ids]


def _fetch_one(connection: Any, job_id: str) -> Job | None:
	try:
		return Job.fetch(job_id, connection=connection)
	except Exception as error:
		if is_no_answer(error):
			raise
		return None


def arguments_of(job: Job) -> dict:
	"""What a job's function is called with; nothing where nobody can read it."""
	try:
		return dict((job.kwargs or {}).get("kwargs") or {})
	except Exception:
		# It is pickled, and may be of code that is gone.
		return {}


def end_of(job: Job) -> tuple[str | None, float | None]:
	"""The last line of what a worker has reported of a job that failed, and the seconds since then."""
	try:
		lines = (text_of(job.exc_info) or "").splitlines()
	except Exception:
		# Versions of RQ keep it in different places, compressed or not.
		lines = []
	ended_at = getattr(job, "ended_at", None)
	age = None
	if isinstance(ended_at, datetime):
		aware = ended_at if ended_at.tzinfo else ended_at.replace(tzinfo=timezone.utc)
		age = max(0.0, time.time() - aware.timestamp())
	return (lines[-1] if lines else None), age


def connected_names(connection: Any) -> set[str] | None:
	"""The names that connections of this Redis have given themselves; None if nobody may or can say."""
	try:
		names = {text_of(client.get("name")) for client in connection.client_list()}
	except Exception as error:
		if is_no_answer(error):
			raise
		# Not every user of Redis may ask this; and redis-py fails at a line that it cannot take to pieces.
		return None
	return {name for name in names if name}


def uptime(connection: Any) -> float | None:
	"""Seconds since Redis was started; None if nobody may or can say."""
	try:
		seconds = float(connection.info("server")["uptime_in_seconds"])
	except Exception as error:
		if is_no_answer(error):
			raise
		return None
	return seconds if math.isfinite(seconds) else None


def is_no_answer(error: BaseException) -> bool:
	"""Whether Redis does not answer at all: not for a single question, but for the next one as well."""
	return isinstance(error, ConnectionError | TimeoutError)
