# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which servers there are, what happens when one is gone, and the queues of those that share a Redis."""

import contextlib
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timezone

import frappe
import pytest
from frappe.utils import background_jobs, get_datetime, now_datetime, scheduler
from frappe.utils.background_jobs import generate_qname, get_queue, get_redis_conn
from rq import Worker
from rq.job import Job
from rq.utils import utcformat

import read_replica
from read_replica.jobs import orphaned_jobs, queues, rules, servers
from read_replica.watch import job_findings
from support.bench import SITE

from ..conftest import in_another_worker
from ..jobs.test_jobs import ANNOTATED, DAILY, HOURLY, rule, tick
from ..jobs.test_scheduled_runs import as_with_another_queue, executed, hourly, later, work_off

__all__ = ["hourly"]


@contextlib.contextmanager
def worker(*names: str) -> Iterator[Worker]:
	"""A worker that reads these queues, as Redis sees it; it works off nothing."""
	working = Worker([generate_qname(name) for name in names], connection=background_jobs.get_redis_conn())
	working.register_birth()
	try:
		yield working
	finally:
		working.register_death()


@pytest.fixture
def own_queues(hourly):
	"""Both servers share a Redis, and each has a queue of its own there."""
	hourly.configure_common(workers={"primary": {"timeout": 1500}, "secondary": {"timeout": 1500}})
	background_jobs.get_queues_timeout.cache_clear()
	frappe.local.conf.workers = hourly.common()["workers"]
	orphaned_jobs._unread_since.clear()
	# v14 asks no job that waits in a queue: without another one, its scheduler would do nothing.
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 0 where method = %s", DAILY)
	rule(DAILY, "elsewhere", takeover_after=0)
	yield hourly
	for queue in ("primary", "secondary"):
		get_queue(queue).empty()
	hourly.configure_common(workers=None)
	frappe.local.conf.pop("workers")
	background_jobs.get_queues_timeout.cache_clear()


def minutes_pass(minutes: float, ticking: tuple[str, ...] = ("primary",)) -> None:
	"""Nobody is seen but the schedulers of these servers."""
	with pytest.MonkeyPatch.context() as environment:
		for server_id in ticking:
			environment.setenv("SERVER_ID", server_id)
			servers.note([], ())
	frappe.db.sql(
		"update `tabJob Server` set missed_since = missed_since - interval %(s)s second,"
		" workers_alive_at = workers_alive_at - interval %(s)s second,"
		" ticks_since = ticks_since - interval %(s)s second,"
		" scheduler_alive_at = scheduler_alive_at - interval if(server_id in %(ticking)s, 0, %(s)s) second",
		{"s": minutes * 60, "ticking": (*ticking, "")},
	)
	frappe.db.sql("update `tabJob Worker` set alive_at = alive_at - interval %s second", minutes * 60)
	frappe.db.commit()


def waiting(queue: str) -> list[str]:
	return [job.kwargs["kwargs"].get("job_type") or job.kwargs["method"] for job in get_queue(queue).jobs]


def server_row(browser, server_id: str) -> dict:
	[row] = browser.call(
		"frappe.client.get_list",
		doctype="Job Server",
		fields=["*"],
		filters={"server_id": server_id},
	)
	return row


def takeovers() -> list:
	frappe.db.rollback()
	return frappe.get_all(
		"Job Takeover", fields=["server_id", "taken_by", "runs", "last_job", "ended_at"], order_by="began_at"
	)


def problems() -> str:
	return "\n".join(in_another_worker(lambda: frappe.call("read_replica.api.job_problems")))


def test_a_server_registers_itself_and_the_desk_lists_it(hourly, monkeypatch, browser):
	rule(HOURLY, "secondary")
	with worker("default", "long"), worker("short"):
		tick(monkeypatch, "secondary")
	row = server_row(browser, "secondary")
	assert row["host"] == socket.gethostname() and row["bench"] == frappe.utils.get_bench_id()
	assert row["app_version"] == read_replica.__version__
	assert row["workers"] == 2 and row["queues"] == "default, long, short"
	assert row["scheduler_alive_at"] and row["workers_alive_at"]
	age = now_datetime() - get_datetime(row["modified"])
	assert abs(age.total_seconds()) < 60, "by the site's time zone, as the desk expects it"
	assert row["jobs"] == 1


def test_a_worker_registers_its_server_where_no_scheduler_runs(hourly, monkeypatch, browser):
	from ..jobs.test_jobs import execute_job_in_a_worker

	monkeypatch.setenv("SERVER_ID", "with_workers_only")
	frappe.cache().delete_keys("read_replica|noted")
	execute_job_in_a_worker("frappe.ping")
	row = server_row(browser, "with_workers_only")
	assert row["workers_alive_at"] and not row["scheduler_alive_at"]
	assert row["app_version"] == read_replica.__version__


def test_a_job_whose_server_nobody_runs_is_marked_everywhere(hourly, monkeypatch, browser):
	rule(HOURLY, "nowhere")
	assert tick(monkeypatch, "primary") == []
	row = server_row(browser, "nowhere")
	assert not row["host"] and row["jobs"] == 1
	for command in ("status", "jobs", "servers"):
		output = " ".join(hourly.bench("--site", SITE, "read-replica", command).split())
		assert (
			f"Server 'nowhere': no server runs it; primary takes it over after 900 s. Scheduled jobs: {HOURLY}"
			in output
		)
	assert HOURLY in "\n".join(browser.call("read_replica.api.job_problems"))


def test_a_primary_that_does_not_notice_when_a_server_loses_power_is_a_problem(hourly, servers):
	rule(HOURLY, "secondary", takeover_after=0)
	assert "tcp_keepalive_time" not in problems()
	servers.primary.query("set global tcp_keepalive_time = 0")
	try:
		assert "tcp_keepalive_time = 60" in problems()
		frappe.db.delete("Scheduler Config")
		frappe.db.commit()
		rules.forget_rules()
		assert "tcp_keepalive_time" not in problems(), "there is one server alone"
	finally:
		servers.primary.query("set global tcp_keepalive_time = 60")


def test_core_shows_it_in_its_system_health_report(hourly, browser):
	if not frappe.db.exists("DocType", "System Health Report"):
		pytest.skip("v14 has none")
	answer = browser.ask("frappe.desk.form.load.getdoctype", doctype="System Health Report")
	assert "read_replica.api.job_problems" in answer.json["docs"][0]["__js"]


def test_the_jobs_of_a_server_that_is_gone_are_run_by_the_default_server_until_it_is_back(
	hourly, monkeypatch
):
	rule(HOURLY, "secondary")
	with worker("default"):
		assert tick(monkeypatch, "secondary") == [HOURLY]
	work_off(as_with_another_queue())
	be_due_again()
	minutes_pass(14)
	assert tick(monkeypatch, "primary") == []
	minutes_pass(2)
	assert tick(monkeypatch, "primary") == [HOURLY]
	work_off(as_with_another_queue())
	assert executed() == 2
	[row] = takeovers()
	assert (row.server_id, row.taken_by, row.runs, row.last_job) == ("secondary", "primary", 1, HOURLY)
	assert row.ended_at is None
	assert "primary runs it" in problems()

	be_due_again()
	with worker("default"):
		assert tick(monkeypatch, "secondary") == [HOURLY], "it is back"
		assert tick(monkeypatch, "primary") == []
	assert takeovers()[0].ended_at
	assert problems() == ""


def be_due_again() -> None:
	"""An hour has passed."""
	frappe.db.sql("update `tabScheduled Job Type` set last_execution = last_execution - interval 5 hour")
	frappe.db.sql("update `tabScheduled Run` set name = concat('x', substr(name, 2))")
	frappe.db.commit()


def test_a_server_that_takes_its_job_back_in_the_same_moment_does_not_run_it_as_well(hourly, monkeypatch):
	rule(HOURLY, "secondary")
	tick(monkeypatch, "primary")
	minutes_pass(16)
	assert tick(monkeypatch, "primary") == [HOURLY]
	jobs = as_with_another_queue()
	with worker("default"):
		assert tick(monkeypatch, "secondary") == []
	work_off(jobs)
	assert executed() == 1


def test_a_server_without_workers_is_gone_for_itself_as_well(hourly, monkeypatch):
	rule(HOURLY, "secondary")
	assert tick(monkeypatch, "secondary") == [HOURLY], "they may be about to start"
	as_with_another_queue()
	minutes_pass(16, ticking=("primary", "secondary"))
	later(16 * 60)
	assert tick(monkeypatch, "secondary") == []
	assert tick(monkeypatch, "primary") == [HOURLY]


def test_a_server_whose_scheduler_is_dead_is_gone_though_its_workers_work_off_other_jobs(hourly, monkeypatch):
	from ..jobs.test_jobs import execute_job_in_a_worker

	rule(HOURLY, "secondary")
	with worker("default"):
		tick(monkeypatch, "secondary")
	as_with_another_queue()
	minutes_pass(16)
	later(16 * 60)
	monkeypatch.setenv("SERVER_ID", "secondary")
	frappe.cache().delete_keys("read_replica|noted")
	execute_job_in_a_worker("frappe.ping")
	assert tick(monkeypatch, "primary") == [HOURLY]


def test_a_worker_that_was_killed_is_gone_at_once_unless_redis_was_started_after_it(own_queues):
	redis = get_redis_conn()
	redis_started = time.time() - redis.info("server")["uptime_in_seconds"]
	with worker("secondary") as killed:
		redis.client_setname("another")

		def age_if_born(at: float) -> float:
			of_heartbeat = utcformat(datetime.fromtimestamp(time.time() - 300, timezone.utc))
			birth = utcformat(datetime.fromtimestamp(at, timezone.utc))
			redis.hset(killed.key, mapping={"birth": birth, "last_heartbeat": of_heartbeat})
			return queues.listed_workers()[0].age

		assert age_if_born(redis_started + 60) == pytest.approx(300, abs=5)
		assert age_if_born(redis_started - 2) == pytest.approx(300, abs=5), "its clock may be late"
		assert age_if_born(redis_started - 60) == 0, "RQ does not name a connection that is made again"


def test_a_worker_of_other_queues_does_not_vouch_for_the_own_queue_of_its_server(own_queues, monkeypatch):
	from ..jobs.test_jobs import execute_job_in_a_worker

	rule(HOURLY, "secondary")
	with worker("secondary"), worker("primary"):
		tick(monkeypatch, "primary")
	assert waiting("secondary") == [HOURLY]
	minutes_pass(16)
	monkeypatch.setenv("SERVER_ID", "secondary")
	frappe.cache().delete_keys("read_replica|noted")
	for queue in ("default", "secondary"):
		seen_at = servers.load()["secondary"].seen_at
		job = Job.create("frappe.ping", origin=generate_qname(queue), connection=get_redis_conn())
		execute_job_in_a_worker("frappe.ping", job)
		frappe.db.rollback()
		assert (servers.load()["secondary"].seen_at > seen_at) == (queue == "secondary")


def test_servers_whose_ids_differ_in_case_are_two(hourly, monkeypatch):
	rule(HOURLY, "Secondary")
	with worker("default"):
		tick(monkeypatch, "secondary")
	tick(monkeypatch, "primary")
	assert "Server 'Secondary': no server runs it" in problems()
	minutes_pass(16)
	assert tick(monkeypatch, "primary") == [HOURLY]


def test_what_cannot_be_moved_or_counted_holds_up_no_job(own_queues, monkeypatch):
	if frappe.__version__.startswith("14"):
		pytest.skip("v14's own scheduler looks into each job that waits, and fails")
	with worker("secondary"):
		in_another_worker(lambda: put("frappe.ping", takeover_after=60))
	[job] = get_queue("secondary").jobs
	get_redis_conn().hset(job.key, "data", b"nonsense")
	minutes_pass(16)
	monkeypatch.setattr(orphaned_jobs, "_unread_since", {(SITE, "secondary"): float("-inf")})
	with worker("primary"):
		tick(monkeypatch, "primary")
	assert waiting("primary") == [HOURLY]


def test_zero_means_that_nobody_takes_over(hourly, monkeypatch):
	rule(HOURLY, "secondary", takeover_after=0)
	tick(monkeypatch, "primary")
	minutes_pass(60 * 24)
	assert tick(monkeypatch, "primary") == []
	assert "it waits" in problems()


def test_each_rule_has_its_own_limit(hourly, monkeypatch):
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 0 where method = %s", DAILY)
	rule(HOURLY, "secondary", takeover_after=60)
	rule(DAILY, "secondary", takeover_after=6000)
	tick(monkeypatch, "primary")
	minutes_pass(2)
	assert tick(monkeypatch, "primary") == [HOURLY]


def test_common_site_config_gives_rules_and_a_limit_to_sites_that_have_none(hourly, monkeypatch):
	hourly.configure_common(
		scheduler_config=[{"job": "sample_app.*", "server_id": "secondary"}], scheduler_takeover_after=60
	)
	try:
		assert tick(monkeypatch, "primary") == []
		found = in_another_worker(lambda: rules.rule_for(HOURLY))
		assert (found.server_id, found.source, found.takeover_after) == (
			"secondary",
			"common_site_config",
			60,
		)
		hourly.configure(scheduler_config=[{"job": HOURLY, "server_id": "third", "takeover_after": 7}])
		found = in_another_worker(rule_anew, HOURLY)
		assert (found.server_id, found.source, found.takeover_after) == ("third", "site_config", 7)
		assert in_another_worker(rule_anew, DAILY).server_id == "secondary"
		assert in_another_worker(rule_anew, ANNOTATED).source == "common_site_config"
		assert in_another_worker(rule_anew, "frappe.ping").takeover_after == 60, "no rule names it"
	finally:
		hourly.configure_common(scheduler_config=None, scheduler_takeover_after=None)
		hourly.configure(scheduler_config=None)


def rule_anew(job: str):
	rules.forget_rules()
	return rules.rule_for(job)


def test_with_one_redis_a_job_goes_into_its_servers_own_queue_with_the_timeout_of_its_queue(
	own_queues, monkeypatch
):
	rule(HOURLY, "secondary")
	with worker("secondary"), worker("primary"):
		tick(monkeypatch, "primary")
		assert waiting("secondary") == [HOURLY]
		assert get_queue("secondary").jobs[0].timeout == 300
		assert tick(monkeypatch, "secondary") == []
	jobs = [job.kwargs["kwargs"] for job in get_queue("secondary").jobs]
	work_off(jobs)
	assert executed() == 1


def test_the_default_servers_jobs_have_a_queue_of_their_own_as_well(own_queues, monkeypatch):
	with worker("secondary"), worker("primary"):
		tick(monkeypatch, "secondary")
	assert waiting("primary") == [HOURLY], "any scheduler may put it there"


def test_a_job_is_not_put_into_a_queue_that_nobody_reads(own_queues, monkeypatch):
	rule(HOURLY, "secondary")
	with worker("primary"):
		assert tick(monkeypatch, "primary") == []
		assert waiting("secondary") == waiting("primary") == []
		assert "bench worker --queue secondary" in problems()
		minutes_pass(16)
		tick(monkeypatch, "primary")
	assert waiting("primary") == [HOURLY]
	assert takeovers()[0].runs == 1


def test_what_waits_for_a_server_that_is_gone_is_moved_to_the_default_server_or_its_first_queue(
	own_queues, monkeypatch
):
	rule(HOURLY, "secondary")
	with worker("secondary"), worker("primary"):
		tick(monkeypatch, "primary")
		in_another_worker(lambda: put("frappe.ping", queue="long", takeover_after=1500))
		in_another_worker(lambda: put("frappe.ping", queue="long", takeover_after=0))
	assert waiting("secondary") == [HOURLY, "frappe.ping", "frappe.ping"]
	minutes_pass(16)
	with worker("primary"):
		tick(monkeypatch, "primary")
		assert waiting("secondary") == ["frappe.ping", "frappe.ping"]
		assert waiting("primary") == [HOURLY]
		minutes_pass(16)
	tick(monkeypatch, "primary")
	assert waiting("secondary") == ["frappe.ping"], "nobody takes over the other one"
	assert waiting("long") == ["frappe.ping"]
	assert waiting("default") == [HOURLY], "nobody reads the default server's own queue either"
	work_off([job.kwargs["kwargs"] for job in get_queue("default").jobs])
	assert executed() == 1
	[row] = frappe.get_all("Scheduled Run", fields=["server_id", "taken_from"])
	assert (row.server_id, row.taken_from) == ("primary", "secondary")
	assert sum(row.runs for row in takeovers()) == 2


def test_what_waits_for_the_default_server_waits_until_that_is_back(own_queues, monkeypatch):
	with worker("secondary"), worker("primary"):
		tick(monkeypatch, "secondary")
	minutes_pass(16, ticking=("secondary",))
	with worker("secondary"):
		tick(monkeypatch, "secondary")
	assert waiting("primary") == [HOURLY] and waiting("default") == []


def test_jobs_that_stay_in_a_queue_do_not_hide_those_behind_them(own_queues, monkeypatch):
	if frappe.__version__.startswith("14"):
		pytest.skip("v14's own scheduler looks into each job that waits, and fails")
	monkeypatch.setattr(queues, "JOBS_AT_A_TIME", 2)
	monkeypatch.setattr(orphaned_jobs, "_passed_over", {})
	rule(ANNOTATED, "secondary")

	def put_some():
		for _ in range(3):
			put("frappe.ping", takeover_after=0)
		put("frappe.utils.now", takeover_after=60)
		put("frappe.utils.today", takeover_after=60)

	with worker("secondary"), worker("primary"):
		in_another_worker(put_some)
		tick(monkeypatch, "primary")
	# Another site's; nothing is to be read of it.
	get_redis_conn().lpush(get_queue("secondary").key, *[f"another.test::{number}" for number in range(5)])
	minutes_pass(16)
	with worker("primary"):
		for _ in range(3):
			tick(monkeypatch, "primary")
		assert waiting("secondary") == ["frappe.ping"] * 3
		assert [method for method in waiting("primary") if method != HOURLY] == [
			"frappe.utils.now",
			"frappe.utils.today",
		]


def put(method: str, server_id: str = "secondary", **kwargs) -> None:
	from read_replica.jobs import enqueue_hook

	enqueue_hook.install()
	read_replica.enqueue(method, server_id=server_id, **kwargs)


def test_a_caller_may_name_the_server(own_queues, monkeypatch):
	in_another_worker(lambda: put("frappe.ping", queue="long", job_id="of_the_test"))
	[job] = get_queue("secondary").jobs
	assert job.kwargs["method"] == "frappe.ping" and job.timeout == 1500
	in_another_worker(lambda: put("frappe.ping", server_id="primary", timeout=77))
	assert [job.timeout for job in get_queue("primary").jobs] == [77]


def test_a_call_that_waits_for_the_commit_goes_to_its_server_as_well(own_queues):
	def work():
		put("frappe.ping", queue="long", enqueue_after_commit=True)
		assert waiting("secondary") == []
		frappe.db.commit()

	in_another_worker(work)
	assert waiting("secondary") == ["frappe.ping"]


def test_a_caller_that_names_a_server_that_cannot_be_reached_is_told_what_to_do(hourly):
	with pytest.raises(frappe.ValidationError, match="read-replica queues --write"):
		put("frappe.ping")
	assert waiting("default") == []


def test_without_a_queue_of_its_own_this_servers_jobs_go_where_they_are_meant_for(hourly, monkeypatch):
	monkeypatch.setenv("SERVER_ID", "secondary")
	in_another_worker(lambda: put("frappe.ping", queue="long"))
	assert waiting("long") == ["frappe.ping"]


def test_a_call_to_a_server_that_is_gone_goes_to_the_default_server(own_queues, monkeypatch):
	rule(HOURLY, "secondary")
	tick(monkeypatch, "primary")
	minutes_pass(16)
	in_another_worker(lambda: put("frappe.ping"))
	assert waiting("primary") == ["frappe.ping"]


def test_an_ordinary_call_follows_its_rule_with_the_timeout_of_its_queue(own_queues, browser):
	rule("frappe.ping", "secondary")

	def work():
		rules.forget_rules()
		from read_replica.jobs import enqueue_hook

		enqueue_hook.install()
		frappe.enqueue("frappe.ping", queue="long")
		frappe.enqueue(frappe.ping)
		frappe.enqueue("frappe.utils.now")

	in_another_worker(work)
	assert [(job.kwargs["job_name"], job.timeout) for job in get_queue("secondary").jobs] == [
		("frappe.ping", 1500),
		(str(frappe.ping) if frappe.__version__.startswith("14") else "frappe.ping", 300),
	]
	assert waiting("default") == ["frappe.utils.now"]


def test_an_ordinary_job_whose_rule_says_so_reads_from_a_replica(hourly, servers):
	from ..jobs.test_jobs import execute_job_in_a_worker

	rule("sample_app.jobs.reading_job", "primary", reads="Replica")

	def work():
		from read_replica.jobs import enqueue_hook

		enqueue_hook.install()
		rules.forget_rules()
		frappe.enqueue("sample_app.jobs.reading_job")

	in_another_worker(work)
	[job] = get_queue("default").jobs
	assert job.meta["read_replica_reads"] == "replica"
	frappe.db.sql_ddl("create table if not exists sample_app_executed (run varchar(140))")
	servers.catch_up()
	execute_job_in_a_worker("sample_app.jobs.reading_job", rq_job=job)
	before, after = frappe.parse_json(frappe.cache().get("sample_app_read").decode())
	assert before in (2, 3) and after == 1


def test_rows_that_are_read_one_by_one_are_not_lost_when_a_job_is_put_into_a_queue(own_queues):
	if not hasattr(frappe.db, "unbuffered_cursor"):
		pytest.skip("this version has no unbuffered cursor")
	rule("frappe.utils.now", "secondary")

	def work():
		from read_replica.jobs import enqueue_hook

		enqueue_hook.install()
		rules.forget_rules()
		with frappe.db.unbuffered_cursor():
			count = 0
			for _ in frappe.db.sql("select seq from seq_1_to_3000", as_list=True, as_iterator=True):
				if not count:
					frappe.enqueue("frappe.ping")
				count += 1
		return count

	assert in_another_worker(work) == 3000


def test_jobs_that_are_given_to_rq_directly_still_are(hourly):
	def work():
		from read_replica.jobs import enqueue_hook

		enqueue_hook.install()
		background_jobs.get_queue("long").enqueue("frappe.ping", 1)

	in_another_worker(work)
	assert get_queue("long").count == 1


def test_the_command_writes_the_queues_and_says_what_to_do(hourly):
	rule(HOURLY, "secondary")
	hourly.configure_common(workers={"heavy": {"timeout": 5000}, "secondary": {"timeout": 9}})
	try:
		assert "--write" in hourly.bench("--site", SITE, "read-replica", "queues", "third")
		assert "third" not in hourly.common()["workers"]
		output = hourly.bench(
			"--site", SITE, "read-replica", "queues", "third", "--write", SERVER_ID="secondary"
		)
		assert hourly.common()["workers"] == {
			"heavy": {"timeout": 5000},
			"secondary": {"timeout": 9},
			"primary": {"timeout": 1500},
			"third": {"timeout": 1500},
		}
		assert "bench worker --queue secondary,short,default,long" in output
	finally:
		hourly.configure_common(workers=None)


def test_a_server_cannot_be_called_like_a_queue_of_all(due):
	for wrong in ("long", "a b", "a,b", "-x"):
		with pytest.raises(frappe.ValidationError, match="cannot be called"):
			rule(HOURLY, wrong)


def test_on_a_site_that_nobody_uses_the_others_jobs_are_said_not_to_run(hourly, monkeypatch):
	rule(HOURLY, "secondary")
	assert "dormant_days" not in problems()
	# When a site counts as such differs: in some versions on Frappe Cloud alone.
	monkeypatch.setattr(job_findings, "is_dormant", lambda: True)
	assert "dormant_days" in problems()


def test_whether_nobody_uses_a_site_is_told_as_core_sees_it(hourly):
	rule(HOURLY, "secondary")
	frappe.db.delete("Activity Log")
	frappe.db.commit()
	assert ("dormant_days" in problems()) is scheduler.is_dormant()


def run_now(browser) -> str:
	name = frappe.db.get_value("Scheduled Job Type", {"method": HOURLY})
	doc = frappe.get_doc("Scheduled Job Type", name).as_json()
	method = "frappe.core.doctype.scheduled_job_type.scheduled_job_type.execute_event"
	return browser.ask(method, doc=doc).json["_server_messages"]


def test_run_now_runs_once_on_the_rules_server_at_its_next_tick_where_that_has_its_own_redis(
	hourly, monkeypatch, browser
):
	rule(HOURLY, "secondary")
	with worker("default"):
		tick(monkeypatch, "secondary")
		work_off(as_with_another_queue())
		monkeypatch.setenv("SERVER_ID", "primary")
		assert "runs on server secondary" in run_now(browser)
		assert "in the queue already" in run_now(browser), "clicked twice"
		assert tick(monkeypatch, "primary") == []
		assert tick(monkeypatch, "secondary") == [HOURLY]
	work_off(as_with_another_queue())
	assert executed() == 2


def test_run_now_runs_a_job_that_was_stopped_after_its_worker_was_killed(hourly, monkeypatch, browser):
	rule(HOURLY, "secondary")
	with worker("default"):
		tick(monkeypatch, "secondary")
		as_with_another_queue()
		frappe.db.sql("update `tabScheduled Job Type` set stopped = 1 where method = %s", HOURLY)
		frappe.db.sql("update `tabScheduled Job Type` set stopped = 0 where method = %s", DAILY)
		rule(DAILY, "elsewhere", takeover_after=0)
		later(61)
		monkeypatch.setenv("SERVER_ID", "primary")
		assert "runs on server secondary" in run_now(browser)
		for _ in range(2):
			assert tick(monkeypatch, "secondary") == [HOURLY], "also after its own worker was killed"
			jobs = as_with_another_queue()
			later(61)
			monkeypatch.setenv("SERVER_ID", "primary")
			assert "in the queue already" in run_now(browser)
	work_off(jobs)
	assert executed() == 1
	assert tick(monkeypatch, "secondary") == [], "what was due before it was stopped is not executed"


def test_run_now_goes_into_the_own_queue_of_the_rules_server(own_queues, monkeypatch, browser):
	rule(HOURLY, "secondary")
	monkeypatch.setenv("SERVER_ID", "primary")
	with worker("secondary"):
		assert "runs on server secondary" in run_now(browser)
		assert waiting("secondary") == [HOURLY]
		assert "in the queue already" in run_now(browser)


def test_run_now_runs_here_and_says_so_if_the_rules_server_is_not_alive(hourly, monkeypatch, browser):
	rule(HOURLY, "secondary")
	monkeypatch.setenv("SERVER_ID", "primary")
	message = run_now(browser)
	assert "Server secondary is not alive" in message and "runs on server primary" in message
	assert waiting("default") == [HOURLY]
	work_off(as_with_another_queue())
	assert executed() == 1


def test_a_job_that_is_executed_by_hand_says_that_it_bypasses_its_rule(hourly):
	rule(HOURLY, "secondary")
	output = hourly.bench("--site", SITE, "trigger-scheduler-event", HOURLY)
	assert "although it belongs to 'secondary' (rule from desk)" in output
	assert executed() == 1
	output = hourly.bench("--site", SITE, "trigger-scheduler-event", HOURLY, SERVER_ID="secondary")
	assert "belongs to" not in output


def test_a_rule_for_a_job_that_is_not_there_leaves_no_message_for_whoever_looks(site):
	rule = frappe.get_doc({"doctype": "Scheduler Config", "job": "some.job", "server_id": "primary"})
	rule.insert()
	frappe.db.commit()
	try:
		frappe.local.message_log = []
		assert any("some.job" in sentence for sentence in job_findings.problems())
		assert frappe.local.message_log == []
	finally:
		frappe.delete_doc("Scheduler Config", rule.name)
		frappe.db.commit()
