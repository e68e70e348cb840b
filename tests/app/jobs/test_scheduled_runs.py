# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Each due run of a scheduled job is put into one queue, and executed once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import frappe
import pytest
from frappe.core.doctype.scheduled_job_type import scheduled_job_type
from frappe.core.doctype.scheduled_job_type.scheduled_job_type import ScheduledJobType
from frappe.utils import get_datetime, now_datetime

from read_replica.jobs import due_times, execution, scheduled_runs
from read_replica.jobs.placement import Place

from ..conftest import QUEUES, in_another_worker
from .test_jobs import HOURLY, queued, rule, tick

NAME = {"method": HOURLY}
EXECUTED = "sample_app_hourly_runs"


@pytest.fixture
def hourly(due):
	"""The hourly job of the sample app is due, and nothing has been claimed."""
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 1 where method != %s", HOURLY)
	frappe.db.commit()
	frappe.cache().delete_value(EXECUTED)
	yield due
	frappe.db.rollback()
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 0")
	frappe.db.commit()


def jobs_in_queues() -> list:
	from frappe.utils.background_jobs import get_queue

	return [job for queue in QUEUES for job in get_queue(queue).jobs]


def as_with_another_queue() -> list:
	"""Take what waits out of the queues: a server with a Redis of its own sees none of it."""
	from frappe.utils.background_jobs import get_queue

	taken = [job.kwargs["kwargs"] for job in jobs_in_queues()]
	for queue in QUEUES:
		get_queue(queue).empty()
	return taken


def work_off(jobs: list) -> None:
	"""What workers do with these jobs, each in a process of its own."""
	for kwargs in jobs:
		in_another_worker(lambda kwargs=kwargs: execution.run_once(**kwargs))


def executed() -> int:
	return int(frappe.cache().get(frappe.cache().make_key(EXECUTED)) or 0)


def later(seconds: int) -> None:
	# What was read before would be in the way of an UPDATE: innodb_snapshot_isolation.
	frappe.db.rollback()
	frappe.db.sql("update `tabScheduled Run` set claimed_at = claimed_at - interval %s second", seconds)
	frappe.db.commit()


def last_execution():
	frappe.db.rollback()
	return get_datetime(frappe.db.get_value("Scheduled Job Type", NAME, "last_execution"))


def test_schedulers_with_queues_of_their_own_and_one_server_id_enqueue_a_run_once(hourly, monkeypatch):
	assert tick(monkeypatch, None) == [HOURLY]
	jobs = as_with_another_queue()
	assert tick(monkeypatch, None) == []
	work_off(jobs)
	assert executed() == 1
	assert tick(monkeypatch, None) == []


def test_many_schedulers_that_tick_at_the_same_moment_enqueue_a_run_once(hourly):
	count = 8
	start = threading.Barrier(count, timeout=60)

	def scheduler():
		def claim():
			job = frappe.get_doc("Scheduled Job Type", NAME)
			run = scheduled_runs.DueRun(job, due_times.next_due(job), Place("primary"))
			start.wait()
			return scheduled_runs.claim([run])

		return in_another_worker(claim)

	with ThreadPoolExecutor(count) as schedulers:
		claimed = list(schedulers.map(lambda _: scheduler(), range(count)))
	assert len([run for run in claimed if run]) == 1


def test_a_run_that_waits_in_two_queues_is_executed_by_the_first_worker_alone(hourly, monkeypatch):
	tick(monkeypatch, None)
	first = as_with_another_queue()
	later(61)
	assert tick(monkeypatch, None) == [HOURLY], "its queue is said to have lost it"
	second = as_with_another_queue()
	assert first == second
	work_off(second)
	work_off(first)
	assert executed() == 1


def test_a_scheduler_that_dies_between_claim_and_queue_loses_no_run(hourly, monkeypatch):
	def die(*args, **kwargs):
		raise SystemExit("killed")

	with monkeypatch.context() as dying:
		dying.setattr(frappe, "enqueue", die)
		with pytest.raises(SystemExit):
			tick(monkeypatch, None)
	assert queued() == []
	assert tick(monkeypatch, None) == [], "it may be about to enqueue it"
	later(61)
	assert tick(monkeypatch, None) == [HOURLY]
	work_off(as_with_another_queue())
	assert executed() == 1


def test_a_worker_whose_clock_is_late_executes_a_run_once_and_the_next_one_as_well(hourly, monkeypatch):
	tick(monkeypatch, None)
	work_off(as_with_another_queue())
	[[due_at]] = frappe.db.sql("select due_at from `tabScheduled Run`")
	# What core has noted by the clock of the worker.
	set_last_execution(due_at - timedelta(seconds=2))
	assert tick(monkeypatch, None) == []
	assert last_execution() == due_at
	assert executed() == 1
	# An hour passes: the next one is due.
	assert tick(monkeypatch, None) == [HOURLY]
	work_off(as_with_another_queue())
	assert executed() == 2


def test_schedulers_whose_clocks_are_two_seconds_apart_enqueue_a_run_once(hourly, monkeypatch):
	due_at = due_times.next_due(frappe.get_doc("Scheduled Job Type", NAME))
	early, late = due_at + timedelta(seconds=1), due_at - timedelta(seconds=1)

	def tick_at(clock) -> list:
		set_clock(monkeypatch, clock)
		return tick(monkeypatch, None)

	assert tick_at(late) == []
	assert tick_at(early) == [HOURLY]
	jobs = as_with_another_queue()
	assert tick_at(due_at) == [], (
		"the one that is late sees it due a second later, and none of the other's queue"
	)
	set_clock(monkeypatch, late)
	work_off(jobs)
	assert last_execution() == late, "as core notes it, by the clock of its worker"
	assert tick_at(late) == [] and tick_at(early) == [] and tick_at(due_at) == []
	assert executed() == 1


def set_clock(monkeypatch, now) -> None:
	for module in (due_times, scheduled_job_type):
		monkeypatch.setattr(module, "now_datetime", lambda: now)


def set_last_execution(at) -> None:
	frappe.db.sql("update `tabScheduled Job Type` set last_execution = %s where method = %s", (at, HOURLY))
	frappe.db.commit()


def test_a_jobs_times_are_those_of_its_own_site(due, monkeypatch):
	frequency = "Hourly Maintenance"
	if frequency not in frappe.get_meta("Scheduled Job Type").get_field("frequency").options.split("\n"):
		pytest.skip("this version has no frequency that differs between sites")
	job = frappe._dict(name="of_each_site", frequency=frequency, creation=now_datetime())
	as_core_has_it = []
	for site in ("a.test", "b.test", "c.test"):
		monkeypatch.setattr(frappe.local, "site", site)
		as_core_has_it.append(ScheduledJobType.get_next_execution(frappe._dict(job)))
		assert due_times.next_due(job) == as_core_has_it[-1]
	if len(set(as_core_has_it)) == 1:
		pytest.skip("this version has the same times on all sites")


def test_a_worker_that_dies_at_once_does_not_stop_its_job_for_ever(hourly, monkeypatch):
	tick(monkeypatch, None)
	[job] = as_with_another_queue()
	before = last_execution()
	in_another_worker(lambda: execution.begin_attempt(job["run"], job["scheduled_job_type"], "ours"))
	assert last_execution() > before
	assert tick(monkeypatch, None) == [HOURLY], "the run after it is due"


def test_run_now_and_a_run_that_is_due_are_two_runs(hourly, monkeypatch):
	tick(monkeypatch, None)
	work_off(as_with_another_queue())
	frappe.get_doc("Scheduled Job Type", NAME).enqueue(force=True)
	assert jobs_in_queues() == [], "whoever asks may still roll back"
	frappe.db.commit()
	work_off(as_with_another_queue())
	assert executed() == 2


def test_a_run_waits_until_maintenance_is_over(hourly, monkeypatch):
	tick(monkeypatch, None)
	jobs = as_with_another_queue()
	hourly.configure(maintenance_mode=1)
	try:
		work_off(jobs)
	finally:
		hourly.configure(maintenance_mode=None)
	assert executed() == 0
	later(61)
	assert tick(monkeypatch, None) == [HOURLY]
	work_off(as_with_another_queue())
	assert executed() == 1


def test_a_site_without_the_table_enqueues_as_core_does(hourly, monkeypatch):
	frappe.db.sql_ddl("rename table `tabScheduled Run` to `tabScheduled Run Away`")
	try:
		assert tick(monkeypatch, None) == [HOURLY]
		[job] = as_with_another_queue()
		assert "run" not in job
	finally:
		frappe.db.sql_ddl("rename table `tabScheduled Run Away` to `tabScheduled Run`")


def test_rows_of_runs_are_deleted_after_a_day(hourly, monkeypatch):
	tick(monkeypatch, None)
	work_off(as_with_another_queue())
	later(25 * 3600)
	monkeypatch.setattr(scheduled_runs, "_cleaned_at", {})
	set_last_execution(now_datetime() - timedelta(hours=2))
	assert tick(monkeypatch, None) == [HOURLY]
	frappe.db.rollback()
	assert frappe.db.count("Scheduled Run") == 1


def test_the_desk_shows_who_claimed_a_run_and_who_has_begun_it(hourly, monkeypatch, browser):
	rule(HOURLY, "secondary")
	tick(monkeypatch, "secondary")
	work_off(as_with_another_queue())
	[row] = browser.call(
		"frappe.client.get_list", doctype="Scheduled Run", fields=["job", "server_id", "begun_at", "begun_by"]
	)
	assert (row["job"], row["server_id"]) == (HOURLY, "secondary")
	assert row["begun_at"] and row["begun_by"]
