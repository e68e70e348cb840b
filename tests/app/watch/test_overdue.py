# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A job that Redis takes for queued or started, and that nobody has, runs; status names what is overdue."""

from datetime import datetime, timedelta, timezone

import frappe
import pytest
from frappe.utils.background_jobs import generate_qname, get_queue, get_redis_conn
from rq.job import Job

from read_replica.jobs import due_times, scheduled_runs, servers, under_way
from support.bench import SITE

from ..jobs.test_jobs import HOURLY, queued, rule, tick
from ..jobs.test_scheduled_runs import NAME, as_with_another_queue, hourly
from .test_job_findings import minutes_pass, run_now

__all__ = ["hourly"]


@pytest.fixture
def of_before(hourly):
	"""Puts a job into Redis as RQ has it, before this app was installed."""
	redis = get_redis_conn()
	key = Job.key_for(due_times.rq_job_id(frappe.get_doc("Scheduled Job Type", NAME)))
	redis.delete(key)
	under_way._not_in_its_queue_since.clear()

	def put(status: str, **seconds_ago: float) -> None:
		now = datetime.now(timezone.utc)
		moments = {
			field: (now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
			for field, seconds in seconds_ago.items()
		}
		redis.hset(key, mapping={"status": status, "origin": generate_qname("default"), **moments})

	yield put
	redis.delete(key)


@pytest.mark.parametrize("known_by", ["enqueued_at", "created_at"])
def test_a_job_that_is_called_queued_and_is_in_no_queue_runs_after_a_minute(of_before, monkeypatch, known_by):
	of_before("queued", **{known_by: 30})
	assert tick(monkeypatch, None) == [], "whoever puts it there may be about to"
	of_before("queued", **{known_by: 90})
	assert tick(monkeypatch, None) == [HOURLY]


def test_one_of_which_redis_does_not_know_since_when_runs_at_the_second_tick(of_before, monkeypatch):
	of_before("queued")
	assert tick(monkeypatch, None) == []
	assert tick(monkeypatch, None) == [], "two schedulers, or a console, may look at nearly the same time"
	monkeypatch.setattr(under_way, "SECONDS_OF_ANOTHER_TICK", 0)
	assert tick(monkeypatch, None) == [HOURLY]


def test_one_that_waits_in_its_queue_for_hours_is_not_put_there_twice(of_before, monkeypatch):
	assert tick(monkeypatch, None) == [HOURLY]
	of_before("queued", enqueued_at=7200, created_at=7200)
	# A transaction of after the tick: what it reads is what it then deletes.
	frappe.db.rollback()
	frappe.db.delete("Scheduled Run")
	frappe.db.commit()
	tick(monkeypatch, None)
	assert get_redis_conn().llen(get_queue("default").key) == 1


@pytest.mark.parametrize("seconds_ago", [{"last_heartbeat": 120}, {}])
def test_a_job_that_is_called_started_and_has_no_worker_runs(of_before, monkeypatch, seconds_ago):
	of_before("started", last_heartbeat=30)
	assert tick(monkeypatch, None) == [], "its worker may be about to tell"
	of_before("started", **seconds_ago)
	if not seconds_ago:
		job_id = due_times.rq_job_id(frappe.get_doc("Scheduled Job Type", NAME))
		get_redis_conn().hdel(Job.key_for(job_id), "last_heartbeat")
	assert tick(monkeypatch, None) == [HOURLY]


def test_run_now_runs_a_job_that_is_called_queued_and_is_in_no_queue(of_before, browser):
	of_before("queued", enqueued_at=90)
	assert "is in the queue already" not in run_now(browser)
	assert queued() == [HOURLY]
	assert "is in the queue already" in run_now(browser)


def overdue(site) -> str:
	frappe.db.rollback()
	lines = site.bench("--site", SITE, "read-replica", "status").splitlines()
	return "\n".join(line for line in lines if line.startswith("Overdue"))


def due_seconds_ago(seconds: float) -> None:
	"""The job is due every minute, for so long."""
	frappe.db.sql(
		"update `tabScheduled Job Type` set frequency = 'Cron', cron_format = '* * * * *',"
		" last_execution = %s where method = %s",
		(frappe.utils.now_datetime() - timedelta(seconds=seconds), HOURLY),
	)
	frappe.db.commit()


@pytest.fixture
def each_minute(of_before):
	frappe.db.set_single_value("System Settings", "enable_scheduler", 1)
	frappe.db.commit()
	yield of_before
	frappe.db.rollback()
	frappe.db.set_single_value("System Settings", "enable_scheduler", 0)
	frappe.db.sql(
		"update `tabScheduled Job Type` set frequency = 'Hourly', cron_format = '' where method = %s", HOURLY
	)
	frappe.db.commit()


def test_status_names_what_is_overdue_by_more_than_two_ticks(each_minute, hourly, monkeypatch):
	servers.note([], ())
	due_seconds_ago(60)
	assert overdue(hourly) == ""
	due_seconds_ago(1800)
	assert f"{HOURLY}: the scheduler of server 'primary' has not claimed it" in overdue(hourly)
	each_minute("queued", enqueued_at=30)
	assert "RQ calls it queued, but it is in no queue" in overdue(hourly)
	assert tick(monkeypatch, None) == []
	each_minute("queued", enqueued_at=90)
	assert tick(monkeypatch, None) == [HOURLY]
	assert overdue(hourly) == "", "it has just been put there"
	frappe.db.sql("update `tabScheduled Run` set creation = creation - interval 30 minute")
	frappe.db.commit()
	assert "it waits in the queue" in overdue(hourly)
	as_with_another_queue()
	assert "its run was claimed on" in overdue(hourly)
	frappe.db.sql("update `tabScheduled Run` set attempts = %s", scheduled_runs.MOST_ATTEMPTS)
	frappe.db.commit()
	assert "given up after 3 attempts" in overdue(hourly)


def test_status_names_the_server_that_a_job_waits_for_or_what_ended_its_tick(
	each_minute, hourly, monkeypatch
):
	servers.note([], ())
	due_seconds_ago(1800)
	monkeypatch.setattr(scheduled_runs, "claim", fails)
	tick(monkeypatch, None)
	assert f"in its last tick: claim {HOURLY}: RuntimeError" in overdue(hourly)
	rule(HOURLY, "secondary")
	assert "no server 'secondary' was ever seen" in overdue(hourly)
	monkeypatch.setenv("SERVER_ID", "secondary")
	servers.note([], ())
	minutes_pass(20)
	assert "its server 'secondary' was last seen 20 min ago" in overdue(hourly)


def fails(*args, **kwargs):
	raise RuntimeError("broken by a test")
