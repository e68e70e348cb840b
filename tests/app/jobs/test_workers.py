# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A worker is known to be alive by what it says itself: Redis, which holds RQ's list, may forget it."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import frappe
import pytest
from frappe.utils.background_jobs import generate_qname, get_queue, get_redis_conn
from redis import Redis
from redis.exceptions import RedisError
from rq import Worker

from read_replica.engine import forks
from read_replica.engine.shared.redis_state import impatient
from read_replica.jobs import heartbeat, orphaned_jobs, queues, workers
from support.bench import SITE
from support.job_bench import JobBench
from support.servers import find_program, run
from support.waiting import until

from ..conftest import in_another_worker
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
from .test_scheduled_runs import HOURLY, as_with_another_queue, executed, hourly

__all__ = ["hourly", "own_queues"]

BENCH_ID = "workers_alive"
# With those of connecting, committing and setting limits.
MOST_STATEMENTS_OF_A_NOTE = 20
# On a busy machine.
MOST_SECONDS_OF_A_NOTE = 0.2

COUNTER = "sample_app_hourly_runs"


@pytest.fixture
def noting(own_queues, monkeypatch) -> Iterator:
	"""Servers that share a Redis, whose workers note themselves each half second."""
	frappe.db.delete("Job Worker")
	frappe.db.commit()
	monkeypatch.setitem(frappe.local.conf, "bench_id", BENCH_ID)
	own_queues.configure_common(bench_id=BENCH_ID)
	monkeypatch.setenv("SAMPLE_APP_SECONDS_BETWEEN_BEATS", "0.5")
	orphaned_jobs._unread_since.clear()
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
		until(lambda: alive() == 2, seconds=60)
	monkeypatch.setenv("FRAPPE_BACKGROUND_WORKERS_NOFORK", "1")
	frappe.db.delete("Job Worker")
	frappe.db.commit()
	with real_workers(noting, tmp_path / "c", "secondary", servers.redis.port, *command):
		# Processes that were not forked know nothing of what this test has set.
		until(lambda: alive(seconds=60) == 2, seconds=60)
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
	return any(queue in reader.queues for reader in workers.seen(queues.listed_workers()))


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
			assert [reader.queues for reader in workers.seen(queues.listed_workers())] == [("secondary",)]
			workers.clean_up()
			time.sleep(2)
			frappe.db.sql_ddl("rename table `tabJob Worker Later` to `tabJob Worker`")
			until(alive)
	finally:
		if frappe.db.sql("show tables like 'tabJob Worker Later'"):
			frappe.db.sql_ddl("rename table `tabJob Worker Later` to `tabJob Worker`")


@contextmanager
def a_table_that_is_locked(servers) -> Iterator[None]:
	"""As by a migrate or a backup."""
	connection = servers.primary.admin(frappe.local.conf.db_name)
	run(connection, "lock tables `tabJob Worker` write")
	try:
		yield
	finally:
		connection.close()


@contextmanager
def a_primary_that_is_read_only(servers) -> Iterator[None]:
	servers.primary.query("set global read_only = 1")
	try:
		yield
	finally:
		servers.primary.query("set global read_only = 0")


@pytest.mark.parametrize("trouble", [a_table_that_is_locked, a_primary_that_is_read_only])
def test_jobs_begin_in_time_while_their_worker_cannot_note_itself(noting, servers, tmp_path, trouble):
	command = ("worker", "--queue", "secondary")
	with real_workers(noting, tmp_path / "b", "secondary", servers.redis.port, *command):
		until(alive)
		frappe.db.rollback()
		with trouble(servers):
			time.sleep(1)
			began = time.monotonic()
			count_up(5, "secondary")
			assert time.monotonic() - began < 15
		until(alive)


def test_a_database_that_hangs_keeps_no_job_from_its_fork(noting, servers, monkeypatch):
	beat = heartbeat.Heartbeat(Worker([generate_qname("secondary")], connection=get_redis_conn()))
	many_sites_there = [SITE] * 5
	monkeypatch.setattr(beat, "_sites", lambda: many_sites_there)
	frappe.db.rollback()
	servers.primary.freeze()
	try:
		assert seconds_of_a_round(beat) < forks.MOST_SECONDS
	finally:
		servers.primary.thaw()
	seconds_of_a_round(beat)
	assert alive("primary", seconds=60) == 1


def seconds_of_a_round(beat: heartbeat.Heartbeat, work=None) -> float:
	began = time.monotonic()
	thread = threading.Thread(target=beat._in_each_site, args=(work or beat._note,))
	thread.start()
	thread.join()
	return time.monotonic() - began


def test_a_worker_that_could_not_note_itself_yet_says_nothing_to_other_benches(noting, monkeypatch):
	worker = Worker([generate_qname("secondary")], connection=get_redis_conn())
	beat = heartbeat.Heartbeat(worker)
	with monkeypatch.context() as patched:
		patched.setattr(workers, "note", no_answer)
		for _ in range(workers.ROUNDS_UNTIL_NOTED + 2):
			a_round_of(beat)
	assert not get_redis_conn().exists(workers.MARK_PREFIX + worker.name)
	for _ in range(2):
		a_round_of(beat)
	assert get_redis_conn().exists(workers.MARK_PREFIX + worker.name)


def no_answer(*args) -> None:
	raise TimeoutError("the database does not answer")


def a_round_of(beat: heartbeat.Heartbeat) -> None:
	def note() -> None:
		assert beat._reaches_redis()
		beat._note_in_each_site()

	thread = threading.Thread(target=note)
	thread.start()
	thread.join()


def test_a_worker_of_a_slow_bench_notes_itself_again_before_its_last_note_is_old(noting, monkeypatch):
	beat = heartbeat.Heartbeat(Worker([generate_qname("secondary")], connection=get_redis_conn()))
	noted, waits = [], []

	class Ended(threading.Event):
		def wait(self, timeout=None) -> bool:
			waits.append(timeout)
			return False

		def is_set(self) -> bool:
			return len(waits) == 5

	monkeypatch.setattr(beat, "_ended", Ended())
	monkeypatch.setattr(beat, "_note_in_each_site", lambda: noted.append(beat._seconds) or [])
	monkeypatch.setattr(beat, "_in_each_site", lambda work: [])
	monkeypatch.setattr(heartbeat, "seconds_between_beats", lambda *of_a_round: 400.0)
	beat._beat()
	assert len(noted) == 5 and waits[-1] == 400
	for wait, seconds in zip(waits, noted, strict=True):
		assert wait < workers.MOST_NOTES_MISSED * seconds


def test_a_worker_works_that_cannot_have_a_thread(noting, monkeypatch):
	def no_thread(self):
		raise RuntimeError("can't start new thread")

	monkeypatch.setattr(threading.Thread, "start", no_thread)
	worker = Worker([generate_qname("secondary")], connection=get_redis_conn())
	assert (
		heartbeat.with_heartbeat(lambda self, burst: burst)(worker, burst="it has worked") == "it has worked"
	)


def test_a_redis_at_a_socket_of_this_host_is_asked_like_any_other(tmp_path):
	"""Clients of some versions of Frappe take other settings for it."""
	path = str(tmp_path / "s")
	with pytest.raises(RedisError):
		impatient(Redis(unix_socket_path=path)).ping()
	server = subprocess.Popen(
		[find_program("redis-server"), "--port", "0", "--unixsocket", path, "--save", ""],
		stdout=subprocess.DEVNULL,
	)
	try:
		until(lambda: os.path.exists(path))
		assert impatient(Redis(unix_socket_path=path)).ping()
	finally:
		server.kill()
		server.wait()


def test_the_clock_of_a_workers_host_does_not_matter(noting, servers, tmp_path):
	command = ("worker", "--queue", "secondary")
	for name, hours in (("early", 3), ("late", -3)):
		with real_workers(
			noting, tmp_path / name, "secondary", servers.redis.port, *command, clock=3600 * hours
		):
			until(alive)
		frappe.db.delete("Job Worker")
		frappe.db.commit()


def test_a_worker_of_the_same_name_is_the_one_that_noted_itself_last(noting, monkeypatch):
	def note(server_id: str) -> None:
		monkeypatch.setenv("SERVER_ID", server_id)
		workers.note("same", [generate_qname("secondary")], 60)

	note("third")
	note("secondary")
	[reader] = workers.seen([])
	assert reader.server_id == "secondary"
	with pytest.MonkeyPatch.context() as before:
		before.setattr(os, "getpid", lambda: 1)
		workers.note_end("same")
	assert workers.seen([]), "it has not ended, the one before has"
	workers.note_end("same")
	assert not workers.seen([])


def test_a_worker_with_a_name_as_long_as_its_host_and_its_queues_is_known(noting, monkeypatch):
	monkeypatch.setenv("SERVER_ID", "third")
	name = "x" * 200
	worker = Worker([generate_qname("secondary")], name=name, connection=get_redis_conn())
	worker.register_birth()
	workers.note(name, [generate_qname("secondary")], 60)
	[reader] = workers.seen(queues.listed_workers())
	assert (reader.name, reader.server_id) == (name, "third")
	workers.note_end(name)
	worker.register_death()
	assert not workers.seen(queues.listed_workers())


def test_a_note_costs_few_statements_and_writes_one_row(noting):
	beat = heartbeat.Heartbeat(Worker([generate_qname("secondary")], connection=get_redis_conn()))
	costs = []

	def note() -> float:
		seconds = beat._note()
		costs.append({name: status(name) for name in ("Questions", "Com_insert", "Com_update", "Com_delete")})
		return seconds

	times = [seconds_of_a_round(beat, note) for _ in range(10)]
	print(f"{costs[-1]}, with the connection; {sorted(times)[5]:.3f} s of time")
	assert costs[-1]["Questions"] <= MOST_STATEMENTS_OF_A_NOTE
	assert costs[-1]["Com_insert"] == 1 and costs[-1]["Com_update"] + costs[-1]["Com_delete"] == 0
	assert sorted(times)[5] < MOST_SECONDS_OF_A_NOTE


def status(name: str) -> int:
	"""A counter, or the sum of several, of this connection."""
	return sum(int(count) for _, count in frappe.db.sql(f"show session status like '{name}'"))


@pytest.mark.parametrize(
	("minutes", "takeover_after"), [(20, 900), (0.7, 30)], ids=["paused", "between ticks"]
)
def test_a_live_worker_keeps_its_jobs_also_where_no_scheduler_has_looked_for_it(
	noting, monkeypatch, minutes, takeover_after
):
	rule(HOURLY, "secondary", takeover_after=takeover_after)
	rule("frappe.ping", "secondary", takeover_after=takeover_after)
	workers.note("alive", [generate_qname("secondary")], 60)
	with worker("secondary"), worker("primary"):
		tick(monkeypatch, "primary")
	get_queue("secondary").empty()
	minutes_pass(60)
	workers.note("alive", [generate_qname("secondary")], 60)
	with worker("primary"):
		tick(monkeypatch, "primary")
	minutes_pass(minutes, ticking=())
	for is_alive in (True, False):
		get_queue("secondary").empty()
		if is_alive:
			workers.note("alive", [generate_qname("secondary")], 60)
		else:
			frappe.db.sql("update `tabJob Worker` set alive_at = alive_at - interval 30 minute")
			frappe.db.commit()
		in_another_worker(frappe.enqueue, "frappe.ping")
		assert len(get_queue("secondary")) == is_alive


def test_workers_that_are_gone_cost_neither_a_tick_nor_a_call_anything(noting, monkeypatch):
	rule("sample_app.jobs.*", "secondary")
	workers.note("alive", [generate_qname("secondary")], 60)
	with worker("secondary"), worker("primary"):
		tick(monkeypatch, "primary")
		few = rows_read_by_a_tick_and_a_call()
		for hundred in range(150):
			note_workers_that_are_gone(hundred)
		frappe.db.commit()
		# As the server does by itself some seconds later.
		frappe.db.sql("analyze table `tabJob Worker`")
		many = rows_read_by_a_tick_and_a_call()
		print(f"rows read: {few}, with 15,000 workers that are gone: {many}")
		assert len(frappe.get_all("Job Worker")) > 15_000
		for step, rows in few.items():
			assert many[step] <= 1.5 * rows + 10, step


def rows_read_by_a_tick_and_a_call() -> dict[str, int]:
	frappe.db.commit()
	steps = {
		"readers": lambda: workers.seen(queues.listed_workers()),
		"of another bench": lambda: workers.of_another_bench(queues.listed_workers()),
		"servers alive": workers.servers_alive,
		"clean up": workers.clean_up,
		"call": lambda: frappe.enqueue("sample_app.jobs.hourly_job"),
		"note": lambda: workers.note("alive", [generate_qname("secondary")], 60),
	}
	found = {}
	for name, step in steps.items():
		before = status("Handler_read%")
		step()
		# What it takes to ask for the status is read from a table as well.
		found[name] = status("Handler_read%") - before
	return found


def note_workers_that_are_gone(number: int) -> None:
	"""A hundred of them, in the last day."""
	ended = "utc_timestamp() - interval %s minute"
	row = f"(%s, 'secondary', 'pod', %s, '', 60, {ended}, {ended} - interval 5 hour)"
	minutes = 70 + number * 9
	values = [(f"gone {number} {one}", frappe.utils.get_bench_id(), minutes, minutes) for one in range(100)]
	frappe.db.sql(
		"insert into `tabJob Worker`"
		" (name, server_id, host, bench, queues, seconds_between_notes, alive_at, noted_since) values "
		+ ", ".join([row] * 100),
		[value for of_one in values for value in of_one],
	)


@pytest.mark.parametrize(
	("limits", "round_took", "seconds"),
	[
		([], 0, 60),
		([0], 0, 60),
		([900, 0], 0, 60),
		([900, 60], 0, 20),
		([1], 0, 5),
		([900], 6, 120),
		([900], 1000, 300),
		([], 1000, 300),
		([60], 1000, 20),
	],
)
def test_a_worker_notes_itself_several_times_in_the_shortest_limit(limits, round_took, seconds):
	assert heartbeat.seconds_between_beats(limits, round_took) == seconds


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
