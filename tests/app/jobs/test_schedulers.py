# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Where no scheduler ticks, where one does, and whose workers belong to another bench."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import frappe
import pytest
import redis
from frappe.utils import background_jobs
from frappe.utils.background_jobs import get_redis_conn
from rq import Worker

from read_replica.jobs import queues, schedulers, workers
from support.bench import SITE
from support.job_bench import JobBench
from support.waiting import until

from ..watch.test_job_findings import (
	minutes_pass,
	own_queues,
	problems,
	rule,
	takeovers,
	tick,
	waiting,
	worker,
)
from .test_scheduled_runs import HOURLY, hourly
from .test_workers import BENCH_ID, alive, noting, real_workers, seen

__all__ = ["hourly", "noting", "own_queues"]

HOST = socket.gethostname()


def test_where_no_scheduler_ticks_any_more_each_server_says_so(hourly, monkeypatch):
	assert "No scheduler has ticked on this site yet" in problems()
	tick(monkeypatch, "secondary")
	assert "No scheduler" not in problems()
	minutes_pass(40.5, ticking=())
	for server_id in ("primary", "secondary", "third"):
		monkeypatch.setenv("SERVER_ID", server_id)
		assert f"No scheduler has ticked for 40 min, last on {HOST} (server 'secondary')" in problems()
	output = " ".join(hourly.bench("--site", SITE, "read-replica", "status").split())
	assert "No scheduler has ticked for 40 min" in output and "The scheduler of this site runs" not in output


def test_a_scheduler_that_is_switched_off_is_said_to_be(hourly, monkeypatch):
	tick(monkeypatch, "primary")
	minutes_pass(40.5, ticking=())
	frappe.db.set_single_value("System Settings", "enable_scheduler", 1)
	frappe.db.commit()
	frappe.clear_cache()
	assert "switched off" not in problems() and "bench schedule" in problems()
	hourly.configure(pause_scheduler=1)
	try:
		assert "switched off (maintenance_mode or pause_scheduler" in problems()
	finally:
		hourly.configure(pause_scheduler=None)


def test_where_redis_is_away_nobody_is_told_to_start_a_scheduler(hourly, monkeypatch):
	tick(monkeypatch, "primary")
	minutes_pass(40.5, ticking=())
	nowhere = redis.Redis("127.0.0.1", 1)
	monkeypatch.setattr(background_jobs, "get_redis_conn", lambda *_, **__: nowhere)
	said = "\n".join(schedulers.problems())
	assert "No scheduler has ticked for 40 min" in said and "Redis, which holds the queues" in said
	assert "bench schedule" not in said


def test_a_scheduler_that_ticks_seldom_is_not_missed(hourly, monkeypatch):
	tick(monkeypatch, "primary")
	frappe.db.sql("update `tabJob Server` set seconds_between_ticks = 3600")
	minutes_pass(150, ticking=())
	assert "No scheduler" not in problems()
	minutes_pass(50, ticking=())
	assert "No scheduler" in problems()


def test_a_server_without_a_scheduler_says_where_it_runs(hourly, monkeypatch, browser):
	assert browser.call("read_replica.api.where_scheduler_runs") == ""
	tick(monkeypatch, "secondary")
	sentence = f"The scheduler of this site runs on host {HOST} (server secondary); it last ticked"
	assert sentence in browser.call("read_replica.api.where_scheduler_runs")
	for command in ("status", "servers"):
		output = " ".join(hourly.bench("--site", SITE, "read-replica", command).split())
		assert output.count(sentence) == 1
	if frappe.db.exists("DocType", "System Health Report"):
		answer = browser.ask("frappe.desk.form.load.getdoctype", doctype="System Health Report")
		assert "where_scheduler_runs" in answer.json["docs"][0]["__js"]


def test_workers_that_no_scheduler_gives_anything_are_said_to_lack_one(hourly, monkeypatch):
	rule(HOURLY, "secondary")
	with worker("default"):
		tick(monkeypatch, "secondary")
		tick(monkeypatch, "primary")
	assert "its workers are alive" not in problems()
	minutes_pass(20.5, ticking=("primary",))
	with pytest.MonkeyPatch.context() as there:
		there.setenv("SERVER_ID", "secondary")
		workers.note("theirs", ["default"], 60)
	assert (
		f"Server 'secondary', host {HOST}: its workers are alive, and its scheduler has not ticked for 20 min"
		in (problems())
	)


def test_on_one_bench_folder_a_second_scheduler_says_why_it_ends(hourly, tmp_path):
	if not schedulers.locks_a_file():
		pytest.skip("v14 locks no file")
	from filelock import FileLock

	config = hourly.path.parent / "config"
	with FileLock(str(config / "scheduler_process")):
		output = hourly.bench("schedule", FRAPPE_BENCH_ROOT=str(hourly.path.parent), timeout=60)
	assert (
		f"This scheduler ends: another one on this host holds the lock {config}/scheduler_process" in output
	)


def test_the_workers_of_another_bench_with_the_same_id_are_not_ours_and_the_clash_is_named(
	noting, servers, tmp_path, monkeypatch
):
	rule(HOURLY, "secondary")
	command = ("worker", "--queue", "secondary")
	with real_workers(noting, tmp_path / "ours", "secondary", servers.redis.port, *command) as ours:
		until(lambda: seen("secondary"))
		until(have_noted_themselves_for_long)
		with of_another_bench(noting, servers, tmp_path):
			until(lambda: len(Worker.all(connection=get_redis_conn())) == 2)
			until(lambda: "Workers of another bench" in problems())
			assert f"on {HOST}, read this one's queues" in problems()
			assert '"bench_id"' in problems()
			assert len(workers.seen(queues.listed_workers())) == 1
			ours.kill("workers")
			until(lambda: not alive())
			minutes_pass(16)
			with worker("primary"):
				tick(monkeypatch, "primary")
			assert waiting("primary") == [HOURLY], (
				"a server that is gone does not live on in another's worker"
			)
			assert [row.taken_by for row in takeovers()] == ["primary"]


def have_noted_themselves_for_long() -> bool:
	frappe.db.rollback()
	return workers._have_all_noted_themselves()


@contextmanager
def of_another_bench(site, servers, folder) -> Iterator[JobBench]:
	"""A worker of the same queues on the same Redis, whose site of the same name has another database."""
	config = site.config()
	name = f"other_{config['db_name']}"[:30]
	query = servers.primary.query
	query(f"create database `{name}`")
	query(f"create user '{name}'@'%' identified by '{config['db_password']}'")
	query(f"grant all on `{name}`.* to '{name}'@'%'")
	for doctype in ("Job Worker", "Job Server", "Scheduler Config", "DefaultValue", "Singles"):
		query(f"create table `{name}`.`tab{doctype}` like `{config['db_name']}`.`tab{doctype}`")
	bench = JobBench(folder / "theirs", site, "secondary", servers.redis.port, bench_id=BENCH_ID)
	bench.works_with("worker", "--queue", "secondary")
	of_site = bench.folder / "sites" / SITE / "site_config.json"
	of_site.unlink()
	of_site.write_text(json.dumps(config | {"db_name": name, "db_user": name}))
	try:
		bench.start("workers")
		yield bench
	except BaseException:
		print(bench.log())
		raise
	finally:
		bench.stop()
		query(f"drop database `{name}`")
		query(f"drop user '{name}'@'%'")
