# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Each scheduled job is enqueued on the server that its rule names, and on no other."""

import inspect
from concurrent.futures import ThreadPoolExecutor

import frappe
import pytest

from read_replica import run_on, scheduler_split
from read_replica.jobs import annotations, rule_checks, rules
from support.bench import SITE

from ..conftest import QUEUES, in_another_worker, overheard

HOURLY = "sample_app.jobs.hourly_job"
DAILY = "sample_app.jobs.daily_job"
ANNOTATED = "sample_app.jobs.annotated_job"


def queued() -> list[str]:
	"""The scheduled jobs that wait in the queues."""
	from frappe.utils.background_jobs import get_queue

	jobs = [job for queue in QUEUES for job in get_queue(queue).jobs]
	return [job.kwargs["kwargs"].get("job_type") for job in jobs]


def rule(job: str, server_id: str, **values) -> None:
	frappe.get_doc(
		{"doctype": "Scheduler Config", "job": job, "server_id": server_id, "enabled": 1, **values}
	).insert()
	frappe.db.commit()


def tick(monkeypatch, server_id: str | None) -> list[str]:
	"""What one tick of the scheduler of this server puts into the queues."""
	from frappe.utils.scheduler import enqueue_events

	if server_id is None:
		monkeypatch.delenv("SERVER_ID", raising=False)
	else:
		monkeypatch.setenv("SERVER_ID", server_id)
	before = queued()
	# Its parameter `site` is gone in v16.
	arguments = [SITE] if inspect.signature(enqueue_events).parameters else []
	in_another_worker(lambda: enqueue_events(*arguments))
	return [job for job in queued() if job not in before]


def test_a_job_is_enqueued_on_its_server_and_skipped_on_the_others(due, monkeypatch):
	rule(HOURLY, "secondary")
	on_primary = tick(monkeypatch, "primary")
	assert HOURLY not in on_primary and DAILY in on_primary
	on_secondary = tick(monkeypatch, "secondary")
	assert on_secondary == [HOURLY]
	assert tick(monkeypatch, "third") == []


def test_without_a_rule_a_job_is_the_primarys_and_without_the_variable_this_is_the_primary(due, monkeypatch):
	assert tick(monkeypatch, "secondary") == []
	assert {HOURLY, DAILY} <= set(tick(monkeypatch, None))


def test_skipping_a_job_writes_nothing(due, monkeypatch, servers):
	rule(HOURLY, "secondary")
	rule(DAILY, "secondary")
	# Once, so that what is done now and then is not taken for the skipping's.
	tick(monkeypatch, "third")
	job = {"method": HOURLY}
	before = frappe.db.get_value("Scheduled Job Type", job, ["last_execution", "modified"])
	with overheard(servers.primary) as heard:
		tick(monkeypatch, "third")
		written = [
			line
			for line in heard().splitlines()
			if line.strip().split(" ")[0].lower() in ("insert", "update", "delete")
		]
	# A scheduler notes that it is at work; and how far that commit is, after tests with several cache Redises.
	of_the_tick = ("`tabJob Server`", "`tabUser Position`")
	assert [line for line in written if not any(table in line for table in of_the_tick)] == []
	frappe.db.rollback()
	assert frappe.db.get_value("Scheduled Job Type", job, ["last_execution", "modified"]) == before
	assert not frappe.db.exists("Scheduled Job Log", {"scheduled_job_type": ("like", "%hourly_job")})


def test_site_config_may_hold_the_rules_and_the_desk_wins(due, monkeypatch):
	due.configure(
		scheduler_config=[{"job": HOURLY, "server_id": "secondary"}, {"job": DAILY, "server_id": "secondary"}]
	)
	rule(DAILY, "third")
	try:
		assert tick(monkeypatch, "secondary") == [HOURLY]
		assert tick(monkeypatch, "third") == [DAILY]
	finally:
		due.configure(scheduler_config=None)


def test_a_disabled_rule_leaves_the_job_to_site_config(due, monkeypatch):
	due.configure(scheduler_config=[{"job": HOURLY, "server_id": "secondary"}])
	rule(HOURLY, "third", enabled=0)
	try:
		assert tick(monkeypatch, "third") == []
		assert tick(monkeypatch, "secondary") == [HOURLY]
	finally:
		due.configure(scheduler_config=None)


def test_the_most_specific_rule_of_a_place_wins(due):
	rule("*", "everything")
	rule("sample_app.*", "app")
	rule("sample_app.jobs.*_job", "jobs")
	rule(HOURLY, "hourly")
	found = [rule_of(job) for job in (HOURLY, DAILY, "sample_app.api.decorated", "frappe.email.queue.flush")]
	assert found == [("hourly", "desk"), ("jobs", "desk"), ("app", "desk"), ("everything", "desk")]


def rule_of(job: str) -> tuple[str, str]:
	rules.forget_rules()
	rule = rules.rule_for(job)
	return rule.server_id, rule.source


def test_the_desk_goes_before_site_config_before_the_annotation_before_the_default(due):
	due.bench("--site", SITE, "migrate", "--skip-search-index")
	frappe.db.rollback()
	assert rule_of(ANNOTATED) == ("annotated", "annotation")
	assert rule_of(HOURLY) == ("primary", "default")
	frappe.local.conf.scheduler_config = [{"job": "sample_app.*", "server_id": "configured"}]
	assert rule_of(ANNOTATED) == ("configured", "site_config")
	rule("sample_*", "of_the_desk")
	assert rule_of(ANNOTATED) == ("of_the_desk", "desk")


def test_an_annotated_job_is_enqueued_where_it_says(due, monkeypatch):
	in_another_worker(note_annotations)
	assert tick(monkeypatch, "annotated") == [ANNOTATED]
	assert ANNOTATED not in tick(monkeypatch, "primary")


def note_annotations() -> None:
	annotations.note()
	frappe.db.commit()


def test_run_on_without_a_server_fails_when_the_function_is_decorated():
	with pytest.raises(TypeError, match="run_on\\('secondary'\\)"):
		run_on(print)


def test_a_rule_for_a_method_that_nobody_schedules_warns_with_similar_ones(due):
	frappe.clear_messages()
	rule("sample_app.jobs.hourly_jobs", "secondary")
	assert HOURLY in str(frappe.local.message_log)
	output = due.bench("--site", SITE, "read-replica", "jobs")
	assert f"Did you mean {HOURLY}" in output
	frappe.clear_messages()
	rule("sample_app.jobs.*", "secondary")
	assert not frappe.local.message_log


SERVER_SCRIPTS = (
	"nightly_sync_(eu)_cron",
	"sync",
	"50%_off_&_more_daily",
	"what?_cron",
	"prices_[eu]_*_cron",
	"übersicht_für_o'brien_hourly",
)


@pytest.mark.parametrize("method", SERVER_SCRIPTS)
def test_what_the_desk_suggests_is_accepted_there_and_in_site_config(due, monkeypatch, browser, method):
	values = {"method": method, "frequency": "Cron", "cron_format": "* * * * *"}
	frappe.get_doc({"doctype": "Scheduled Job Type", **values}).db_insert()
	frappe.db.commit()
	try:
		assert method in browser.call("read_replica.api.scheduled_methods")
		monkeypatch.setitem(frappe.local.conf, "scheduler_config", [{"job": method, "server_id": "third"}])
		rules.forget_rules()
		assert rules.rule_for(method).server_id == "third"
		assert not [found for found, _ in rule_checks.rules_without_job() if found.job == method]
		browser.call(
			"frappe.client.insert",
			doc={"doctype": "Scheduler Config", "job": method, "server_id": "secondary", "enabled": 1},
		)
		frappe.db.rollback()
		rules.forget_rules()
		assert rules.rule_for(method).server_id == "secondary"
	finally:
		frappe.db.rollback()
		frappe.db.delete("Scheduled Job Type", {"method": method})
		frappe.db.commit()


def test_a_pattern_may_fit_the_methods_of_server_scripts(due):
	frappe.get_doc(
		{"doctype": "Scheduled Job Type", "method": SERVER_SCRIPTS[0], "frequency": "All"}
	).db_insert()
	try:
		rule("nightly_*_(eu)_*", "secondary")
		assert rules.rule_for(SERVER_SCRIPTS[0]).server_id == "secondary"
		with pytest.raises(frappe.ValidationError):
			rule("monthly_*_(eu)_*", "secondary")
	finally:
		frappe.db.rollback()
		frappe.db.delete("Scheduled Job Type", {"method": SERVER_SCRIPTS[0]})
		frappe.db.commit()


def test_rules_go_out_and_come_in_as_csv(due, tmp_path):
	from frappe.core.doctype.data_import.data_import import export_csv, import_file

	rule(HOURLY, "secondary")
	rule("erpnext.stock.*", "third", enabled=0)
	path = str(tmp_path / "rules.csv")
	export_csv("Scheduler Config", path)
	exported = open(path).read()
	assert HOURLY in exported and "erpnext.stock.*" in exported
	frappe.db.delete("Scheduler Config")
	frappe.db.commit()
	content = f"Job,Server ID,Enabled\n{HOURLY},secondary,1\nerpnext.stock.*,third,0\n"
	file = frappe.get_doc({"doctype": "File", "file_name": "rules.csv", "content": content, "is_private": 1})
	import_file("Scheduler Config", file.insert().file_url, "Insert", console=True)
	rows = frappe.get_all("Scheduler Config", fields=["job", "server_id", "enabled"], order_by="job")
	assert [tuple(row.values()) for row in rows] == [
		("erpnext.stock.*", "third", 0),
		(HOURLY, "secondary", 1),
	]


def test_a_wrong_rule_of_site_config_is_shown_and_stops_no_job(due, monkeypatch):
	due.configure(scheduler_config=[{"job": HOURLY}, "nonsense", {"job": DAILY, "server_id": "secondary"}])
	try:
		assert tick(monkeypatch, "secondary") == [DAILY]
		assert HOURLY in tick(monkeypatch, "primary")
		output = due.bench("--site", SITE, "read-replica", "jobs")
		assert "scheduler_config" in output and "nonsense" in output
	finally:
		due.configure(scheduler_config=None)


def test_scheduler_config_that_is_no_list_is_shown_and_stops_no_job(due, monkeypatch):
	due.configure(scheduler_config="primary")
	try:
		assert HOURLY in tick(monkeypatch, "primary")
		assert "scheduler_config" in due.bench("--site", SITE, "read-replica", "jobs")
	finally:
		due.configure(scheduler_config=None)


def test_a_site_whose_migrate_has_not_made_the_table_yet_runs_its_jobs(due, monkeypatch):
	frappe.db.sql_ddl("rename table `tabScheduler Config` to `tabScheduler Config Away`")
	try:
		assert HOURLY in tick(monkeypatch, "primary")
	finally:
		frappe.db.sql_ddl("rename table `tabScheduler Config Away` to `tabScheduler Config`")


def line_of(output: str, job: str) -> str:
	[line] = [line for line in output.splitlines() if job in line and "│" in line]
	return line


def test_the_jobs_command_shows_server_frequency_and_source_and_marks_what_no_server_runs(due, monkeypatch):
	rule(HOURLY, "nowhere")
	due.configure(scheduler_config=[{"job": DAILY, "server_id": "primary"}])
	tick(monkeypatch, "primary")
	try:
		output = due.bench("--site", SITE, "read-replica", "jobs")
	finally:
		due.configure(scheduler_config=None)
	hourly, daily = line_of(output, HOURLY), line_of(output, DAILY)
	assert "Hourly" in hourly and "nowhere" in hourly and "desk" in hourly and "no server runs it" in hourly
	assert "Daily" in daily and "primary" in daily and "site_config" in daily
	assert "default" in line_of(output, "frappe.email.queue.flush")
	assert output.count("│") > 5 * frappe.db.count("Scheduled Job Type")


def test_the_desk_suggests_the_scheduled_methods_and_a_rule_is_no_link_to_them(due, browser):
	assert HOURLY in browser.call("read_replica.api.scheduled_methods")
	field = frappe.get_meta("Scheduler Config").get_field("job")
	assert field.fieldtype in ("Data", "Autocomplete")


def test_every_scheduled_job_type_of_the_site_is_split(due):
	doc = frappe.get_doc("Scheduled Job Type", {"method": HOURLY})
	assert isinstance(doc, scheduler_split.Split)


def execute_job_in_a_worker(method: str, rq_job=None, **kwargs) -> None:
	"""What an RQ worker does with a job, in a thread of its own."""
	from frappe.utils.background_jobs import execute_job
	from rq.job import _job_stack

	def work():
		if rq_job:
			_job_stack.push(rq_job)
		try:
			execute_job(
				site=SITE,
				method=method,
				event=None,
				job_name=method,
				kwargs=kwargs,
				user="Administrator",
				is_async=True,
				retry=0,
			)
		finally:
			if rq_job:
				_job_stack.pop()

	with ThreadPoolExecutor(1) as worker:
		worker.submit(work).result(timeout=60)


def test_a_decorated_function_in_a_background_job_reads_a_replica_every_time(due):
	execute_job_in_a_worker("sample_app.jobs.note_servers", key="of_the_test")
	first, second, after = frappe.cache().get_value("of_the_test")
	frappe.cache().delete_value("of_the_test")
	assert {first, second} <= {2, 3} and after == 1
