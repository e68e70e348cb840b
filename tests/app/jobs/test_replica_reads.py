# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a job reads from a replica: what it was queued with and what its own method commits, as its rule asks."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import frappe
import pytest
from frappe.utils import now_datetime
from frappe.utils.background_jobs import get_queue
from rq.job import Job

from read_replica.site import router_of_site
from support.bench import SITE
from support.browser import Browser
from support.trouble import standing_still

from ..conftest import QUEUES, as_after_an_hour, full_form, in_another_worker
from ..watch.test_freshness_header import token_of
from .test_execution import scheduled
from .test_jobs import rule, tick

LOOKING = "sample_app.jobs.looking_job"
COPYING = "sample_app.jobs.copying_job"
WAITING = "sample_app.jobs.waiting_job"
EXISTS = "sample_app.api.todo_exists"

ON_A_REPLICA = (2, 3)
ON_THE_PRIMARY = 1


@pytest.fixture
def looking(due):
	yield from scheduled(due, LOOKING)


def taken() -> list[Job]:
	"""What waited in the queues, as workers take it out."""
	jobs = [job for queue in QUEUES for job in get_queue(queue).jobs]
	for queue in QUEUES:
		get_queue(queue).empty()
	return jobs


def perform(job: Job) -> None:
	"""What a worker does with a job, in a thread of its own."""
	with ThreadPoolExecutor(1) as worker:
		worker.submit(job.perform).result(timeout=60)


def work_off() -> None:
	for job in taken():
		perform(job)


def looked() -> int:
	value = frappe.cache().get("sample_app_looked")
	frappe.cache().delete("sample_app_looked")
	assert value, "the job was not executed"
	return int(value)


def save(description: str) -> None:
	frappe.get_doc({"doctype": "ToDo", "description": description}).insert()
	frappe.db.commit()


def somebody_saves() -> None:
	"""As another job, or another request, of the same user."""
	in_another_worker(save, "meanwhile")


def test_a_job_reads_a_replica_though_other_jobs_of_its_user_commit_meanwhile(looking, servers):
	rule(LOOKING, "primary", reads="Replica", max_lag=300)
	as_after_an_hour()
	servers.catch_up()
	with standing_still(servers):
		for _ in range(5):
			in_another_worker(frappe.enqueue, LOOKING)
		for job in taken():
			somebody_saves()
			perform(job)
			assert looked() in ON_A_REPLICA


def test_a_job_reads_the_primary_while_the_desk_says_so(looking, servers):
	rule(LOOKING, "primary", reads="Replica", max_lag=300)
	as_after_an_hour()
	servers.catch_up()
	for paused, read_on in ((1, (ON_THE_PRIMARY,)), (0, ON_A_REPLICA)):
		in_another_worker(pause, paused)
		# Within two seconds, whatever else the process does.
		time.sleep(2)
		in_another_worker(frappe.enqueue, LOOKING)
		work_off()
		assert looked() in read_on


def pause(paused: int) -> None:
	frappe.get_doc("Read Replica Settings").update({"paused": paused}).save()
	frappe.db.commit()


def test_a_job_is_shown_what_its_request_has_committed(looking, stale):
	rule(LOOKING, "primary", reads="Replica", max_lag=300)

	def request():
		save("for the job")
		frappe.enqueue(LOOKING)

	in_another_worker(request)
	work_off()
	assert looked() == ON_THE_PRIMARY


def test_a_scheduled_job_reads_a_replica_that_does_not_have_the_claim_of_its_run(
	looking, monkeypatch, servers
):
	rule(LOOKING, "primary", reads="Replica", max_lag=300)
	as_after_an_hour()
	servers.catch_up()
	with standing_still(servers):
		for hour in range(3):
			due_again(hour)
			somebody_saves()
			assert tick(monkeypatch, None) == [LOOKING]
			work_off()
			assert looked() in ON_A_REPLICA


def due_again(hour: int) -> None:
	frappe.db.rollback()
	frappe.db.sql(
		"update `tabScheduled Job Type` set last_execution = '2020-01-01' - interval %s hour where method in"
		" (%s, %s)",
		(hour, LOOKING, COPYING),
	)
	frappe.db.commit()


@pytest.mark.parametrize(
	("asked", "answered_by"),
	[
		({"consistency": "Strong"}, (ON_THE_PRIMARY,)),
		({"consistency": "Eventual"}, ON_A_REPLICA),
		({"max_lag": 1}, (ON_THE_PRIMARY,)),
		({"max_lag": 300}, ON_A_REPLICA),
	],
)
def test_a_rule_says_how_fresh_the_reads_of_its_jobs_are(looking, monkeypatch, servers, asked, answered_by):
	rule(LOOKING, "primary", reads="Replica", **({"max_lag": 300} | asked))
	as_after_an_hour()
	servers.catch_up()
	with standing_still(servers):
		save("which no replica has")
		in_another_worker(until_late)
		tick(monkeypatch, None)
		work_off()
		assert looked() in answered_by


@pytest.mark.parametrize(
	("asked", "answered_by"),
	[({"consistency": "Strong"}, (ON_THE_PRIMARY,)), ({"max_lag": 300}, ON_A_REPLICA)],
)
def test_so_it_does_of_jobs_that_are_put_into_a_queue(looking, servers, asked, answered_by):
	rule(LOOKING, "primary", reads="Replica", **({"max_lag": 300} | asked))
	as_after_an_hour()
	servers.catch_up()
	with standing_still(servers):
		in_another_worker(frappe.enqueue, LOOKING)
		somebody_saves()
		work_off()
		assert looked() in answered_by


def until_late() -> None:
	"""All replicas are known to be late by more than two seconds."""
	router = router_of_site()
	for _ in range(100):
		router.health.check_now()
		lags = [router.health.verdict_of(replica.name).lag for replica in router.replicas]
		if all(lag and lag > 2 for lag in lags):
			return
		time.sleep(0.1)
	raise AssertionError(lags)


@pytest.fixture
def copying(due):
	"""A job that copies what has changed, on a site where documents are saved all the time."""
	frappe.db.sql_ddl(
		"create or replace table sample_app_source (name varchar(140) primary key, modified datetime(6))"
	)
	frappe.db.sql_ddl("create or replace table sample_app_copied (name varchar(140) primary key)")
	frappe.db.sql_ddl("create or replace table sample_app_cursor (cursor_at datetime(6))")
	frappe.cache().delete("sample_app_copied_from")
	yield from scheduled(due, COPYING)


@pytest.mark.parametrize("put_there_by", ["a scheduler", "a request"])
def test_a_job_that_keeps_a_cursor_skips_no_row(copying, monkeypatch, servers, put_there_by):
	rule(COPYING, "primary", reads="Replica", max_lag=30)
	as_after_an_hour()
	with two_seconds_late(servers), users_that_save() as saved:
		for hour in range(8):
			due_again(hour)
			if put_there_by == "a scheduler":
				tick(monkeypatch, None)
			else:
				in_another_worker(frappe.enqueue, COPYING)
			work_off()
			time.sleep(0.5)
	servers.catch_up()
	with ThreadPoolExecutor(1) as worker:
		worker.submit(in_another_worker, once_more).result(timeout=60)
	frappe.db.rollback()
	copied = {name for (name,) in frappe.db.sql("select name from sample_app_copied")}
	names = {name for each in saved for name in each.result()}
	assert len(names) > 20 and names <= copied
	assert b"replica" in frappe.cache().lrange("sample_app_copied_from", 0, -1)


@contextmanager
def two_seconds_late(servers) -> Iterator[None]:
	"""The replicas apply everything two seconds after the primary's commit."""

	def delay(seconds: int) -> None:
		for replica in servers.replicas:
			replica.query("STOP SLAVE")
			replica.query(f"CHANGE MASTER TO MASTER_DELAY={seconds}")
			replica.query("START SLAVE")

	delay(2)
	try:
		yield
	finally:
		delay(0)


@contextmanager
def users_that_save() -> Iterator[list[Future]]:
	"""Two users save rows until the block ends; the names of the rows are the futures' results."""
	is_over = threading.Event()
	with ThreadPoolExecutor(2) as users:
		try:
			yield [users.submit(save_rows, f"{number} ", is_over) for number in range(2)]
		finally:
			is_over.set()


def once_more() -> None:
	"""The last run: all that was saved before is everywhere by now."""
	from sample_app.jobs import copying_job

	copying_job()
	frappe.db.commit()


def save_rows(prefix: str, is_over: threading.Event) -> set[str]:
	"""Save rows as requests do: with the time of the save, a while before their commit."""
	names = set()

	def work():
		while not is_over.wait(0.05):
			name = f"{prefix}{len(names)}"
			frappe.db.sql("insert into sample_app_source values (%s, %s)", (name, now_datetime()))
			is_over.wait(0.3 if len(names) % 3 else 0)
			frappe.db.commit()
			names.add(name)

	in_another_worker(work)
	return names


def test_an_api_user_and_a_guest_wait_for_what_their_own_client_has_committed_and_no_other(looking, servers):
	as_after_an_hour()
	servers.catch_up()
	with ThreadPoolExecutor(1) as elsewhere:
		token = elsewhere.submit(token_of, "Administrator").result(timeout=60)
	servers.catch_up()
	for headers in (token, {}):
		one, another = Browser(SITE), Browser(SITE)
		with standing_still(servers):
			name = one.call("sample_app.api.saves_as_administrator", headers=headers | agent("one"))
			own = one.call(EXISTS, headers=headers | agent("one"), name=name)
			of_another = another.call(EXISTS, headers=headers | agent("another"), name=name)
		one.close()
		another.close()
		assert (own, of_another) == (True, False)


def agent(name: str) -> dict:
	return {"User-Agent": f"client of the tests: {name}"}


@pytest.mark.parametrize("seconds", [None, 1])
def test_a_statement_of_a_job_may_take_as_long_as_the_job(looking, configured, servers, seconds):
	configured.configure(read_replica=full_form(servers, timeout=1))
	rule(WAITING, "primary", reads="Replica")
	in_another_worker(partial(frappe.enqueue, WAITING, seconds=2, timeout=seconds))
	[job] = taken()
	if seconds:
		with pytest.raises(Exception, match="1969"):
			perform(job)
	else:
		perform(job)
		assert looked() in ON_A_REPLICA


def test_a_prepared_report_takes_as_long_as_it_may(looking, configured, servers, monkeypatch):
	"""Core runs it in a job whose limit is the report's, under its own decorator read_only."""
	configured.configure(read_replica=full_form(servers, timeout=1))
	in_another_worker(partial(frappe.enqueue, "sample_app.jobs.reporting_job", timeout=3600))
	work_off()
	assert looked() in ON_A_REPLICA
