# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is done with a run's row only while nobody else has done something with it: claimed, begun, executed."""

from datetime import datetime, timedelta

import frappe
import pytest

from read_replica.database.bookkeeping import execute_and_commit, is_transaction_conflict
from read_replica.jobs import execution, run_locks, scheduled_runs
from read_replica.jobs.execution import BegunElsewhere, Execution
from read_replica.jobs.placement import Place
from read_replica.jobs.scheduled_runs import MOST_ATTEMPTS, DueRun

from ..conftest import in_another_worker
from .test_execution import WRITING, scheduled
from .test_jobs import DAILY
from .test_scheduled_runs import later

HERE = Place("primary")
DUE_AT = datetime(2026, 1, 1, 12)


@pytest.fixture
def writing(due):
	yield from scheduled(due, WRITING)


@pytest.fixture
def job(writing):
	return frappe.get_doc("Scheduled Job Type", {"method": WRITING})


@pytest.fixture
def run(job) -> str:
	"""A run that this scheduler has claimed."""
	return claimed(job)


def claimed(job, due_at: datetime = DUE_AT) -> str:
	[name] = scheduled_runs.claim([DueRun(job, due_at, HERE)])
	return name


def begin(run: str, job) -> int:
	"""As a worker does that has the run's lock."""
	return execution.begin_attempt(run, job.name, "ours")


def mark(run: str, attempt: int) -> None:
	"""As the worker of this attempt does, when its job has ended."""
	work = Execution(run, WRITING, attempt)
	try:
		work.finish_without_log_status()
	finally:
		work.after_method()
		frappe.db.rollback()


def change(run: str, **values) -> None:
	assignments = ", ".join(f"`{field}` = %({field})s" for field in values)
	execute_and_commit(
		f"update `tabScheduled Run` set {assignments} where name = %(run)s", values | {"run": run}
	)


def row_of(run: str):
	frappe.db.rollback()
	return frappe.db.get_value("Scheduled Run", run, "*", as_dict=True)


def test_of_two_workers_that_begin_a_run_at_the_same_moment_one_does(run, job, monkeypatch):
	move_on = execution.set_last_execution

	def another_one_begins(*args) -> None:
		monkeypatch.setattr(execution, "set_last_execution", move_on)
		assert in_another_worker(execution.begin_attempt, run, job.name, "refused") == 1

	monkeypatch.setattr(execution, "set_last_execution", another_one_begins)
	assert execution.begin_attempt(run, job.name, "refused") == 0
	assert row_of(run).attempts == 1


@pytest.mark.parametrize("has_read", [False, True])
def test_a_worker_marks_no_run_that_another_one_has_begun_since(run, job, has_read):
	assert begin(run, job) == 1
	if has_read:
		# What the job sees from now on is from before the other worker's begin.
		frappe.db.sql("select count(*) from `tabScheduled Run`")
	assert in_another_worker(begin, run, job) == 2
	with pytest.raises(Exception) as raised:
		mark(run, 1)
	assert isinstance(raised.value, BegunElsewhere) or (has_read and is_transaction_conflict(raised.value))
	assert row_of(run).executed_at is None
	mark(run, 2)
	assert row_of(run).executed_at


def test_a_run_that_is_marked_already_keeps_its_time(run, job):
	mark(run, begin(run, job))
	before = row_of(run).executed_at
	mark(run, 1)
	assert row_of(run).executed_at == before


@pytest.mark.parametrize("since", ["it was executed", "another one has begun it"])
def test_a_worker_notes_no_failure_of_a_run_where_that_is_not_its_last_word(run, job, since):
	first = Execution(run, WRITING, begin(run, job))
	first.error = ValueError("of the first")
	if since == "it was executed":
		mark(run, 1)
	else:
		begin(run, job)
	execution._note_not_executed(first)
	row = row_of(run)
	assert row.begun_by and not row.last_error


@pytest.mark.parametrize("since", ["it was executed", "another one has begun it"])
def test_a_run_is_not_deleted_where_something_came_of_it(run, job, since):
	attempt = begin(run, job)
	if since == "it was executed":
		mark(run, attempt)
	else:
		begin(run, job)
	execution.delete_run(run, attempt)
	assert row_of(run)


def test_a_run_of_which_nothing_came_is_deleted(run, job):
	execution.delete_run(run, begin(run, job))
	assert not row_of(run)


def test_the_first_call_of_the_jobs_own_execute_is_the_runs_and_no_other(run, job):
	work = frappe.local.read_replica_work = Execution(run, WRITING, 1, job.name)
	try:
		other = frappe.get_doc("Scheduled Job Type", {"method": DAILY})
		assert execution.take_for(other) is None
		assert execution.take_for(job) is work
		assert execution.take_for(job) is None
	finally:
		frappe.local.read_replica_work = None


SINCE = {
	"another scheduler has claimed it": lambda run, job: change(run, claim="another"),
	"a worker has begun it": begin,
	"it was executed": lambda run, job: change(run, executed_at=datetime(2026, 1, 1)),
}


@pytest.mark.parametrize("since", SINCE)
@pytest.mark.parametrize("failure", [None, "its hook has failed"])
def test_an_unfinished_run_is_not_claimed_again_after(run, job, since, failure):
	later(61)
	[unfinished] = scheduled_runs.unfinished()
	SINCE[since](run, job)
	before = row_of(run)
	assert not scheduled_runs.reclaim(unfinished, HERE, failure)
	assert row_of(run) == before


@pytest.mark.parametrize("since", ["a worker has begun it", "it was executed"])
def test_a_failure_is_not_counted_where_a_worker_was_faster_after_the_claim(run, job, since):
	later(61)
	[unfinished] = scheduled_runs.unfinished()
	SINCE[since](run, job)
	before = row_of(run)
	scheduled_runs._count_failed_attempt(unfinished, "its hook has failed")
	assert row_of(run) == before


def test_an_unfinished_run_is_claimed_again_and_its_failures_are_counted(run, job):
	for attempt in range(1, MOST_ATTEMPTS + 1):
		later(61)
		[unfinished] = scheduled_runs.unfinished()
		goes_on = scheduled_runs.reclaim(unfinished, HERE, "its hook has failed")
		assert goes_on == (attempt < MOST_ATTEMPTS)
		row = row_of(run)
		assert (row.attempts, row.last_error, row.begun_by) == (attempt, "its hook has failed", None)
		assert row.claim != unfinished.claim
	later(61)
	assert scheduled_runs.unfinished() == []


def test_a_failure_after_a_worker_has_begun_a_run_is_of_that_attempt_and_ends_it(run, job):
	later(61)
	assert begin(run, job) == 1
	[unfinished] = scheduled_runs.unfinished()
	assert unfinished.begun_by and unfinished.has_begun
	assert scheduled_runs.reclaim(unfinished, HERE, "its worker was ended")
	row = row_of(run)
	assert (row.attempts, row.last_error, row.begun_by) == (1, "its worker was ended", None)


def test_a_run_that_is_asked_of_another_server_is_claimed_by_its_next_tick_and_one_of_this_server_is_not(job):
	asked_for = scheduled_runs.request(job, "secondary")
	claimed_here = scheduled_runs.request_claimed(job, HERE)
	frappe.db.commit()
	[found] = scheduled_runs.unfinished()
	assert (found.name, found.claim, found.asked_for) == (asked_for, None, 1)
	assert row_of(claimed_here).claim and row_of(claimed_here).asked_for


def test_what_is_pending_is_neither_executed_nor_given_up(run, job):
	assert scheduled_runs.has_pending_run(job)
	change(run, attempts=MOST_ATTEMPTS)
	assert not scheduled_runs.has_pending_run(job) and scheduled_runs.are_all_executed(job.name)
	change(run, attempts=1)
	assert scheduled_runs.has_pending_run(job) and not scheduled_runs.are_all_executed(job.name)
	change(run, executed_at=DUE_AT)
	assert not scheduled_runs.has_pending_run(job) and scheduled_runs.are_all_executed(job.name)
	later(61)
	assert scheduled_runs.unfinished() == []


def test_of_a_stopped_job_only_a_run_that_was_asked_for_is_pending(run, job):
	job.stopped = 1
	assert not scheduled_runs.has_pending_run(job)
	change(run, asked_for=1)
	assert scheduled_runs.has_pending_run(job)


def test_the_last_runs_of_a_job_say_whether_all_are_executed(run, job):
	later(3600)
	names = [claimed(job, DUE_AT + timedelta(hours=hours)) for hours in range(1, 21)]
	assert not scheduled_runs.are_all_executed(job.name)
	for name in names:
		change(name, executed_at=DUE_AT)
	assert scheduled_runs.are_all_executed(job.name)


def test_only_a_run_that_has_begun_moves_its_job_on_when_a_scheduler_finds_it_claimed(run, job):
	def moved_to() -> datetime | None:
		frappe.db.rollback()
		return frappe.db.get_value("Scheduled Job Type", job.name, "last_execution")

	change_last_execution(job, None)
	assert scheduled_runs.claim([DueRun(job, DUE_AT, HERE)]) == set()
	assert moved_to() is None
	begin(run, job)
	change_last_execution(job, None)
	assert scheduled_runs.claim([DueRun(job, DUE_AT, HERE)]) == set()
	assert moved_to() == DUE_AT
	execution.set_last_execution(job.name, DUE_AT - timedelta(hours=1))
	assert moved_to() == DUE_AT, "it goes on, never back"


def change_last_execution(job, value: datetime | None) -> None:
	execute_and_commit(
		"update `tabScheduled Job Type` set last_execution = %s where name = %s", (value, job.name)
	)


def test_a_job_is_being_executed_while_a_worker_holds_the_lock_of_a_run_that_has_begun(run, job):
	def is_seen() -> bool:
		return in_another_worker(run_locks.running_job_types, [job.name, "of nobody"]) == {job.name}

	with run_locks.hold(run) as lock:
		assert lock == "ours" and not is_seen()
		begin(run, job)
		assert is_seen()
		assert in_another_worker(run_locks.running_job_types, ["of nobody"]) == set()
		# What follows the first commit of a job is its work, too.
		mark(run, 1)
		assert is_seen()
	assert not is_seen()
	with run_locks.hold(run):
		assert is_seen()
		change(run, begun_at=datetime(2020, 1, 1))
		assert not is_seen(), "nobody works for so long on a run that was executed"


def test_a_run_that_was_not_executed_is_kept_for_a_month_and_one_that_was_for_a_day(run, job):
	def is_kept(days: int) -> bool:
		frappe.db.rollback()
		change(
			run, claimed_at=frappe.db.sql("select utc_timestamp(6) - interval %s hour", days * 24 + 1)[0][0]
		)
		scheduled_runs._cleaned_at.clear()
		scheduled_runs._clean_up()
		return bool(row_of(run))

	assert is_kept(29)
	change(run, executed_at=DUE_AT)
	assert is_kept(0)
	assert not is_kept(1)


def test_a_run_that_was_never_executed_is_deleted_after_a_month(run):
	change(run, claimed_at=datetime(2020, 1, 1))
	scheduled_runs._cleaned_at.clear()
	scheduled_runs._clean_up()
	assert not row_of(run)
