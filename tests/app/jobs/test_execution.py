# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a worker does with a run: once, as far as the primary can tell, whenever it is killed."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import frappe
import pytest
from frappe.core.doctype.scheduled_job_type.scheduled_job_type import ScheduledJobType
from frappe.utils.background_jobs import get_queue, get_redis_conn
from rq.job import Job
from rq.utils import utcformat

from read_replica.database.bookkeeping import execute_and_commit
from read_replica.jobs import due_times, execution, run_locks
from support.bench import SITE
from support.servers import run

from ..conftest import in_another_worker, overheard
from .test_jobs import DAILY, rule, tick
from .test_scheduled_runs import as_with_another_queue, later, work_off

WRITING = "sample_app.jobs.writing_job"
READING = "sample_app.jobs.reading_job"


@pytest.fixture
def writing(due):
	"""A job that writes to the primary is due, and no other."""
	yield from scheduled(due, WRITING)


@pytest.fixture
def reading(due):
	yield from scheduled(due, READING)


def scheduled(site, method):
	frappe.db.sql_ddl("create table if not exists sample_app_executed (run varchar(140))")
	frappe.db.sql("delete from sample_app_executed")
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 1")
	job = frappe.get_doc({"doctype": "Scheduled Job Type", "method": method, "frequency": "Hourly"}).insert()
	frappe.db.sql("update `tabScheduled Job Type` set creation = '2020-01-01' where name = %s", job.name)
	frappe.db.commit()
	frappe.cache().delete_value("sample_app_dies")
	yield site
	frappe.db.rollback()
	frappe.cache().delete_value("sample_app_dies")
	frappe.delete_doc("Scheduled Job Type", job.name, force=True)
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 0")
	frappe.db.commit()


def let_no_run_be_due() -> None:
	"""Nor any other job's, while the scheduler still ticks."""
	frappe.db.sql(
		"update `tabScheduled Job Type` set last_execution = '2099-01-01' where method = %s", WRITING
	)
	frappe.db.commit()


def executed() -> int:
	frappe.db.rollback()
	return frappe.db.sql("select count(*) from sample_app_executed")[0][0]


def dies(when: str | None) -> None:
	frappe.cache().set_value("sample_app_dies", when)


def work_off_and_die(jobs: list) -> None:
	with pytest.raises(SystemExit):
		work_off(jobs)


def test_a_worker_that_is_killed_before_it_has_committed_anything_loses_no_run(writing, monkeypatch):
	dies("before it commits")
	assert tick(monkeypatch, None) == [WRITING]
	work_off_and_die(as_with_another_queue())
	assert executed() == 0
	dies(None)
	assert tick(monkeypatch, None) == [], "it may just have begun"
	later(61)
	assert tick(monkeypatch, None) == [WRITING]
	work_off(as_with_another_queue())
	assert executed() == 1


def test_a_worker_that_is_killed_after_its_job_has_committed_does_not_make_it_run_twice(writing, monkeypatch):
	dies("after it has committed")
	tick(monkeypatch, None)
	work_off_and_die(as_with_another_queue())
	let_no_run_be_due()
	dies(None)
	later(61)
	tick(monkeypatch, None)
	work_off(as_with_another_queue())
	assert executed() == 1


def test_a_run_that_is_being_executed_is_not_put_into_a_queue_again(writing, monkeypatch):
	tick(monkeypatch, None)
	[job] = as_with_another_queue()
	begun, over = threading.Event(), threading.Event()

	def work():
		with run_locks.hold(job["run"]) as lock:
			assert lock == "ours" and execution.begin_attempt(job["run"], job["scheduled_job_type"], lock)
			begun.set()
			assert over.wait(60)

	let_no_run_be_due()
	with ThreadPoolExecutor(1) as worker:
		working = worker.submit(in_another_worker, work)
		try:
			assert begun.wait(60)
			later(61)
			assert tick(monkeypatch, None) == []
			in_another_worker(lambda: execution.run_once(**job))
			assert executed() == 0, "another worker has it"
		finally:
			over.set()
		working.result(timeout=60)
	assert tick(monkeypatch, None) == [WRITING], "it has ended without having executed it"


def test_the_method_of_a_run_that_was_executed_or_is_being_executed_is_not_called(
	writing, monkeypatch, servers
):
	tick(monkeypatch, None)
	[job] = as_with_another_queue()
	calls = []
	monkeypatch.setattr("sample_app.jobs.writing_job", lambda: calls.append(job["run"]))
	with servers.primary.admin() as another:
		run(another, "select get_lock(%s, 0)", (run_locks._lock_name(job["run"]),))
		work_off([job])
		assert calls == []
		run(another, "do release_all_locks()")
		work_off([job])
	work_off([job])
	assert calls == [job["run"]]


def test_the_log_says_which_job_was_not_executed_and_which_on_another_server(writing, monkeypatch):
	said = []
	monkeypatch.setattr(execution, "log_event", lambda event, **fields: said.append((event, fields)))
	rule(WRITING, "secondary")
	tick(monkeypatch, "secondary")
	[job] = as_with_another_queue()
	with monkeypatch.context() as patched:
		patched.setattr(execution.Execution, "before_method", fail)
		monkeypatch.setenv("SERVER_ID", "secondary")
		work_off([job])
	[(event, fields)] = said
	assert event == "not_executed" and fields["job"] == WRITING and "of the test" in fields["error"]
	said.clear()
	monkeypatch.setenv("SERVER_ID", "primary")
	work_off([job])
	assert said == [("wrong_server", {"job": WRITING, "server_id": "secondary", "executed_on": "primary"})]


def fail(*args) -> None:
	raise ValueError("of the test")


def test_a_job_that_fails_is_executed_and_not_tried_again(writing, monkeypatch):
	frappe.db.sql_ddl("rename table sample_app_executed to sample_app_away")
	try:
		tick(monkeypatch, None)
		work_off(as_with_another_queue())
	finally:
		frappe.db.sql_ddl("rename table sample_app_away to sample_app_executed")
	[[executed_at, attempts]] = frappe.db.sql("select executed_at, attempts from `tabScheduled Run`")
	assert executed_at and attempts == 1
	later(61)
	let_no_run_be_due()
	assert tick(monkeypatch, None) == []


def test_a_run_whose_job_is_not_there_any_more_is_forgotten_and_not_said_to_be_executed(writing, monkeypatch):
	tick(monkeypatch, None)
	[job] = as_with_another_queue()
	let_no_run_be_due()
	with away(job["scheduled_job_type"]):
		work_off([job])
		assert executed() == 0 and not frappe.db.exists("Scheduled Run", job["run"])


@contextmanager
def away(job_type: str) -> Iterator[None]:
	"""A Scheduled Job Type is not there, as after an app has left it out."""
	rename = "update `tabScheduled Job Type` set name = %s where name = %s"
	execute_and_commit(rename, (f"{job_type}.away", job_type))
	try:
		yield
	finally:
		execute_and_commit(rename, (job_type, f"{job_type}.away"))


def test_a_run_that_is_being_executed_is_not_forgotten_as_its_job_goes(writing, monkeypatch):
	tick(monkeypatch, None)
	[job] = as_with_another_queue()
	let_no_run_be_due()

	def meanwhile() -> None:
		later(61)
		with away(job["scheduled_job_type"]):
			tick(monkeypatch, None)

	def writing_job() -> None:
		in_another_worker(meanwhile)
		frappe.db.sql("insert into sample_app_executed (run) values ('of the test')")

	monkeypatch.setattr("sample_app.jobs.writing_job", writing_job)
	work_off([job])
	assert executed() == 1 and frappe.db.get_value("Scheduled Run", job["run"], "executed_at")


def test_what_a_job_has_left_is_not_committed_where_another_apps_class_raises_its_error(writing, monkeypatch):
	tick(monkeypatch, None)
	let_no_run_be_due()

	def execute(self) -> None:
		self.scheduler_log = None
		self.log_status("Start")
		frappe.db.sql("insert into sample_app_executed (run) values ('half')")
		raise ValueError("half way")

	monkeypatch.setattr(ScheduledJobType, "execute", execute)
	with pytest.raises(ValueError, match="half way"):
		work_off(as_with_another_queue())
	assert executed() == 0
	assert frappe.db.get_value("Scheduled Run", {"job": WRITING}, "executed_at"), (
		"it has failed, as with core"
	)


def test_a_job_that_commits_on_a_connection_that_is_closed_takes_its_mark_with_the_next_commit(
	writing, monkeypatch
):
	tick(monkeypatch, None)
	let_no_run_be_due()

	def writing_job() -> None:
		frappe.db.close()
		frappe.db.commit()
		frappe.db.sql("insert into sample_app_executed (run) values ('of the test')")
		frappe.db.commit()
		raise SystemExit

	monkeypatch.setattr("sample_app.jobs.writing_job", writing_job)
	with pytest.raises(SystemExit):
		work_off(as_with_another_queue())
	assert executed() == 1 and frappe.db.get_value("Scheduled Run", {"job": WRITING}, "executed_at")


def test_a_run_whose_begin_cannot_be_noted_is_not_lost(writing, monkeypatch):
	tick(monkeypatch, None)
	let_no_run_be_due()
	with monkeypatch.context() as patched:
		patched.setattr(ScheduledJobType, "update_scheduler_log", fail_at("Start"))
		work_off(as_with_another_queue())
	assert executed() == 0
	later(61)
	assert tick(monkeypatch, None) == [WRITING]
	work_off(as_with_another_queue())
	assert executed() == 1


def fail_at(at: str):
	core = ScheduledJobType.update_scheduler_log

	def update_scheduler_log(self, status):
		if status == at:
			raise frappe.QueryDeadlockError
		core(self, status)

	return update_scheduler_log


def test_a_worker_that_is_killed_as_it_takes_a_run_out_of_the_queue_loses_it_for_a_minute(
	writing, monkeypatch
):
	tick(monkeypatch, None)
	queue = get_queue("default")
	[job_id] = queue.job_ids
	for seconds in (61, 24 * 3600):
		later(seconds)
		assert tick(monkeypatch, None) == [], "it waits"
	assert queue.job_ids == [job_id]
	get_redis_conn().lrem(queue.key, 1, job_id)
	assert tick(monkeypatch, None) == [WRITING]


def test_a_lost_run_of_a_job_that_was_stopped_meanwhile_is_not_put_into_a_queue_again(writing, monkeypatch):
	tick(monkeypatch, None)
	as_with_another_queue()
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 1 where method = %s", WRITING)
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 0 where method = %s", DAILY)
	rule(DAILY, "elsewhere")
	later(61)
	assert tick(monkeypatch, None) == []


def test_a_job_that_cannot_be_scheduled_holds_up_no_other(writing, monkeypatch):
	for number, cron in enumerate(("0 0 31 2 *", "*/0 * * * *", "")):
		frappe.db.sql(
			"insert into `tabScheduled Job Type` (name, creation, method, frequency, cron_format)"
			" values (%s, '2020-01-01', %s, 'Cron', %s)",
			(f"broken_{number}", f"sample_app.jobs.broken_{number}", cron),
		)
	frappe.db.commit()
	try:
		assert tick(monkeypatch, None) == [WRITING]
	finally:
		frappe.db.sql("delete from `tabScheduled Job Type` where name like 'broken%'")
		frappe.db.commit()


def test_a_commit_that_fails_takes_no_mark_with_it(writing, monkeypatch):
	tick(monkeypatch, None)
	[job] = as_with_another_queue()

	def work():
		commit, fails = frappe.db.commit, []

		def fail_once(*args, **kwargs):
			if fails.pop() if fails else False:
				raise RuntimeError("as a deadlock does")
			commit(*args, **kwargs)

		frappe.db.commit = fail_once
		execution.Execution(job["run"], WRITING, attempt=0).before_method()
		fails.append(True)
		with pytest.raises(RuntimeError):
			frappe.db.commit()
		frappe.db.rollback()
		frappe.db.commit()
		frappe.db.rollback()

	in_another_worker(work)
	frappe.db.rollback()
	assert frappe.db.get_value("Scheduled Run", job["run"], "executed_at")


def test_a_run_that_kills_its_worker_each_time_is_given_up_and_shown(writing, monkeypatch):
	dies("before it commits")
	tick(monkeypatch, None)
	let_no_run_be_due()
	for _ in range(3):
		work_off_and_die(as_with_another_queue())
		later(61)
		tick(monkeypatch, None)
	assert as_with_another_queue() == []
	assert "killed 3 times" in writing.bench("--site", SITE, "read-replica", "servers")


def test_a_worker_that_redis_takes_for_working_long_after_it_was_killed_does_not_hold_up_its_job(
	writing, monkeypatch
):
	tick(monkeypatch, None)
	name = frappe.db.get_value("Scheduled Job Type", {"method": WRITING})
	job_id = due_times.rq_job_id(frappe.get_doc("Scheduled Job Type", name))
	work_off(as_with_another_queue())
	get_redis_conn().hset(Job.key_for(job_id), "status", "started")
	set_back(name)
	beats(job_id, seconds_ago=60)
	assert tick(monkeypatch, None) == [], "it may be about to tell Redis, or go on on another connection"
	beats(job_id, seconds_ago=120)
	assert tick(monkeypatch, None) == [WRITING]


@pytest.mark.parametrize(("status", "asks"), [("finished", False), ("started", True)])
def test_only_a_job_that_rq_takes_for_started_costs_a_tick_a_question(
	writing, monkeypatch, servers, status, asks
):
	tick(monkeypatch, None)
	name = frappe.db.get_value("Scheduled Job Type", {"method": WRITING})
	job_id = due_times.rq_job_id(frappe.get_doc("Scheduled Job Type", name))
	work_off(as_with_another_queue())
	set_back(name)
	get_redis_conn().hset(Job.key_for(job_id), "status", status)
	beats(job_id, seconds_ago=120)
	with overheard(servers.primary) as heard:
		assert tick(monkeypatch, None) == [WRITING]
		assert ("select executed_at is not null" in heard()) is asks


def beats(job_id: str, seconds_ago: int) -> None:
	moment = datetime.now(timezone.utc) - timedelta(seconds=seconds_ago)
	get_redis_conn().hset(Job.key_for(job_id), "last_heartbeat", utcformat(moment))


def set_back(name: str) -> None:
	frappe.db.rollback()
	frappe.db.sql("update `tabScheduled Job Type` set last_execution = '2020-01-01' where name = %s", name)
	frappe.db.sql(
		"update `tabScheduled Run` set due_at = '2019-01-01', name = concat(name, 'x') where job_type = %s",
		name,
	)
	frappe.db.commit()


def test_a_job_whose_rule_says_so_reads_from_a_replica_until_it_writes_and_again_the_next_time(
	reading, monkeypatch, servers
):
	rule(READING, "primary", reads="Replica")
	for hour in range(2):
		frappe.db.sql(
			"update `tabScheduled Job Type` set last_execution = '2020-01-01' - interval %s hour", hour
		)
		frappe.db.commit()
		tick(monkeypatch, None)
		servers.catch_up()
		work_off(as_with_another_queue())
		before, after = json.loads(frappe.cache().get("sample_app_read"))
		assert before in (2, 3) and after == 1
	assert executed() == 2
	log = frappe.get_all("Scheduled Job Log", pluck="status")
	assert log == ["Complete", "Complete"]
	assert last_execution_of(READING)


def last_execution_of(method: str):
	return frappe.db.get_value("Scheduled Job Type", {"method": method}, "last_execution")


def test_without_such_a_rule_a_job_reads_the_primary(reading, monkeypatch):
	tick(monkeypatch, None)
	work_off(as_with_another_queue())
	assert json.loads(frappe.cache().get("sample_app_read")) == [1, 1]
