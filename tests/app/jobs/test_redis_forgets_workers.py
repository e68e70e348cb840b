# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Workers go on after Redis has forgotten them, which RQ never lists again: their jobs run where they belong."""

import time
from collections.abc import Iterator

import frappe
import pytest
from frappe.utils import background_jobs
from rq import Worker

from read_replica.core import rq_data
from read_replica.jobs.tick import placement_seen_by_scheduler
from support.servers import Redis
from support.waiting import until

from ..watch.test_job_findings import (
	minutes_pass,
	own_queues,
	problems,
	rule,
	takeovers,
	tick,
	waiting,
	worker,
)
from .test_scheduled_runs import HOURLY, executed, hourly
from .test_workers import BENCH_ID, alive, noting, real_workers

__all__ = ["hourly", "noting", "own_queues"]

# What RQ waits at most before it asks a Redis again that was away for a moment.
SECONDS_UNTIL_A_JOB_RUNS = 60


@pytest.fixture
def queue_redis(tmp_path, monkeypatch) -> Iterator[Redis]:
	"""The Redis that holds the queues of this process."""
	(tmp_path / "redis").mkdir()
	redis = Redis(tmp_path / "redis")
	redis.start()
	monkeypatch.setattr(background_jobs, "get_redis_conn", lambda *_, **__: redis.client())
	yield redis
	redis.kill()


@pytest.fixture(params=["flushall", "restart", "expiry"])
def forget(request, queue_redis):
	"""Let Redis forget the workers that run, in each of the ways that it does."""

	def forget() -> None:
		redis = queue_redis.client()
		if request.param == "flushall":
			redis.flushall()
		elif request.param == "restart":
			queue_redis.kill()
			time.sleep(1)
			queue_redis.start()
		else:
			# Minutes without a connection to Redis: of a worker, nothing but its name is left.
			redis.delete(*redis.smembers(rq_data.KEY_OF_WORKERS))
		assert rq_data.workers(redis) == []

	return forget


def until_rq_lists(redis: Redis) -> None:
	until(lambda: rq_data.workers(redis.client()))


def last_run():
	frappe.db.rollback()
	[run] = frappe.get_all("Scheduled Run", fields=["server_id", "taken_from", "begun_by"])
	return run


@pytest.mark.parametrize("takeover_after", [900, 0])
def test_a_job_of_a_server_runs_there_and_is_not_taken_over(
	queue_redis, noting, forget, tmp_path, monkeypatch, takeover_after
):
	rule(HOURLY, "secondary", takeover_after=takeover_after)
	command = ("worker", "--queue", "secondary")
	with (
		real_workers(noting, tmp_path / "b", "secondary", queue_redis.port, *command),
		worker("primary"),
	):
		until(lambda: len(rq_data.workers(queue_redis.client())) == 2)
		until(alive)
		forget()
		minutes_pass(16)
		until(lambda: alive("secondary"))
		tick(monkeypatch, "primary")
		assert takeovers() == []
		until(lambda: executed() == 1, SECONDS_UNTIL_A_JOB_RUNS)
	run = last_run()
	assert (run.server_id, run.taken_from) == ("secondary", None)
	assert run.begun_by.startswith("secondary@")
	assert "reads the queue 'secondary'" not in problems()


def test_a_takeover_that_has_begun_ends_when_the_worker_is_seen(
	queue_redis, noting, forget, tmp_path, monkeypatch
):
	rule(HOURLY, "secondary")
	command = ("worker", "--queue", "secondary")
	with real_workers(noting, tmp_path / "b", "secondary", queue_redis.port, *command) as bench:
		until_rq_lists(queue_redis)
		until(alive)
		monkeypatch.setenv("SERVER_ID", "primary")
		placement_seen_by_scheduler()
		process = next(p for p in reversed(bench.processes("workers")) if "worker" in p.cmdline())
		process.suspend()
		until(lambda: not alive())
		forget()
		minutes_pass(16)
		with worker("primary"):
			tick(monkeypatch, "primary")
			assert [row.ended_at for row in takeovers()] == [None]
			process.resume()
			until(lambda: alive("secondary"))
			tick(monkeypatch, "primary")
			assert takeovers()[0].ended_at


def test_the_default_servers_own_jobs_run_on_it(queue_redis, noting, forget, tmp_path, monkeypatch):
	command = ("worker", "--queue", "primary")
	with real_workers(noting, tmp_path / "b", "primary", queue_redis.port, *command):
		until_rq_lists(queue_redis)
		until(lambda: alive("primary"))
		forget()
		minutes_pass(16)
		until(lambda: alive("primary"))
		tick(monkeypatch, "primary")
		assert waiting("default") == [], "any server's worker would take it there"
		until(lambda: executed() == 1, SECONDS_UNTIL_A_JOB_RUNS)
	assert last_run().begun_by.startswith("primary@")


def test_with_a_redis_for_each_server_its_jobs_run_there(
	queue_redis, hourly, servers, forget, tmp_path, monkeypatch
):
	frappe.db.delete("Job Worker")
	frappe.db.commit()
	monkeypatch.setenv("SAMPLE_APP_SECONDS_BETWEEN_BEATS", "0.5")
	monkeypatch.setitem(frappe.local.conf, "bench_id", BENCH_ID)
	hourly.configure_common(bench_id=BENCH_ID)
	rule(HOURLY, "secondary")
	command = ("worker", "--queue", "default")
	try:
		with real_workers(hourly, tmp_path / "b", "secondary", queue_redis.port, *command):
			until_rq_lists(queue_redis)
			until(alive)
			forget()
			minutes_pass(16, ticking=("primary", "secondary"))
			until(lambda: alive("secondary"))
			with pytest.MonkeyPatch.context() as on_primary:
				on_primary.setattr(background_jobs, "get_redis_conn", lambda *_, **__: servers.redis.client())
				assert tick(monkeypatch, "primary") == []
			assert takeovers() == []
			tick(monkeypatch, "secondary")
			until(lambda: executed() == 1, SECONDS_UNTIL_A_JOB_RUNS)
		run = last_run()
		assert (run.server_id, run.taken_from) == ("secondary", None)
		assert run.begun_by.startswith("secondary@")
	finally:
		hourly.configure_common(bench_id=None)
		frappe.db.rollback()
		frappe.db.delete("Job Worker")
		frappe.db.commit()


def test_a_worker_that_does_not_reach_its_redis_can_take_no_job_and_does_not_say_that_it_is_alive(
	queue_redis, noting, tmp_path
):
	command = ("worker", "--queue", "secondary")
	with real_workers(noting, tmp_path / "b", "secondary", queue_redis.port, *command):
		until(alive)
		queue_redis.kill()
		until(lambda: not alive())
		queue_redis.start()
		until(alive)
		queue_redis.freeze()
		until(lambda: not alive())
		queue_redis.thaw()
		until(alive)


def test_rq_lists_no_worker_again_that_redis_has_forgotten(queue_redis, noting, tmp_path):
	"""Why each worker notes itself: if this fails, RQ has learned it."""
	command = ("worker", "--queue", "secondary")
	with real_workers(noting, tmp_path / "b", "secondary", queue_redis.port, *command):
		until_rq_lists(queue_redis)
		queue_redis.client().flushall()
		time.sleep(3)
		assert Worker.all(connection=queue_redis.client()) == []
