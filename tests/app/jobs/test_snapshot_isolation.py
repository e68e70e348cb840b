# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""With innodb_snapshot_isolation, as MariaDB has it from 11.6.2 on, no tick, no run and no job's work is lost.

A transaction that has read, and then changes a row that another one has changed since, is rolled back with
error 1020 there.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import frappe
import pytest

from read_replica.database import bookkeeping
from read_replica.database.bookkeeping import execute_and_commit
from read_replica.jobs import scheduled_runs
from read_replica.jobs.placement import Place
from read_replica.jobs.rules import forget_rules
from read_replica.jobs.servers import note
from read_replica.watch.job_findings import problems

from ..conftest import in_another_worker
from .test_execution import WRITING, executed, let_no_run_be_due, scheduled
from .test_jobs import HOURLY, tick
from .test_scheduled_runs import as_with_another_queue, later, work_off

SCHEDULERS = 4
TICKS = 20


@pytest.fixture
def isolated(servers):
	"""The primary has the option on, for each connection that is made from now on."""
	before = servers.primary.query("show global variables like 'innodb_snapshot_isolation'")
	if not before:
		pytest.skip("This MariaDB has no innodb_snapshot_isolation")
	servers.primary.query("set global innodb_snapshot_isolation = on")
	yield servers.primary
	servers.primary.query(f"set global innodb_snapshot_isolation = {before[0][1]}")


@pytest.fixture
def writing(isolated, due):
	yield from scheduled(due, WRITING)


def taken(monkeypatch) -> dict:
	"""A run that is due, out of its queue into the hands of a worker; no other will be due."""
	tick(monkeypatch, None)
	[job] = as_with_another_queue()
	let_no_run_be_due()
	later(61)
	return job


def job_does(monkeypatch, *steps) -> None:
	"""Let the job read, do these steps, write a row, and leave the commit to core."""

	def writing_job():
		frappe.db.sql("select count(*) from sample_app_executed")
		for step in steps:
			step()
		frappe.db.sql("insert into sample_app_executed (run) values ('of the test')")

	monkeypatch.setattr("sample_app.jobs.writing_job", writing_job)


def leave_row(name: str) -> None:
	"""A row of an earlier job, which others may change."""
	execute_and_commit("insert into sample_app_executed (run) values (%s)", name)


def row_of(job: dict):
	frappe.db.rollback()
	fields = ["executed_at", "attempts", "last_error"]
	return frappe.db.get_value("Scheduled Run", job["run"], fields, as_dict=True)


def log() -> list[str]:
	frappe.db.rollback()
	return frappe.get_all("Scheduled Job Log", pluck="status", order_by="creation")


def test_schedulers_that_note_themselves_at_once_are_never_refused(isolated, due):
	start = threading.Barrier(SCHEDULERS, timeout=60)

	def ticks() -> None:
		start.wait()
		for _ in range(TICKS):
			frappe.db.sql("select * from `tabJob Server`")
			note([], ["secondary"])

	with ThreadPoolExecutor(SCHEDULERS) as schedulers:
		for done in [schedulers.submit(in_another_worker, ticks) for _ in range(SCHEDULERS)]:
			done.result(timeout=120)
	frappe.db.rollback()
	assert frappe.db.count("Job Server") == 2


def test_schedulers_that_claim_at_once_after_they_have_read_claim_each_run_once(isolated, due):
	rounds = 10
	start = threading.Barrier(SCHEDULERS, timeout=60)
	job = frappe.get_doc("Scheduled Job Type", {"method": HOURLY})

	def ticks() -> list[str]:
		claimed = []
		for number in range(rounds):
			due_at = datetime(2020, 1, 1, number)
			frappe.db.sql("select * from `tabScheduled Run`")
			start.wait()
			claimed += scheduled_runs.claim([scheduled_runs.DueRun(job, due_at, Place("primary"))])
		return claimed

	with ThreadPoolExecutor(SCHEDULERS) as schedulers:
		done = [schedulers.submit(in_another_worker, ticks) for _ in range(SCHEDULERS)]
		claimed = [name for one in done for name in one.result(timeout=120)]
	assert len(claimed) == len(set(claimed)) == rounds


def test_a_run_that_a_worker_has_begun_is_not_claimed_again_and_its_work_is_there_once(writing, monkeypatch):
	job = taken(monkeypatch)
	# What a scheduler has read before the worker began.
	[run] = scheduled_runs.unfinished()
	claimed = []

	def scheduler() -> None:
		claimed.append(in_another_worker(lambda: scheduled_runs.reclaim(run, Place("primary"))))

	job_does(monkeypatch, scheduler)
	work_off([job])
	assert executed() == 1 and claimed == [False]
	assert row_of(job).executed_at and log() == ["Complete"]
	later(61)
	assert tick(monkeypatch, None) == []


def touch(job: dict):
	"""Change the row of a run, as nobody should while a worker executes it."""
	statement = "update `tabScheduled Run` set host = concat(host, '.') where name = %s"
	return lambda: in_another_worker(lambda: execute_and_commit(statement, (job["run"],)))


def wait_in_vain(servers, job: dict):
	"""Lock the row of a run until the end of the test."""

	def step() -> None:
		frappe.db.sql("set session innodb_lock_wait_timeout = 1")
		connection = servers.primary.admin(frappe.conf.db_name)
		connection.begin()
		connection.cursor().execute(
			"select name from `tabScheduled Run` where name = %s for update", (job["run"],)
		)
		locks.append(connection)

	locks: list = []
	return step, locks


def tried_again(monkeypatch) -> None:
	"""The run is put into a queue again, and its job has nothing in its way any more."""
	later(61)
	job_does(monkeypatch)
	assert tick(monkeypatch, None) == [WRITING]
	work_off(as_with_another_queue())


def test_a_run_whose_commit_is_refused_is_not_executed_and_its_work_is_there_once_in_the_end(
	writing, monkeypatch
):
	job = taken(monkeypatch)
	job_does(monkeypatch, touch(job))
	work_off([job])
	row = row_of(job)
	assert executed() == 0 and log() == ["Failed"]
	assert not row.executed_at and row.attempts == 1 and "1020" in row.last_error
	tried_again(monkeypatch)
	assert executed() == 1 and row_of(job).executed_at


def test_a_job_that_the_database_ends_in_favour_of_another_is_tried_again_and_given_up_in_the_end(
	writing, monkeypatch
):
	job = taken(monkeypatch)
	leave_row("0")
	attempts = []

	def change_it_elsewhere() -> None:
		attempts.append(job["run"])
		statement = "update sample_app_executed set run = %s"
		in_another_worker(lambda: (frappe.db.sql(statement, len(attempts)), frappe.db.commit()))
		frappe.db.sql("update sample_app_executed set run = 'of the job'")

	job_does(monkeypatch, change_it_elsewhere)
	work_off([job])
	row = row_of(job)
	assert not row.executed_at and "1020" in row.last_error and log() == ["Failed"]
	for _ in range(3):
		later(61)
		tick(monkeypatch, None)
		work_off(as_with_another_queue())
	row = row_of(job)
	assert len(attempts) == row.attempts == 3 and not row.executed_at and executed() == 1
	assert [line for line in problems() if WRITING in line]


def test_what_a_job_has_committed_before_is_not_done_again_as_the_database_ends_the_rest(
	writing, monkeypatch
):
	job = taken(monkeypatch)
	leave_row("0")

	def change_it_elsewhere() -> None:
		frappe.db.sql("insert into sample_app_executed (run) values ('first half')")
		frappe.db.commit()
		frappe.db.sql("select * from sample_app_executed")
		statement = "update sample_app_executed set run = '1' where run = '0'"
		in_another_worker(lambda: (frappe.db.sql(statement), frappe.db.commit()))
		frappe.db.sql("update sample_app_executed set run = 'of the job'")

	job_does(monkeypatch, change_it_elsewhere)
	work_off([job])
	assert log() == ["Failed"] and executed() == 2 and row_of(job).executed_at


def test_a_run_whose_commit_waits_in_vain_is_not_executed_either(writing, monkeypatch, servers):
	job = taken(monkeypatch)
	step, locks = wait_in_vain(servers, job)
	job_does(monkeypatch, step)
	monkeypatch.setattr(bookkeeping, "SECONDS_OF_TRIES", 0)
	try:
		# Not even why it failed can be noted.
		with pytest.raises(Exception, match="1205"):
			work_off([job])
	finally:
		locks[0].close()
	assert executed() == 0 and not row_of(job).executed_at
	tried_again(monkeypatch)
	assert executed() == 1 and row_of(job).executed_at


def test_a_job_that_fails_after_a_commit_that_failed_is_not_executed(writing, monkeypatch):
	job = taken(monkeypatch)

	def commit_and_go_on() -> None:
		with pytest.raises(Exception, match="1020"):
			frappe.db.commit()
		frappe.db.rollback()
		raise ValueError("what follows from it")

	job_does(monkeypatch, touch(job), commit_and_go_on)
	work_off([job])
	assert not row_of(job).executed_at
	tried_again(monkeypatch)
	assert executed() == 1 and row_of(job).executed_at


def test_a_job_that_commits_again_after_a_commit_that_failed_is_executed(writing, monkeypatch):
	job = taken(monkeypatch)

	def commit_again() -> None:
		with pytest.raises(Exception, match="1020"):
			frappe.db.commit()
		frappe.db.rollback()

	job_does(monkeypatch, touch(job), commit_again)
	work_off([job])
	assert executed() == 1 and row_of(job).executed_at and log() == ["Complete"]


def test_a_job_whose_callback_fails_after_its_commit_went_well_is_executed_once(writing, monkeypatch):
	job = taken(monkeypatch)

	def fail(*args):
		raise OSError("Redis is away")

	def fail_after_commit() -> None:
		if hasattr(frappe.db, "after_commit"):
			frappe.db.after_commit.add(fail)
		else:
			frappe.local.realtime_log.append(())
			monkeypatch.setattr(frappe.realtime, "emit_via_redis", fail)

	job_does(monkeypatch, fail_after_commit)
	work_off([job])
	assert executed() == 1 and row_of(job).executed_at and log() == ["Failed"]
	later(61)
	assert tick(monkeypatch, None) == []


@pytest.mark.parametrize("has_read", [True, False], ids=["refused for its view", "refused by its number"])
def test_a_worker_that_has_lost_its_lock_commits_nothing_if_another_has_begun(writing, monkeypatch, has_read):
	job = taken(monkeypatch)

	def writing_job() -> None:
		if has_read:
			frappe.db.sql("select count(*) from sample_app_executed")
		frappe.db.sql("do release_all_locks()")
		job_does(monkeypatch)
		work_off([job])
		frappe.db.sql("insert into sample_app_executed (run) values ('of the first worker')")

	monkeypatch.setattr("sample_app.jobs.writing_job", writing_job)
	work_off([job])
	row = row_of(job)
	assert executed() == 1 and row.executed_at and row.attempts == 2
	assert sorted(log()) == ["Complete", "Failed"]


def test_a_job_that_waits_before_its_first_statement_sees_and_changes_what_was_committed_meanwhile(
	writing, monkeypatch
):
	job = taken(monkeypatch)
	leave_row("before")
	seen = []

	def change_elsewhere() -> None:
		frappe.db.sql("update sample_app_executed set run = 'meanwhile'")
		frappe.db.commit()

	def writing_job() -> None:
		# As one that first asks another system, which takes its time.
		in_another_worker(change_elsewhere)
		seen.extend(frappe.db.sql("select run from sample_app_executed"))
		frappe.db.sql("update sample_app_executed set run = 'of the job'")

	monkeypatch.setattr("sample_app.jobs.writing_job", writing_job)
	# As in a worker's process, which begins with this job.
	forget_rules()
	work_off([job])
	assert seen == [("meanwhile",)] and log() == ["Complete"]
	assert frappe.db.sql("select run from sample_app_executed") == (("of the job",),)


@pytest.mark.parametrize("when", ["before it", "in it", "after it"])
def test_a_worker_that_loses_its_connection_around_its_commit_does_its_work_once_in_the_end(
	writing, monkeypatch, servers, when
):
	job = taken(monkeypatch)

	def lose_the_connection() -> None:
		primary = frappe.db
		[[connection]] = primary.sql("select connection_id()")
		sql = primary.sql

		def sql_until_commit(query, *args, **kwargs):
			if str(query).lower() != "commit":
				return sql(query, *args, **kwargs)
			if when == "after it":
				sql(query, *args, **kwargs)
			servers.primary.query(f"kill {connection}")
			primary.sql = sql
			# The server's answer to the commit is not there, or its error is.
			return sql("commit")

		primary.sql = sql_until_commit
		if when == "before it":
			servers.primary.query(f"kill {connection}")

	job_does(monkeypatch)
	writes = frappe.get_attr(WRITING)

	def writing_job() -> None:
		writes()
		lose_the_connection()

	monkeypatch.setattr("sample_app.jobs.writing_job", writing_job)
	with pytest.raises(Exception, match=r"2006|2013|1927|1317|^\(0, ''\)"):
		work_off([job])
	was_committed = when == "after it"
	assert executed() == was_committed and bool(row_of(job).executed_at) == was_committed
	later(61)
	job_does(monkeypatch)
	tick(monkeypatch, None)
	work_off(as_with_another_queue())
	assert executed() == 1 and row_of(job).executed_at


def test_bookkeeping_after_a_read_changes_a_row_that_another_has_changed_since(isolated, due):
	def scheduler() -> bool:
		frappe.db.sql("select * from `tabJob Server`")
		in_another_worker(lambda: note([], []))
		return execute_and_commit("update `tabJob Server` set jobs = 7")

	in_another_worker(lambda: note([], []))
	assert in_another_worker(scheduler)


def test_bookkeeping_is_tried_again_and_what_was_uncommitted_before_is_there(isolated, due, servers):
	note([], [])
	connection = servers.primary.admin(frappe.conf.db_name)
	connection.begin()
	connection.cursor().execute("update `tabJob Server` set jobs = 1")
	frappe.db.sql("set session innodb_lock_wait_timeout = 0")
	frappe.get_doc({"doctype": "ToDo", "description": "uncommitted"}).insert()
	with pytest.raises(Exception, match="1205"):
		execute_and_commit("update `tabJob Server` set jobs = jobs + 10")
	frappe.db.rollback()
	assert frappe.db.count("ToDo", {"description": "uncommitted"}) == 1
	over = threading.Timer(0.1, connection.close)
	over.start()
	assert execute_and_commit("update `tabJob Server` set jobs = jobs + 10")
	over.join()
	assert frappe.get_all("Job Server", pluck="jobs") == [10]
	frappe.db.delete("ToDo", {"description": "uncommitted"})
	frappe.db.commit()


def test_the_error_of_a_changed_row_is_known_by_its_number_whatever_this_version_makes_of_it(isolated, due):
	note([], [])
	in_another_worker(lambda: execute_and_commit("update `tabJob Server` set jobs = 1"))
	frappe.db.rollback()
	frappe.db.sql("set session innodb_snapshot_isolation = on")
	frappe.db.sql("select * from `tabJob Server`")
	in_another_worker(lambda: execute_and_commit("update `tabJob Server` set jobs = 2"))
	with pytest.raises(Exception, match="1020") as refused:
		frappe.db.sql("update `tabJob Server` set jobs = 3")
	assert bookkeeping.is_transaction_conflict(refused.value)
	assert not bookkeeping.is_transaction_conflict(ValueError("1020"))
