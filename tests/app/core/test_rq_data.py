# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What RQ keeps in Redis is read whatever its fields look like; what cannot be read is not known."""

import time
from datetime import datetime, timedelta, timezone

import pytest
import redis as redis_py
from frappe.utils.background_jobs import generate_qname, get_redis_conn
from redis.exceptions import ResponseError

from read_replica.core import rq_data
from read_replica.jobs import queues

JOB = "of_the_tests"
KEY = f"rq:job:{JOB}"
WORKER = "worker_of_the_tests"
WORKER_KEY = rq_data.PREFIX_OF_WORKER + WORKER
QUEUE = "queue_of_the_tests"

AGO = 300
SECONDS_OF_A_TEST = 120

READABLE = {
	"as RQ writes it": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
	"without a fraction": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
	"with a short fraction": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.5Z"),
	"with nanoseconds": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.123456789Z"),
	"with an offset": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
	"with another offset": lambda moment: moment.astimezone(timezone(timedelta(hours=5))).isoformat(),
	"without a zone": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S"),
	"with a space": lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S.%f"),
}
UNREADABLE = {
	"empty": "",
	"no moment": "yesterday",
	"no text": b"\xff\xfe\x00",
	"blanks": "  ",
	"None": "None",
}


@pytest.fixture
def redis(site):
	connection = get_redis_conn()
	yield connection
	connection.delete(KEY, WORKER_KEY, rq_data.Queue.redis_queue_namespace_prefix + QUEUE)
	connection.srem(rq_data.KEY_OF_WORKERS, WORKER_KEY)


@pytest.mark.parametrize("form", READABLE)
def test_a_moment_is_read_in_each_form(redis, form):
	moment = READABLE[form](datetime.now(timezone.utc) - timedelta(seconds=AGO))
	for value in (moment, moment.encode()):
		assert rq_data.age_of(value) == pytest.approx(AGO, abs=SECONDS_OF_A_TEST)
	redis.hset(KEY, mapping={"status": "started", "last_heartbeat": moment})
	assert queues.states([JOB])[JOB].heartbeat_age == pytest.approx(AGO, abs=SECONDS_OF_A_TEST)
	register(redis, last_heartbeat=moment, birth=moment)
	[worker] = workers(redis)
	for age in (worker.heartbeat_age, worker.birth_age):
		assert age == pytest.approx(AGO, abs=SECONDS_OF_A_TEST)


@pytest.mark.parametrize("form", UNREADABLE)
@pytest.mark.parametrize("field", ["status", "origin", "last_heartbeat", "enqueued_at", "created_at"])
def test_a_job_with_a_field_that_cannot_be_read_is_one_of_which_that_is_not_known(redis, field, form):
	now = READABLE["as RQ writes it"](datetime.now(timezone.utc))
	sound = {
		"status": "queued",
		"origin": QUEUE,
		"last_heartbeat": now,
		"enqueued_at": now,
		"created_at": now,
	}
	redis.hset(KEY, mapping=sound | {field: UNREADABLE[form]})
	job = queues.states([JOB])[JOB]
	assert job.status == "queued" or field == "status"
	assert (job.heartbeat_age is None) == (field == "last_heartbeat")
	assert job.queued_age is not None, "one of two moments is enough"
	assert queues.QueueLists().queue_of(JOB) is None
	redis.hdel(KEY, "enqueued_at", "created_at")
	assert queues.states([JOB])[JOB].queued_age is None


def test_a_job_that_is_missing_or_no_hash_is_not_known_and_takes_no_other_with_it(redis):
	assert queues.states([]) == {}
	assert queues.states([JOB])[JOB] == rq_data.JobData()
	redis.set(KEY, "no hash")
	redis.hset("rq:job:another", "status", "started")
	found = queues.states([JOB, "another"])
	redis.delete("rq:job:another")
	assert (found[JOB].status, found["another"].status) == (None, "started")
	assert found["another"].age == float("inf"), "it has never told of itself"


@pytest.mark.parametrize("form", UNREADABLE)
@pytest.mark.parametrize("field", ["hostname", "queues", "last_heartbeat", "birth"])
def test_a_worker_with_a_field_that_cannot_be_read_takes_no_other_with_it(redis, field, form):
	register(redis, **{field: UNREADABLE[form]})
	with_another = redis_py.Redis(**redis.connection_pool.connection_kwargs)
	sound = f"{rq_data.PREFIX_OF_WORKER}sound"
	with_another.hset(sound, mapping={"queues": generate_qname("short"), "hostname": "sound"})
	with_another.sadd(rq_data.KEY_OF_WORKERS, sound, b"\xff\xfe")
	try:
		hosts = [reader.host for reader in queues.listed_workers()]
		assert "sound" in hosts
		assert len(hosts) == (1 if field == "queues" else 2)
	finally:
		with_another.srem(rq_data.KEY_OF_WORKERS, sound, b"\xff\xfe")
		with_another.delete(sound)


def test_a_worker_that_is_missing_or_no_hash_is_none(redis):
	redis.sadd(rq_data.KEY_OF_WORKERS, WORKER_KEY)
	assert workers(redis) == []
	redis.set(WORKER_KEY, "no hash")
	assert workers(redis) == [] and queues.listed_workers() == []


def test_text_and_bytes_are_read_alike(redis):
	settings = redis.connection_pool.connection_kwargs | {"decode_responses": True}
	as_text = redis_py.Redis(**settings)
	now = READABLE["as RQ writes it"](datetime.now(timezone.utc))
	redis.hset(KEY, mapping={"status": "queued", "origin": QUEUE, "enqueued_at": now})
	redis.rpush(rq_data.Queue.redis_queue_namespace_prefix + QUEUE, JOB)
	register(redis, last_heartbeat=now)
	for connection in (redis, as_text):
		job = rq_data.jobs(connection, [JOB])[JOB]
		assert (job.status, job.origin) == ("queued", QUEUE)
		assert rq_data.waiting_ids(connection, QUEUE) == [JOB]
		assert [worker.name for worker in workers(connection)] == [WORKER]
	as_text.close()


def test_a_queue_with_bytes_that_are_no_job_still_tells_what_else_waits_in_it(redis):
	key = rq_data.Queue.redis_queue_namespace_prefix + QUEUE
	redis.rpush(key, b"\xff\xfe\x00", JOB, "")
	redis.hset(KEY, mapping={"status": "queued", "origin": QUEUE})
	assert queues.QueueLists().queue_of(JOB) == QUEUE
	redis.hset(KEY, "created_at", "nonsense")
	assert rq_data.fetch(redis, [JOB, "\ufffd", ""]) == [None, None, None]
	redis.delete(key)
	redis.set(key, "no list")
	assert queues.QueueLists().queue_of(JOB) is None


class Answers:
	"""A connection that answers so when it is asked about itself."""

	def __init__(self, answer):
		self.answer = answer

	def client_list(self):
		if isinstance(self.answer, Exception):
			raise self.answer
		return self.answer

	def info(self, section):
		return self.client_list()


@pytest.mark.parametrize(
	"answer",
	[ResponseError("NOPERM"), ValueError("no pair"), None, "nonsense", [None], {"uptime_in_seconds": "long"}],
)
def test_what_redis_does_not_say_of_itself_is_not_known(answer):
	assert rq_data.client_names(Answers(answer)) is None
	assert rq_data.uptime(Answers(answer)) is None


def test_what_redis_says_of_itself_is_read_as_text_or_bytes(redis):
	redis.client_setname(WORKER)
	assert WORKER in rq_data.client_names(redis)
	assert rq_data.client_names(Answers([{"name": b"one"}, {"name": "two"}, {}])) == {"one", "two"}
	assert rq_data.uptime(redis) >= 0
	assert rq_data.uptime(Answers({"uptime_in_seconds": "12"})) == 12


def register(redis, **fields) -> None:
	sound = {"queues": generate_qname("short") + ",another:queue", "hostname": "host"}
	redis.hset(WORKER_KEY, mapping=sound | fields)
	redis.sadd(rq_data.KEY_OF_WORKERS, WORKER_KEY)


def workers(connection) -> list[rq_data.WorkerData]:
	return [worker for worker in rq_data.workers(connection) if worker.name == WORKER]
