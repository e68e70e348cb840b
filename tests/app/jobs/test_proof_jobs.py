# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Real schedulers and RQ workers of two servers are killed and started again at random, under jobs.

The clock of one server is two seconds late. Every run that is claimed is executed once, none is lost, none
is executed twice, and each by the server that its rule names while that lives; while it is gone, by the
default server. 250 due runs in all; over 1,000 with READ_REPLICA_LONG set. A failure names its seed:
READ_REPLICA_SEED.
"""

import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import frappe
import pytest

from read_replica.database.bookkeeping import execute_and_commit
from support.job_bench import JobBench
from support.load import seed_of_run
from support.servers import Redis
from support.waiting import until

from .test_jobs import DAILY, rule

JOBS = 24
EVERY = 4
RUNS = 550 if os.environ.get("READ_REPLICA_LONG") else 125
SECONDS = 600
LEAST_KILLS = 6
TAKEOVER_AFTER = 20
SECONDS_TO_START = 20
# How long a job may wait for a worker of a busy machine, whose workers are killed as well.
SECONDS_IN_A_QUEUE = 120
# Until the first runs of both servers are claimed.
SECONDS_TO_START_WHEN_IDLE = 12
# Seconds by which a server's clock is early.
CLOCKS = {"primary": 0, "secondary": -2}


@pytest.fixture
def scheduled(due) -> Iterator[None]:
	"""Jobs of two servers that are due every few seconds, and no others."""
	frappe.db.sql_ddl("drop table if exists sample_app_proof")
	frappe.db.sql_ddl(
		"create table sample_app_proof (run varchar(140), server_id varchar(140), clock datetime(6),"
		" at datetime(6) default now(6))"
	)
	frappe.db.set_value("System Settings", None, "enable_scheduler", 1)
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 1 where method != %s", DAILY)
	# Lets the schedulers tick also when no job of the proof is left.
	rule(DAILY, "elsewhere", takeover_after=0)
	names = []
	for number in range(JOBS):
		method = f"sample_app.jobs.proof_job_{number}"
		job = {"doctype": "Scheduled Job Type", "method": method, "frequency": "Cron"}
		# The sixth field: seconds.
		names.append(frappe.get_doc(job | {"cron_format": f"* * * * * */{EVERY}"}).insert().name)
		if number % 2:
			rule(method, "secondary", takeover_after=TAKEOVER_AFTER)
	frappe.db.commit()
	yield
	frappe.db.rollback()
	for name in names:
		frappe.delete_doc("Scheduled Job Type", name, force=True)
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 0")
	frappe.db.commit()


@contextmanager
def two_servers(sites, redis_port: int, shared: bool) -> Iterator[list[JobBench]]:
	"""A primary and a secondary, each with a Redis for its queues, or with one for both."""
	with tempfile.TemporaryDirectory(prefix="rr-jobs-") as name:
		folder = Path(name)
		(folder / "redis").mkdir()
		other = Redis(folder / "redis")
		other.start()
		common = {"scheduler_tick_interval": 1}
		if shared:
			own = {"primary": {"timeout": 1500}, "secondary": {"timeout": 1500}}
			common |= {"bench_id": "shared", "workers": own}
		ports = {"primary": other.port, "secondary": other.port if shared else redis_port}
		benches = []
		try:
			for server_id, port in ports.items():
				bench = JobBench(folder / server_id, sites, server_id, port, CLOCKS[server_id], **common)
				bench.works_with(*workers_of(server_id, shared))
				benches.append(bench)
			yield benches
		finally:
			for bench in benches:
				bench.stop()
			other.kill()


def workers_of(server_id: str, shared: bool) -> tuple[str, ...]:
	queues = server_id if shared else "default,short,long"
	if frappe.__version__.startswith("14"):
		return ("worker", "--queue", queues)
	# Each worker of a pool starts a scheduler as well.
	return ("worker-pool", "--num-workers", "2", "--queue", queues)


class Chaos:
	"""Kills a scheduler or workers now and then, and starts them again; once, a server is gone for long."""

	def __init__(self, benches: list[JobBench], rng: random.Random):
		self._benches = benches
		self._rng = rng
		self._dead_until: dict[tuple[JobBench, str], float] = {}
		self._next = float("inf")
		# How many times longer than on an idle machine the processes take to start.
		self._pace = 1.0
		self.kills = 0
		self.gone_until: datetime | None = None

	def begin(self) -> None:
		"""Start all, and kill nothing before both servers work: what never comes to work proves nothing."""
		began = time.monotonic()
		self.end()
		until(lambda: counts()[0] > JOBS / 2, SECONDS / 2)
		self._pace = max(1.0, (time.monotonic() - began) / SECONDS_TO_START_WHEN_IDLE)
		self._next = time.monotonic()

	def step(self) -> None:
		now = time.monotonic()
		for (bench, what), until_when in list(self._dead_until.items()):
			if now >= until_when:
				bench.start(what)
				del self._dead_until[bench, what]
		if now >= self._next:
			self._next = now + self._rng.uniform(1.5, 4) * self._pace
			bench, what = self._rng.choice(self._benches), self._rng.choice(("scheduler", "workers"))
			if (bench, what) not in self._dead_until:
				self._kill(bench, what, self._rng.uniform(0, 3))

	def _kill(self, bench: JobBench, what: str, seconds: float) -> None:
		bench.kill(what)
		self.kills += 1
		self._dead_until[bench, what] = time.monotonic() + seconds

	def long_outage(self, bench: JobBench, seconds: float) -> None:
		"""The server is gone until its workers are seen again, some time after they were started."""
		for what in ("scheduler", "workers"):
			self._kill(bench, what, seconds)
		self.gone_until = now_of_database(seconds + SECONDS_TO_START)

	def end(self) -> None:
		for bench in self._benches:
			for what in ("scheduler", "workers"):
				bench.start(what)


def now_of_database(seconds: float = 0):
	return frappe.db.sql("select utc_timestamp(6) + interval %s second", seconds)[0][0]


def counts() -> tuple[int, int]:
	"""The runs that were claimed, and those that are not executed yet."""
	frappe.db.rollback()
	return tuple(
		map(
			int,
			frappe.db.sql(
				"select count(*), coalesce(sum(executed_at is null), 0) from `tabScheduled Run`"
				" where job like 'sample_app.jobs.proof_job_%%'"
			)[0],
		)
	)


@pytest.mark.parametrize("shared", [False, True], ids=["own_redis", "one_redis"])
def test_each_run_is_executed_once_by_its_server_whatever_is_killed(due, scheduled, servers, shared):
	seed = seed_of_run()
	print("READ_REPLICA_SEED", seed)
	with two_servers(due, servers.redis.port, shared) as benches:
		chaos = Chaos(benches, random.Random(seed))
		try:
			chaos.begin()
			run_until_enough(chaos, benches[1])
			let_no_run_be_due()
			until_all_are_executed(chaos)
			time.sleep(2)
			check(chaos)
		except BaseException:
			print(*(bench.log() for bench in benches), *unfinished(), sep="\n")
			raise


def unfinished() -> list[dict]:
	frappe.db.rollback()
	return frappe.get_all("Scheduled Run", filters={"executed_at": ["is", "not set"]}, fields=["*"])


def let_no_run_be_due() -> None:
	"""Not by stopping the jobs: the lost run of a job that is stopped is not executed any more."""
	execute_and_commit(
		"update `tabScheduled Job Type` set cron_format = '0 0 1 1 *'"
		" where method like 'sample_app.jobs.proof_job_%%'"
	)


def until_all_are_executed(chaos: Chaos) -> None:
	"""As under a process manager: a scheduler ends itself while the lock of one that was killed is held."""
	deadline = time.monotonic() + SECONDS
	chaos.end()
	while counts()[1]:
		assert time.monotonic() < deadline, f"{counts()[1]} runs were not executed in {SECONDS} s"
		time.sleep(5)
		chaos.end()


def has_seen_enough(claimed: int, chaos: Chaos) -> bool:
	"""On a fast machine, the runs of the short form are there before the server is taken for gone."""
	return claimed >= RUNS and chaos.kills >= LEAST_KILLS and bool(frappe.db.count("Job Takeover"))


def run_until_enough(chaos: Chaos, secondary: JobBench) -> None:
	deadline = time.monotonic() + SECONDS
	while not has_seen_enough(claimed := counts()[0], chaos):
		assert time.monotonic() < deadline, (
			f"only {claimed} runs were claimed, with {chaos.kills} kills, in {SECONDS} s"
		)
		if chaos.gone_until is None and claimed > RUNS / 3:
			chaos.long_outage(secondary, TAKEOVER_AFTER + 20)
		chaos.step()
		time.sleep(0.2)


def check(chaos: Chaos) -> None:
	runs = frappe.db.sql(
		"select name, job, taken_from, claimed_at, begun_at, attempts from `tabScheduled Run`"
		" where job like 'sample_app.jobs.proof_job_%%'",
		as_dict=True,
	)
	executed = frappe.db.sql("select run, server_id, clock, at from sample_app_proof", as_dict=True)
	by_run = {row.run: row.server_id for row in executed}
	assert len(executed) == len(by_run), "a run was executed twice"
	assert by_run.keys() == {run.name for run in runs}, "a run was lost"
	assert all(
		row.clock < row.at - timedelta(seconds=1.5) for row in executed if row.server_id == "secondary"
	)
	fields = ["server_id", "taken_by", "runs", "seen_at", "began_at", "ended_at"]
	# The long outage; on a busy machine, one more where a server was long in starting again.
	takeovers = frappe.get_all("Job Takeover", fields=fields, order_by="began_at")
	for takeover in takeovers:
		assert takeover.began_at >= takeover.seen_at + timedelta(seconds=TAKEOVER_AFTER)
		assert (takeover.server_id, takeover.taken_by) == ("secondary", "primary") and takeover.ended_at
	for run in runs:
		named = "secondary" if int(run.job.rsplit("_", 1)[1]) % 2 else "primary"
		if run.taken_from:
			# It may have waited in the server's queue since before, or in the other's until after.
			assert named == "secondary"
			assert any(
				run.claimed_at < max(takeover.ended_at, chaos.gone_until)
				and run.begun_at > takeover.began_at - timedelta(seconds=2)
				for takeover in takeovers
			)
			named = "primary"
		elif by_run[run.name] != named:
			# Its server was back and has claimed it again, and it still waited in the queue of the one that took over.
			assert named == "secondary"
			assert any(
				takeover.ended_at - timedelta(seconds=2) < run.claimed_at
				and run.begun_at
				< max(takeover.ended_at, chaos.gone_until) + timedelta(seconds=SECONDS_IN_A_QUEUE)
				for takeover in takeovers
			)
			continue
		assert by_run[run.name] == named
	taken_over = sum(bool(run.taken_from) for run in runs)
	again = sum(run.attempts > 1 for run in runs)
	print(
		f"{len(runs)} runs, {chaos.kills} kills, {taken_over} taken over, {again} executed at the second attempt"
	)
	assert taken_over and chaos.kills >= LEAST_KILLS
	assert sum(takeover.runs for takeover in takeovers) >= taken_over
