# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Where the primary refuses named locks, scheduled jobs run all the same; and what cannot begin is given up and shown."""

import frappe
import pymysql
import pytest

from read_replica.jobs import execution, run_locks, scheduled_runs
from read_replica.watch.job_findings import problems
from support.bench import SITE

from ..conftest import in_another_worker
from .test_execution import WRITING, dies, executed, let_no_run_be_due, scheduled, set_back, work_off_and_die
from .test_jobs import tick
from .test_scheduled_runs import as_with_another_queue, jobs_in_queues, later, work_off

LOCKS = ("get_lock", "release_lock", "is_used_lock")

# The server answers it as some clusters answer GET_LOCK: 1235, not supported yet.
NOT_SUPPORTED = "select 1 from (select 1) t where 1 in (select 1 limit 1)"


@pytest.fixture
def writing(due):
	yield from scheduled(due, WRITING)


@pytest.fixture
def without_locks(writing, monkeypatch):
	"""The primary refuses each statement with a named lock."""
	database = type(frappe.local.db)
	sql = database.sql

	def refusing(self, query, *args, **kwargs):
		if any(lock in str(query).lower() for lock in LOCKS):
			return sql(self, NOT_SUPPORTED)
		return sql(self, query, *args, **kwargs)

	monkeypatch.setattr(database, "sql", refusing)
	with pytest.raises(Exception, match="1235"):
		frappe.db.sql("select get_lock('of the test', 0)")
	return writing


@pytest.fixture
def on_a_node_of_a_cluster(writing, monkeypatch):
	"""Named locks are known to this node of a Galera cluster alone."""
	database = type(frappe.local.db)
	sql = database.sql

	def of_a_cluster(self, query, *args, **kwargs):
		return sql(self, "select 'wsrep_on', 'ON'" if "wsrep_on" in str(query) else query, *args, **kwargs)

	monkeypatch.setattr(database, "sql", of_a_cluster)
	assert run_locks.reach() == "one node"
	return writing


def row_of(run: str):
	frappe.db.rollback()
	fields = ["executed_at", "attempts", "begun_by", "last_error"]
	return frappe.db.get_value("Scheduled Run", run, fields, as_dict=True)


def test_without_locks_a_due_run_is_executed_by_its_claim_alone(without_locks, monkeypatch):
	assert tick(monkeypatch, None) == [WRITING]
	work_off(as_with_another_queue())
	assert executed() == 1
	let_no_run_be_due()
	later(61)
	assert tick(monkeypatch, None) == []


def test_without_locks_a_run_that_waits_in_two_queues_is_executed_once(without_locks, monkeypatch):
	tick(monkeypatch, None)
	first = as_with_another_queue()
	let_no_run_be_due()
	later(61)
	assert tick(monkeypatch, None) == [WRITING]
	[job] = as_with_another_queue()

	def while_it_works() -> None:
		work_off(first)
		assert executed_in_another_worker() == 0

	monkeypatch.setattr("sample_app.jobs.writing_job", job_that(while_it_works))
	work_off([job])
	work_off(first)
	assert executed() == 1


def executed_in_another_worker() -> int:
	return in_another_worker(executed)


def job_that(step):
	def writing_job():
		step()
		frappe.db.sql("insert into sample_app_executed (run) values ('of the test')")

	return writing_job


def test_without_locks_a_run_whose_worker_was_killed_is_not_executed_again(without_locks, monkeypatch):
	dies("before it commits")
	tick(monkeypatch, None)
	let_no_run_be_due()
	work_off_and_die(as_with_another_queue())
	dies(None)
	later(61)
	assert tick(monkeypatch, None) == [], "its worker may still be at work"


def test_where_a_node_has_locks_of_its_own_a_run_that_another_one_may_execute_is_not_begun_again(
	on_a_node_of_a_cluster, monkeypatch
):
	dies("before it commits")
	tick(monkeypatch, None)
	let_no_run_be_due()
	waits = as_with_another_queue()
	work_off_and_die(waits)
	dies(None)
	work_off(waits)
	assert executed() == 0, "its worker may still be at work, with a lock that is not known here"
	later(61)
	assert tick(monkeypatch, None) == []


def test_without_locks_a_run_whose_worker_says_that_it_has_failed_is_executed_again(
	without_locks, monkeypatch
):
	tick(monkeypatch, None)
	let_no_run_be_due()
	with monkeypatch.context() as patched:
		patched.setattr(execution.Execution, "before_method", raise_error)
		work_off(as_with_another_queue())
	later(61)
	assert tick(monkeypatch, None) == [WRITING]
	work_off(as_with_another_queue())
	assert executed() == 1


def test_without_locks_a_run_that_fails_between_its_begin_and_its_job_is_executed_again(
	without_locks, monkeypatch
):
	tick(monkeypatch, None)
	let_no_run_be_due()
	[job] = as_with_another_queue()
	with monkeypatch.context() as patched:
		patched.setattr(execution, "_is_ready", raise_error)
		with pytest.raises(ValueError, match="nobody can read"):
			work_off([job])
	row = row_of(job["run"])
	assert row.attempts == 1 and not row.begun_by and "nobody can read" in row.last_error
	later(61)
	assert tick(monkeypatch, None) == [WRITING]
	work_off(as_with_another_queue())
	assert executed() == 1


def raise_error(*args, **kwargs):
	raise ValueError("a rule that nobody can read")


def test_without_locks_a_run_that_rq_says_is_executed_holds_up_the_next_one(without_locks, monkeypatch):
	from frappe.utils.background_jobs import get_redis_conn
	from rq.job import Job

	from read_replica.jobs import due_times

	tick(monkeypatch, None)
	name = frappe.db.get_value("Scheduled Job Type", {"method": WRITING})
	job_id = due_times.rq_job_id(frappe.get_doc("Scheduled Job Type", name))
	[job] = as_with_another_queue()
	get_redis_conn().hset(Job.key_for(job_id), mapping={"status": "started", "last_heartbeat": beat()})
	later(61)
	assert tick(monkeypatch, None) == [], "a worker executes it, and its row says nothing of it yet"
	get_redis_conn().hset(Job.key_for(job_id), "status", "finished")
	assert tick(monkeypatch, None) == [WRITING]
	assert as_with_another_queue() == [job]


def beat() -> str:
	from datetime import datetime, timezone

	from rq.utils import utcformat

	return utcformat(datetime.now(timezone.utc))


def test_status_says_that_locks_are_refused_and_what_is_not_guarded(without_locks):
	assert [line for line in problems() if "refuses named locks" in line and "nothing guards" in line]


def test_with_locks_there_is_nothing_to_say(writing):
	assert run_locks.reach() == "everywhere"
	assert not [line for line in problems() if "named locks" in line]


@pytest.mark.parametrize("number", [1235, 1105, 1290])
def test_a_server_that_will_never_take_the_statement_refuses_it(writing, number):
	assert run_locks._is_refusal(pymysql.err.OperationalError(number, "of the test"))


# Killed, out of time, a conflict, a connection that is lost or was never made, a table that is missing.
@pytest.mark.parametrize("number", [1317, 1969, 1020, 1205, 1213, 2006, 2013, 2003, 1040, 1146])
def test_what_may_go_well_the_next_time_is_no_refusal(writing, number):
	assert not run_locks._is_refusal(pymysql.err.OperationalError(number, "of the test"))


def test_an_error_that_says_nothing_of_locks_is_not_taken_for_a_refusal(writing):
	frappe.db.sql_ddl("rename table `tabScheduled Run` to `tabScheduled Run Away`")
	try:
		with pytest.raises(Exception, match="1146"):
			run_locks.running_job_types(["of the test"])
	finally:
		frappe.db.sql_ddl("rename table `tabScheduled Run Away` to `tabScheduled Run`")


def test_a_run_that_never_begins_for_a_lasting_error_is_given_up_and_status_shows_the_error(
	writing, monkeypatch
):
	tick(monkeypatch, None)
	let_no_run_be_due()
	monkeypatch.setattr(execution.Execution, "before_method", raise_error)
	for attempt in range(1, 4):
		[job] = as_with_another_queue()
		work_off([job])
		row = row_of(job["run"])
		assert (row.attempts, row.executed_at, row.begun_by) == (attempt, None, None)
		[line] = [line for line in problems() if WRITING in line]
		assert "ValueError: a rule that nobody can read" in line
		later(61)
		tick(monkeypatch, None)
	assert jobs_in_queues() == [] and "not executed again" in line
	assert "ValueError: a rule" in writing.bench("--site", SITE, "read-replica", "servers")


def test_a_broken_hook_of_another_app_that_runs_before_each_job_is_given_up_and_shown(writing, monkeypatch):
	tick(monkeypatch, None)
	[[run]] = frappe.db.sql("select name from `tabScheduled Run`")
	let_no_run_be_due()
	frappe.cache().set_value("sample_app_hook_fails", 1)
	try:
		for attempt in range(1, 4):
			assert len(jobs_in_queues()) == 1
			writing.bench("worker", "--burst", "--queue", "default,short,long")
			later(61)
			tick(monkeypatch, None)
			assert row_of(run).attempts == attempt
	finally:
		frappe.cache().delete_value("sample_app_hook_fails")
	assert jobs_in_queues() == []
	[line] = [line for line in problems() if WRITING in line]
	assert "RuntimeError: the hook of another app is broken" in line
	assert executed() == 0
	# The next run has its own attempts.
	set_back(frappe.db.get_value("Scheduled Job Type", {"method": WRITING}))
	assert tick(monkeypatch, None) == [WRITING]
	writing.bench("worker", "--burst", "--queue", "default,short,long")
	assert executed() == 1


def test_a_job_whose_run_was_given_up_before_it_began_is_due_at_its_next_time(writing, monkeypatch):
	tick(monkeypatch, None)
	later(61)
	[run] = scheduled_runs.unfinished()
	before = frappe.db.get_value("Scheduled Job Type", run.job_type, "last_execution")
	place = scheduled_runs.Place("primary")
	assert in_another_worker(lambda: scheduled_runs.reclaim(run, place, "it is broken"))
	assert not in_another_worker(lambda: scheduled_runs.reclaim(run, place, "it is broken")), "claimed since"
	frappe.db.rollback()
	after = frappe.db.get_value("Scheduled Job Type", run.job_type, "last_execution")
	assert after == run.due_at and (before is None or before < after)
	assert row_of(run.name).attempts == 1


def test_a_run_that_redis_has_lost_again_and_again_is_never_given_up(writing, monkeypatch):
	tick(monkeypatch, None)
	let_no_run_be_due()
	for _ in range(5):
		as_with_another_queue()
		later(61)
		assert tick(monkeypatch, None) == [WRITING]
	for _ in range(5):
		later(61)
		assert tick(monkeypatch, None) == [], "it waits"
	work_off(as_with_another_queue())
	assert executed() == 1


def test_a_site_that_is_not_migrated_yet_executes_its_runs_and_tries_them_again(writing, monkeypatch):
	tick(monkeypatch, None)
	let_no_run_be_due()
	frappe.db.sql_ddl("alter table `tabScheduled Run` rename column last_error to last_error_away")
	try:
		with monkeypatch.context() as patched:
			patched.setattr(execution.Execution, "before_method", raise_error)
			work_off(as_with_another_queue())
		later(61)
		assert tick(monkeypatch, None) == [WRITING]
		assert problems() is not None
		work_off(as_with_another_queue())
		assert executed() == 1
	finally:
		frappe.db.sql_ddl("alter table `tabScheduled Run` rename column last_error_away to last_error")
