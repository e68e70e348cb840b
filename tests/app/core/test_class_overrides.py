# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Another app replaces the class of Scheduled Job Type as well, installed before this one or after it."""

import copy
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import frappe
import pytest
from frappe.utils.background_jobs import get_queue

from read_replica.core import class_overrides, patching
from read_replica.jobs import tick_problems
from support.bench import SITE, Sites

from ..conftest import in_another_worker
from ..jobs.test_jobs import execute_job_in_a_worker, rule, tick
from ..jobs.test_proof_jobs import two_servers

OTHER_APP = Path(__file__).parents[2] / "support" / "other_app"
JOB = "other_app.jobs.job"
FAILING = "other_app.jobs.failing_job"
HAS_EXTENSIONS = not frappe.__version__.startswith(("14", "15"))


@pytest.fixture(scope="module")
def other_app(sites: Sites) -> Iterator[str]:
	"""Installs it, and hands out what bench said."""
	sys.path.append(str(OTHER_APP))
	before = os.environ["PYTHONPATH"]
	os.environ["PYTHONPATH"] = os.pathsep.join((before, str(OTHER_APP)))
	apps = (sites.path / "apps.txt").read_text()
	(sites.path / "apps.txt").write_text(apps + "other_app\n")
	yield sites.bench("--site", SITE, "install-app", "other_app")
	in_another_worker(lambda: set_installed_apps(["frappe", "read_replica", "sample_app"]))
	(sites.path / "apps.txt").write_text(apps)
	os.environ["PYTHONPATH"] = before
	in_another_worker(frappe.clear_cache)


def set_installed_apps(apps: list[str]) -> None:
	frappe.db.set_global("installed_apps", json.dumps(apps))
	frappe.db.commit()
	frappe.clear_cache()
	frappe.cache().delete_value("all_apps")
	frappe.controllers.pop(SITE, None)


@pytest.fixture(params=["before", "after"])
def beside(request, other_app, due) -> Iterator[Sites]:
	"""The site with the other app installed before this one, or after it; its job is due, and no other."""
	ours = ["read_replica", "sample_app"]
	set_installed_apps(
		["frappe", *(("other_app", *ours) if request.param == "before" else (*ours, "other_app"))]
	)
	frappe.db.sql_ddl("drop table if exists other_app_executed")
	frappe.db.sql_ddl(
		"create table other_app_executed (run varchar(140), of varchar(140), asked_by varchar(140),"
		" server_id varchar(140), extended int, at datetime(6) default now(6))"
	)
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 1")
	make_job(JOB)
	config = due.config()
	yield due
	due.write_config(config)
	frappe.db.rollback()
	frappe.cache().delete_value("other_app_holiday")
	frappe.db.delete("Scheduled Job Type", {"method": ("like", "other_app.%")})
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 0")
	frappe.db.commit()
	set_installed_apps(["frappe", *ours])


def make_job(method: str, frequency: str = "Hourly", **values) -> str:
	fields = {"doctype": "Scheduled Job Type", "method": method, "frequency": frequency}
	name = frappe.get_doc(fields | values).insert().name
	frappe.db.sql("update `tabScheduled Job Type` set creation = '2020-01-01' where name = %s", name)
	frappe.db.commit()
	return name


def use(sites: Sites, class_name: str) -> None:
	"""Let the other app's class be this one."""
	sites.configure(other_app_class=class_name)
	frappe.controllers.pop(SITE, None)
	getattr(frappe, "lazy_controllers", {}).pop(SITE, None)
	frappe.local.conf.other_app_class = class_name


def name_of(method: str = JOB) -> str:
	return frappe.db.get_value("Scheduled Job Type", {"method": method})


def waiting() -> dict[str, list]:
	return {queue: jobs for queue in ("short", "default", "long") if (jobs := get_queue(queue).jobs)}


def work_off() -> list[str]:
	"""Let workers execute what waits in the queues, as RQ does; the queues that it stood in."""
	taken = [(queue, job) for queue, jobs in waiting().items() for job in jobs]
	for _, job in taken:
		job.delete()
		execute_job_in_a_worker(job.kwargs["method"], **job.kwargs["kwargs"])
	return [queue for queue, _ in taken]


def executed() -> list[dict]:
	frappe.db.rollback()
	return frappe.db.sql("select * from other_app_executed order by at", as_dict=True)


def runs() -> list[dict]:
	frappe.db.rollback()
	return frappe.get_all("Scheduled Run", fields=["name", "job", "attempts", "executed_at", "server_id"])


def test_the_other_apps_execute_queue_and_id_hold_and_the_run_is_claimed_and_marked(beside, monkeypatch):
	assert tick(monkeypatch, "primary") == [JOB]
	[job] = waiting()["short"]
	assert f"of_other_app||{name_of()}" in job.id
	assert work_off() == ["short"]
	[found], [run] = executed(), runs()
	assert (found.of, found.run) == (name_of(), run.name)
	assert run.executed_at and run.attempts == 1
	assert bool(found.extended) is HAS_EXTENSIONS
	assert tick(monkeypatch, "primary") == []


def test_a_rule_gives_the_other_apps_job_to_its_server(beside, monkeypatch):
	rule(JOB, "secondary")
	assert tick(monkeypatch, "primary") == []
	assert tick(monkeypatch, "secondary") == [JOB]


def test_a_run_of_the_other_apps_job_that_waits_in_two_queues_is_executed_once(beside, monkeypatch):
	tick(monkeypatch, "primary")
	[job] = waiting()["short"]
	arguments = job.kwargs["kwargs"]
	for _ in range(2):
		execute_job_in_a_worker(job.kwargs["method"], **arguments)
	assert len(executed()) == 1


def test_run_now_runs_the_other_apps_job_once(beside, monkeypatch):
	monkeypatch.setenv("SERVER_ID", "primary")
	frappe.get_doc("Scheduled Job Type", name_of()).enqueue(force=True)
	frappe.db.commit()
	assert work_off() == ["short"]
	[found], [run] = executed(), runs()
	assert found.run == run.name and run.executed_at


def test_documents_of_the_job_type_are_cached_copied_and_loaded_as_any_other(beside):
	for _ in range(2):
		doc = frappe.get_cached_doc("Scheduled Job Type", name_of())
		assert doc.get_queue_name() == "short"
	frappe.clear_document_cache("Scheduled Job Type", name_of())
	frappe.get_cached_doc("Scheduled Job Type", name_of())
	# As another process has it, whose memory is its own.
	in_another_worker(lambda: frappe.get_cached_doc("Scheduled Job Type", name_of()).reload())
	# Core's writes into the document how it was worked out.
	doc.as_dict()
	for again in (pickle.loads(pickle.dumps(doc)), copy.deepcopy(doc)):
		assert type(again) is type(frappe.get_doc("Scheduled Job Type", name_of()))
		assert again.as_dict() == doc.as_dict() and again.next_execution == doc.next_execution
	doc = frappe.get_doc("Scheduled Job Type", name_of())
	doc.create_log = 1
	doc.save()
	assert frappe.db.get_value("Scheduled Job Type", doc.name, "create_log") == 1


def test_a_job_of_the_other_app_that_fails_is_executed_and_not_tried_again(beside, monkeypatch):
	name = make_job(FAILING)
	tick(monkeypatch, "primary")
	work_off()
	assert [row.of for row in executed()] == [name_of()]
	assert all(run.executed_at for run in runs()) and len(runs()) == 2
	assert frappe.db.get_value("Scheduled Job Log", {"scheduled_job_type": name}, "status") == "Failed"


@pytest.mark.parametrize("method", [JOB, FAILING])
def test_an_execute_that_never_says_when_its_job_begins_is_marked_at_its_end_and_named(
	beside, monkeypatch, method
):
	use(beside, "Quiet")
	frappe.db.set_value("Scheduled Job Type", name_of(), "method", method)
	frappe.db.commit()
	tick(monkeypatch, "primary")
	if method == FAILING:
		with pytest.raises(ValueError):
			work_off()
		assert executed() == []
	else:
		work_off()
		assert len(executed()) == 1
	[run] = runs()
	assert run.executed_at and run.attempts == 1
	[told] = about_the_other_app()
	assert "other_app.job_types.Quiet.execute" in told and "log_status" in told
	for command in ("jobs", "status"):
		# Whatever the width of its table.
		assert told in " ".join(beside.bench("--site", SITE, "read-replica", command).split())


def about_the_other_app() -> list[str]:
	return [problem for problem in class_overrides.problems() if problem.startswith("App other_app")]


def test_what_works_is_no_problem(beside):
	assert about_the_other_app() == []


def test_what_the_other_apps_enqueue_adds_arrives_with_the_run(beside, monkeypatch):
	use(beside, "PutsItself")
	put = tick(monkeypatch, "primary")
	assert put == [JOB], tick_problems.sentences()
	assert work_off() == ["short"]
	[found], [run] = executed(), runs()
	assert (found.asked_by, found.run) == ("enqueue", run.name)
	assert run.executed_at and run.attempts == 1


def test_a_run_that_the_other_apps_enqueue_has_put_is_put_again_by_it_when_it_is_lost(beside, monkeypatch):
	use(beside, "PutsItself")
	tick(monkeypatch, "primary")
	for queue in waiting():
		get_queue(queue).empty()
	frappe.db.rollback()
	frappe.db.sql("update `tabScheduled Run` set claimed_at = claimed_at - interval 120 second")
	frappe.db.commit()
	tick(monkeypatch, "primary")
	assert work_off() == ["short"]
	[found] = executed()
	assert found.asked_by == "enqueue"


def test_run_now_by_the_other_apps_enqueue_runs_it_once(beside, monkeypatch):
	use(beside, "PutsItself")
	monkeypatch.setenv("SERVER_ID", "primary")
	frappe.db.sql("update `tabScheduled Job Type` set last_execution = now() where method = %s", JOB)
	frappe.get_doc("Scheduled Job Type", name_of()).enqueue(force=True)
	frappe.db.commit()
	work_off()
	[found], [run] = executed(), runs()
	assert (found.asked_by, found.run) == ("enqueue", run.name)


def test_a_job_that_the_other_app_calls_due_is_due_and_one_that_it_does_not_is_not(beside, monkeypatch):
	use(beside, "DueByItself")
	frappe.cache().set_value("other_app_holiday", 1)
	assert tick(monkeypatch, "primary") == []
	frappe.cache().delete_value("other_app_holiday")
	# By core's fields it is not.
	frappe.db.rollback()
	frappe.db.sql("update `tabScheduled Job Type` set last_execution = now() where method = %s", JOB)
	frappe.db.commit()
	assert tick(monkeypatch, "primary") == [JOB]
	assert tick(monkeypatch, "primary") == []
	work_off()
	assert len(executed()) == 1


def test_an_enqueue_of_the_other_app_that_puts_nothing_into_a_queue_is_asked_again_while_it_is_due(
	beside, monkeypatch
):
	use(beside, "RunsAtOnce")
	frappe.cache().set_value("other_app_holiday", 1)
	for _ in range(2):
		tick(monkeypatch, "primary")
		assert (executed(), runs(), waiting()) == ([], [], {})
	frappe.cache().delete_value("other_app_holiday")
	for _ in range(2):
		tick(monkeypatch, "primary")
		assert (len(executed()), runs(), waiting()) == (1, [], {})


def test_a_class_that_is_no_scheduled_job_type_is_named_and_holds_up_no_other_job(beside, monkeypatch):
	use(beside, "OfItsOwn")
	[told] = about_the_other_app()
	if HAS_EXTENSIONS:
		assert "other_app.job_types.JobType" in told and "must be a subclass" in told
		return
	assert "other_app.job_types.OfItsOwn" in told and "get_queue_name" in told
	assert tick(monkeypatch, "primary") == []


def test_what_the_other_app_has_put_in_the_place_of_ours_is_named(beside, monkeypatch):
	from other_app import jobs

	patching._logged.clear()
	monkeypatch.setattr("frappe.utils.background_jobs.get_queue", jobs.get_queue)
	[told] = about_the_other_app()
	assert "frappe.utils.background_jobs.get_queue" in told and "other_app.jobs.get_queue" in told
	log = beside.path / SITE / "logs" / "read_replica.log"
	before = log.read_text()
	for _ in range(2):
		in_another_worker(lambda: None)
	[line] = log.read_text().removeprefix(before).splitlines()
	assert "event=replaced_by_another_app what='frappe.utils.background_jobs.get_queue'" in line
	assert "by='other_app.jobs.get_queue'" in line


def test_two_jobs_with_one_id_in_redis_wait_for_each_other(beside, monkeypatch):
	use(beside, "SameId")
	make_job(JOB, "Cron", cron_format="*/5 * * * *")
	assert len(tick(monkeypatch, "primary")) == 1
	work_off()
	assert len(tick(monkeypatch, "primary")) == 1
	work_off()
	assert len({row.of for row in executed()}) == 2


def test_two_schedulers_with_a_redis_each_run_the_other_apps_jobs_once(beside, servers):
	frappe.db.set_value("System Settings", None, "enable_scheduler", 1)
	# The sixth field: seconds.
	frappe.db.sql(
		"update `tabScheduled Job Type` set frequency = 'Cron', cron_format = '* * * * * */4',"
		" last_execution = now() where method = %s",
		JOB,
	)
	frappe.db.commit()
	with two_servers(beside, servers.redis.port, shared=False) as benches:
		for bench in benches:
			bench.start("workers")
			bench.start("scheduler")
		try:
			deadline = time.monotonic() + 150
			while len(executed()) < 6:
				assert time.monotonic() < deadline, f"{len(executed())} runs were executed"
				time.sleep(0.5)
			frappe.db.sql(
				"update `tabScheduled Job Type` set cron_format = '0 0 1 1 *' where method = %s", JOB
			)
			frappe.db.commit()
			time.sleep(4)
		except BaseException:
			print(*(bench.log() for bench in benches), sep="\n")
			raise
	rows = executed()
	assert all(row.run and row.server_id == "primary" for row in rows)
	assert len({row.run for row in rows}) == len(rows)


def test_bench_install_says_what_cannot_work_beside_this_app(other_app, due):
	assert "log_status" not in other_app
	use(due, "Quiet")
	try:
		output = due.bench("--site", SITE, "install-app", "other_app", "--force")
		assert "other_app.job_types.Quiet.execute" in output
	finally:
		due.configure(other_app_class=None)
		set_installed_apps(["frappe", "read_replica", "sample_app"])


WITHOUT_BENCH = """
import frappe

frappe.init(site="{site}", sites_path=".")
frappe.connect()
for _ in range(2):
	doc = frappe.get_doc("Scheduled Job Type", "{name}")
	print(doc.get_queue_name(), *(class_.__name__ for class_ in type(doc).__mro__))
"""


@pytest.mark.parametrize("beside", ["before"], indirect=True)
def test_a_scheduler_that_bench_has_not_started_has_both_classes_as_well(beside):
	script = WITHOUT_BENCH.format(site=SITE, name=name_of())
	made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
	lines = [line.split() for line in made.stdout.splitlines()]
	assert len(lines) == 2, made.stderr
	for queue, *classes in lines:
		assert queue == "short" and {"Split", "WithArguments"} < set(classes)
