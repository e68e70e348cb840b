# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A worker is known to be alive by what it says itself: Redis, which holds RQ's list, may forget it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import frappe
import pytest
from frappe.utils.background_jobs import generate_qname, get_queue, get_redis_conn
from rq import Worker

from read_replica import heartbeat, queues, sweep, workers
from read_replica.servers import known
from support.job_bench import JobBench
from support.servers import Redis
from support.waiting import until

from .test_job_servers import (
	minutes_pass,
	own_queues,
	problems,
	rule,
	takeovers,
	tick,
	waiting,
	worker,
)
from .test_scheduled_runs import HOURLY, as_with_another_queue, executed, hourly

__all__ = ["hourly", "own_queues"]

BENCH_ID = "workers_alive"
# With those of connecting, committing and setting limits.
MOST_STATEMENTS_OF_A_NOTE = 20

COUNTER = "sample_app_hourly_runs"


@pytest.fixture
def noting(own_queues, monkeypatch) -> Iterator:
	"""Servers that share a Redis, whose workers note themselves each half second."""
	frappe.db.delete("Job Worker")
	frappe.db.commit()
	monkeypatch.setitem(frappe.local.conf, "bench_id", BENCH_ID)
	own_queues.configure_common(bench_id=BENCH_ID)
	monkeypatch.setenv("SAMPLE_APP_SECONDS_BETWEEN_BEATS", "0.5")
	sweep._unread_since.clear()
	# RQ lists a worker that was killed for some minutes.
	get_redis_conn().delete("rq:workers")
	yield own_queues
	for queue in ("primary", "secondary"):
		get_queue(queue).empty()
	own_queues.configure_common(bench_id=None)
	frappe.db.rollback()
	frappe.db.delete("Job Worker")
	frappe.db.commit()


@contextmanager
def real_workers(
	site, folder, server_id: str, redis_port: int, *command: str, **common
) -> Iterator[JobBench]:
	common = {"bench_id": BENCH_ID} | common
	bench = JobBench(folder, site, server_id, redis_port, **common)
	bench.works_with(*command)
	bench.start("workers")
	try:
		yield bench
	except BaseException:
		print(bench.log())
		raise
	finally:
		bench.stop()


def alive(server_id: str = "secondary", seconds: float = 2) -> int:
	"""How many workers of a server have noted themselves of late."""
	frappe.db.rollback()
	[[count]] = frappe.db.sql(
		"select count(*) from `tabJob Worker` where server_id = %s and not has_ended"
		" and alive_at > utc_timestamp(6) - interval %s second",
		(server_id, seconds),
	)
	return count


def listed() -> list:
	return Worker.all(connection=get_redis_conn())


def test_each_worker_of_a_pool_notes_itself(noting, servers, tmp_path, monkeypatch):
	if frappe.__version__.startswith("14"):
		pytest.skip("v14 has no pool of workers")
	command = ("worker-pool", "--num-workers", "2", "--queue", "secondary")
	with real_workers(noting, tmp_path / "b", "secondary", servers.redis.port, *command):
		until(lambda: alive() == 2)
	monkeypatch.setenv("FRAPPE_BACKGROUND_WORKERS_NOFORK", "1")
	frappe.db.delete("Job Worker")
	frappe.db.commit()
	with real_workers(noting, tmp_path / "c", "secondary", servers.redis.port, *command):
		# Processes that were not forked know nothing of what this test has set.
		until(lambda: alive(seconds=60) == 2)
		count_up(20, "secondary")


def test_a_worker_that_was_killed_is_not_known_any_more_and_one_that_was_stopped_says_so(
	noting, servers, tmp_path
):
	command = ("worker", "--queue", "secondary")
	with real_workers(noting, tmp_path / "b", "secondary", servers.redis.port, *command) as bench:
		until(lambda: seen("secondary"))
		bench.kill("workers")
		get_redis_conn().flushall()
		until(lambda: not seen("secondary"))
		assert not ended()
		bench.start("workers")
		until(lambda: seen("secondary") and listed())
		# RQ listens to signals a moment later.
		time.sleep(1)
		for process in bench.processes("workers"):
			os.kill(process.pid, signal.SIGTERM)
		until(ended)
		assert not seen("secondary")


def seen(queue: str) -> bool:
	frappe.db.rollback()
	return any(queue in reader.queues for reader in workers.seen(queues.readers()))


def ended() -> bool:
	frappe.db.rollback()
	return bool(frappe.db.sql("select 1 from `tabJob Worker` where has_ended"))


def test_no_job_hangs_that_is_forked_while_its_worker_notes_itself(noting, servers, tmp_path, monkeypatch):
	monkeypatch.setenv("SAMPLE_APP_SECONDS_BETWEEN_BEATS", "0.01")
	command = ("worker", "--queue", "secondary")
	with real_workers(noting, tmp_path / "b", "secondary", servers.redis.port, *command):
		until(alive)
		count_up(100, "secondary")


def count_up(times: int, queue: str) -> None:
	"""So many short jobs are executed."""
	frappe.cache().delete(frappe.cache().make_key(COUNTER))
	for _ in range(times):
		frappe.enqueue("sample_app.jobs.hourly_job", queue=queue)
	until(lambda: executed() == times, seconds=120)
	assert get_queue(queue).count == 0


def test_a_worker_goes_on_noting_itself_after_its_primary_did_not_answer(noting, servers, tmp_path):
	command = ("worker", "--queue", "secondary")
	with real_workers(noting, tmp_path / "b", "secondary", servers.redis.port, *command):
		until(alive)
		name = frappe.local.conf.db_name
		servers.primary.query(f"alter user '{name}'@'%' account lock")
		try:
			for (thread,) in servers.primary.query(
				f"select id from information_schema.processlist where user = '{name}' and id != connection_id()"
			):
				servers.primary.query(f"kill {thread}")
			time.sleep(2.5)
		finally:
			servers.primary.query(f"alter user '{name}'@'%' account unlock")
		frappe.db.close()
		frappe.connect(set_admin_as_user=True)
		until(alive)


def test_a_site_without_the_table_is_left_alone_until_its_migrate(noting, servers, tmp_path):
	frappe.db.sql_ddl("rename table `tabJob Worker` to `tabJob Worker Later`")
	command = ("worker", "--queue", "secondary")
	try:
		with real_workers(noting, tmp_path / "b", "secondary", servers.redis.port, *command):
			until(listed)
			assert [reader.queues for reader in workers.seen(queues.readers())] == [("secondary",)]
			workers.clean_up()
			time.sleep(2)
			frappe.db.sql_ddl("rename table `tabJob Worker Later` to `tabJob Worker`")
			until(alive)
	finally:
		if frappe.db.sql("show tables like 'tabJob Worker Later'"):
			frappe.db.sql_ddl("rename table `tabJob Worker Later` to `tabJob Worker`")


def test_a_note_takes_few_statements(noting):
	worker = Worker([generate_qname("secondary")], connection=get_redis_conn())
	beat = heartbeat.Heartbeat(worker)
	counts = []

	def note() -> float:
		seconds = beat._note()
		[[_, count]] = frappe.db.sql("show session status like 'Questions'")
		counts.append(int(count))
		return seconds

	thread = threading.Thread(target=beat._in_each_site, args=(note,))
	thread.start()
	thread.join()
	print(f"statements of one note, with those of the connection: {counts}")
	assert len(counts) == 1 and counts[0] <= MOST_STATEMENTS_OF_A_NOTE


@pytest.mark.parametrize(
	("limits", "seconds"), [([], 60), ([0], 60), ([900, 0], 60), ([900, 60], 20), ([1], 5)]
)
def test_a_worker_notes_itself_several_times_in_the_shortest_limit(limits, seconds):
	assert heartbeat.seconds_between_beats(limits) == seconds


def test_the_shortest_limit_is_the_one_of_any_place(hourly):
	assert workers.shortest_limit() == 900
	rule(HOURLY, "secondary", takeover_after=0)
	assert workers.shortest_limit() == 900
	frappe.local.conf.scheduler_config = [
		{"job": HOURLY, "server_id": "x", "takeover_after": 300},
		"nonsense",
	]
	assert workers.shortest_limit() == 300
	frappe.db.sql("update `tabScheduler Config` set takeover_after = 120")
	assert workers.shortest_limit() == 120
	frappe.local.conf.pop("scheduler_config")


def test_rows_of_workers_that_are_gone_are_deleted_but_the_last(hourly):
	frappe.db.delete("Job Worker")
	for name in ("first", "second", "third"):
		workers.note(name, [generate_qname("default")], 60)
	frappe.db.sql("update `tabJob Worker` set alive_at = alive_at - interval 2 day")
	workers.clean_up()
	assert frappe.get_all("Job Worker", pluck="name") == ["third"]
	frappe.db.delete("Job Worker")
	frappe.db.commit()
