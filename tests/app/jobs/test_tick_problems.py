# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""No step of a tick, and no job in it, keeps the other jobs from being scheduled; status names what failed."""

from types import SimpleNamespace

import frappe
import pytest
from frappe.utils.background_jobs import generate_qname, get_queue, get_redis_conn
from rq.job import Job

from read_replica.jobs import (
	due_times,
	orphaned_jobs,
	queues,
	run_locks,
	scheduled_runs,
	servers,
	takeovers,
	tick_problems,
)
from read_replica.jobs import tick as ticks
from support.bench import SITE

from ..conftest import in_another_worker
from ..watch.test_job_findings import minutes_pass, own_queues, put, worker
from .test_jobs import DAILY, HOURLY, rule, tick
from .test_scheduled_runs import as_with_another_queue, hourly, later

__all__ = ["hourly", "own_queues"]

BROKEN = RuntimeError("broken by a test")


@pytest.fixture
def two_due(hourly):
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 0 where method = %s", DAILY)
	frappe.db.commit()
	tick_problems._late.clear()
	yield hourly
	frappe.db.rollback()
	frappe.db.delete("Scheduler Config", {"name": "broken"})
	frappe.db.sql("delete from `tabScheduled Job Type` where name like 'broken%'")
	frappe.db.commit()


def fails(*args, **kwargs):
	raise BROKEN


def status(site) -> str:
	"""As another process tells it."""
	frappe.db.rollback()
	return site.bench("--site", SITE, "read-replica", "status")


STEPS = {
	"places": (queues, "listed_workers"),
	"servers": (servers, "load"),
	"takeovers": (takeovers, "end"),
	"sweep": (orphaned_jobs, "move_from_unread_queues"),
	"unfinished": (scheduled_runs, "unfinished"),
	"counts": (servers, "note_job_counts"),
	"going on": (run_locks, "running_job_types"),
	"states of jobs": (queues, "states"),
	"note takeovers": (takeovers, "note"),
}


@pytest.mark.parametrize("step", ["queues", *STEPS])
def test_a_step_that_fails_holds_up_no_job_and_status_names_it_until_it_is_well_again(
	two_due, monkeypatch, step
):
	with monkeypatch.context() as broken:
		if step == "queues":
			# The tests' own connections need it as well.
			hook = SimpleNamespace(**vars(ticks.enqueue_hook) | {"install": fails})
			broken.setattr(ticks, "enqueue_hook", hook)
		else:
			broken.setattr(*STEPS[step], fails)
		assert sorted(tick(monkeypatch, None)) == [DAILY, HOURLY]
	assert f"in its last tick: {step}: RuntimeError broken by a test" in status(two_due)
	# What fails as jobs are put into queues is shown until the tick after it is over.
	for _ in range(2):
		# v14 asks no job that waits, and so has no tick where all of them do.
		as_with_another_queue()
		tick(monkeypatch, None)
	assert "in its last tick" not in status(two_due)


def test_servers_that_cannot_be_noted_keep_this_servers_jobs_from_nothing(two_due, monkeypatch):
	monkeypatch.setattr(servers, "note", fails)
	rule(DAILY, "secondary")
	assert tick(monkeypatch, None) == [HOURLY]
	assert "in its last tick: places: RuntimeError" in status(two_due)


@pytest.mark.parametrize("what", ["place", "claim", "put", "due", "id"])
def test_a_job_that_fails_holds_up_no_other_and_status_names_it(two_due, monkeypatch, what):
	owner, name = {
		"place": (ticks, "rule_for"),
		"claim": (scheduled_runs, "claim"),
		"put": (ticks, "enqueue_run"),
		"due": (due_times, "next_due"),
		"id": (due_times, "rq_job_id"),
	}[what]
	real = getattr(owner, name)

	def fails_for_daily(*args, **kwargs):
		told = repr([args, [vars(each) for each in args if hasattr(each, "__dict__")]])
		if DAILY in told:
			raise BROKEN
		return real(*args, **kwargs)

	monkeypatch.setattr(owner, name, fails_for_daily)
	found = tick(monkeypatch, None)
	assert HOURLY in found
	# One of which nobody knows its id in Redis cannot be put there, or waits there for all we know.
	assert DAILY not in found or what == "id"
	assert DAILY in status(two_due) and "broken by a test" in status(two_due)


def test_a_run_that_cannot_be_put_again_holds_up_no_other(two_due, monkeypatch):
	tick(monkeypatch, None)
	as_with_another_queue()
	later(61)
	reclaim = scheduled_runs.reclaim

	def fails_for_daily(run, *args, **kwargs):
		return fails() if run.method == DAILY else reclaim(run, *args, **kwargs)

	monkeypatch.setattr(scheduled_runs, "reclaim", fails_for_daily)
	assert tick(monkeypatch, None) == [HOURLY]
	assert f"in its last tick: {DAILY}: RuntimeError" in status(two_due)


@pytest.mark.parametrize("cron", ["0 0 31 2 *", "*/0 * * * *", "nonsense", ""])
def test_a_broken_cron_format_is_named(two_due, monkeypatch, cron):
	frappe.db.sql(
		"insert into `tabScheduled Job Type` (name, creation, method, frequency, cron_format)"
		" values ('broken', '2020-01-01', 'sample_app.jobs.broken', 'Cron', %s)",
		cron,
	)
	frappe.db.commit()
	assert sorted(tick(monkeypatch, None)) == [DAILY, HOURLY]
	assert "in its last tick: sample_app.jobs.broken: " in status(two_due)


def test_a_rule_whose_row_is_broken_is_no_rule_and_is_named(two_due, monkeypatch):
	frappe.db.sql(
		"insert into `tabScheduler Config` (name, creation, enabled, job, server_id, `reads`)"
		" values ('broken', '2020-01-01', 1, null, null, 'nonsense')"
	)
	rule(DAILY, "secondary")
	assert tick(monkeypatch, None) == [HOURLY]
	assert "Scheduler Config 'broken'" in status(two_due)


def test_odd_workers_and_jobs_in_redis_hold_up_no_job(two_due, monkeypatch):
	redis = get_redis_conn()
	odd = ["rq:worker:odd", "rq:worker:odder"]
	redis.sadd("rq:workers", *odd, b"\xff\xfe")
	redis.hset(odd[0], mapping={"queues": generate_qname("short"), "birth": "", "last_heartbeat": "odd"})
	redis.set(odd[1], "no hash")
	name = frappe.db.get_value("Scheduled Job Type", {"method": DAILY})
	key = Job.key_for(due_times.rq_job_id(frappe.get_doc("Scheduled Job Type", name)))
	redis.hset(key, mapping={"status": "started", "last_heartbeat": "", "created_at": ""})
	try:
		assert sorted(tick(monkeypatch, None)) == [DAILY, HOURLY]
		assert "in its last tick" not in status(two_due)
	finally:
		redis.srem("rq:workers", *odd, b"\xff\xfe")
		redis.delete(*odd, key)


def test_bytes_that_are_no_job_in_the_queue_of_a_server_that_is_gone_stop_no_other(own_queues, monkeypatch):
	if frappe.__version__.startswith("14"):
		pytest.skip("v14's own scheduler looks into each job that waits, and fails")
	with worker("secondary"):
		in_another_worker(lambda: put("frappe.ping", takeover_after=60))
	redis = get_redis_conn()
	redis.lpush(get_queue("secondary").key, b"\xff\xfe")
	minutes_pass(16)
	monkeypatch.setattr(orphaned_jobs, "_unread_since", {(SITE, "secondary"): float("-inf")})
	try:
		with worker("primary"):
			tick(monkeypatch, "primary")
		assert redis.llen(get_queue("secondary").key) == 1, "the sound one is moved"
	finally:
		redis.delete(get_queue("secondary").key)
