# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A site in production for a while: two servers, each with gunicorn, a scheduler and workers.

People place orders and look at lists and reports, programs use REST, all jobs of the apps are due, a
replica is killed, another one frozen, Redis is flushed, and the site is deployed anew. A minute or two;
READ_REPLICA_SOAK says for how many seconds. With ERPNext in the bench, its documents, reports and jobs are
used as well where READ_REPLICA_SOAK is set.
"""

import importlib.util
import itertools
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import frappe
import pytest

import read_replica
from read_replica.database.bookkeeping import execute_and_commit
from read_replica.engine.shared.shared_state import SharedState
from support.bench import ADMIN_PASSWORD, SITE, Sites
from support.frappe_request import connect, connected, disconnect
from support.load import seed_of_run
from support.production import PARTS, ProductionBench
from support.production_load import Client, Load
from support.servers import Cluster, cluster
from support.soak_users import REPORT, Users
from support.trouble import _start_replica

from .conftest import SAMPLE_APP, full_form
from .jobs.test_proof_jobs import workers_of

SECONDS = float(os.environ.get("READ_REPLICA_SOAK") or 60)
WITH_ERPNEXT = bool(os.environ.get("READ_REPLICA_SOAK")) and importlib.util.find_spec("erpnext") is not None
JOBS = 6
PROOF_JOBS = "sample_app.jobs.proof_job_%"
SERVERS = ("primary", "secondary")
SECONDS_OF_TROUBLE = 6
SECONDS_TO_SETTLE = 300

# A due run may be late by a tick, and one that Redis has lost by a minute and a tick. Two that were due
# further apart, though nobody deployed between them, are a run that nobody has claimed.
LONGEST_GAP = 100

# Of a hundred requests, those that core asks to repeat as two of them wanted the same row of nobody knows
# which table. With snapshot isolation, two orders at once want the same row of core's numbers or of stock.
MOST_TRIED_AGAIN = 3
TABLES_OF_THIS_APP = ("tabScheduled", "tabJob ", "tabUser Position", "tabCache Redis", "tabScheduler Config")

# What a process may grow by in the second half, beside what Python's allocator does; in the short form it
# loads much for the first time in that half.
MOST_MIB_MORE = 20 if SECONDS >= 600 else 60


@pytest.fixture
def production(monkeypatch) -> Iterator[tuple[Sites, Cluster, list[ProductionBench]]]:
	"""A site with all its servers; nothing runs on the two that serve it yet."""
	before = Path.cwd()
	monkeypatch.syspath_prepend(str(SAMPLE_APP))
	monkeypatch.setenv("PYTHONPATH", str(SAMPLE_APP), prepend=os.pathsep)
	monkeypatch.setenv("SAMPLE_APP_PROOF_JOBS", str(JOBS))
	monkeypatch.delitem(sys.modules, "sample_app.hooks", raising=False)
	apps = ("frappe", *(("erpnext",) if WITH_ERPNEXT else ()), "read_replica", "sample_app")
	with cluster(replicas=2) as servers, tempfile.TemporaryDirectory(prefix="rr-soak-") as name:
		own = {server_id: {"timeout": 1500} for server_id in SERVERS}
		sites = Sites(Path(name), servers, apps=apps)
		sites.configure_common(bench_id="soak", workers=own, scheduler_tick_interval=5)
		os.chdir(sites.path)
		sites.new_site()
		for app in apps[1:]:
			sites.bench("--site", SITE, "install-app", app, timeout=900)
		make_ready()
		sites.configure(read_replica=full_form(servers))
		servers.catch_up()
		benches = [
			ProductionBench(Path(name) / f"of-{server_id}", sites, server_id, servers.redis.port)
			for server_id in own
		]
		for bench in benches:
			bench.works_with(*workers_of(bench.server_id, shared=True))
		try:
			yield sites, servers, benches
		finally:
			for bench in benches:
				bench.stop()
			os.chdir(before)


def make_ready() -> None:
	"""All jobs are due, some every few seconds, which leave a trace; a report; an API key."""
	from frappe.core.doctype.user.user import generate_keys

	connect()
	frappe.set_user("Administrator")
	if WITH_ERPNEXT:
		from support import erpnext_site

		erpnext_site.set_up()
	frappe.db.sql_ddl(
		"create table sample_app_proof (run varchar(140), server_id varchar(140), clock datetime(6),"
		" at datetime(6) default now(6))"
	)
	frappe.db.sql("update `tabScheduled Job Type` set create_log = 1 where method like %s", PROOF_JOBS)
	for number in range(1, JOBS, 2):
		method = f"sample_app.jobs.proof_job_{number}"
		rule = {"doctype": "Scheduler Config", "job": method, "server_id": "secondary", "enabled": 1}
		frappe.get_doc(rule).insert()
	# It names a server that is not there.
	rule = {"doctype": "Scheduler Config", "job": "sample_app.jobs.annotated_job", "enabled": 1}
	frappe.get_doc(rule | {"server_id": "primary"}).insert()
	report = {"doctype": "Report", "report_name": REPORT, "report_type": "Query Report", "is_standard": "No"}
	query = "select name, modified from tabToDo order by modified desc limit 200"
	frappe.get_doc(report | {"ref_doctype": "ToDo", "query": query}).insert()
	frappe.db.set_value("User", "Administrator", "simultaneous_sessions", 100)
	frappe.db.set_single_value("System Settings", "enable_scheduler", 1)
	frappe.db.sql("update `tabScheduled Job Type` set last_execution = null, creation = '2020-01-01'")
	frappe.db.sql("delete from `tabError Log`")
	generate_keys("Administrator")
	frappe.db.commit()
	disconnect()


def api_headers() -> dict[str, str]:
	with connected():
		user = frappe.get_doc("User", "Administrator")
		return {"Authorization": f"token {user.api_key}:{user.get_password('api_secret')}"}


def start_users(load: Load, benches: list[ProductionBench], rng: random.Random) -> None:
	doctype, order, reports = "ToDo", lambda rng: {"description": f"Order {rng.random()}"}, {REPORT: {}}
	if WITH_ERPNEXT:
		from support import erpnext_site

		doctype, order = "Sales Order", erpnext_site.new_order
		reports |= erpnext_site.reports()
	users = Users(load, doctype, order, reports)
	urls = [bench.url for bench in benches]

	def browser() -> Client:
		client = Client(urls, rng)
		client.log_in("Administrator", ADMIN_PASSWORD)
		return client

	def add(work: Callable, client: Client, pause: float) -> None:
		own_rng = random.Random(rng.random())
		load.add(lambda: work(client, own_rng), pause)

	program = Client(urls, rng, api_headers())
	add(users.places_order, browser(), 0.3)
	add(users.places_order, program, 0.5)
	add(users.looks_around, browser(), 0.2)
	add(users.looks_around, browser(), 0.5)
	add(users.uses_rest, program, 0.4)


class Troubles:
	"""What befalls the site, again and again in the same order."""

	def __init__(self, sites: Sites, servers: Cluster, benches: list[ProductionBench], load: Load):
		self._sites, self._servers, self._benches, self._load = sites, servers, benches, load
		self.count = 0
		# When each of them began, in UTC, to be read beside the rows of runs.
		self.begun: list[str] = []
		# Calls that replicas and the primary have answered, until Redis was flushed.
		self.answered: Counter[bool] = Counter()

	def next(self) -> None:
		[first, second] = self._servers.replicas
		steps = {
			"Redis is flushed": self._flush_redis,
			"a replica is killed": lambda: self._kill(first),
			"a replica freezes": lambda: self._freeze(second),
		}
		what = list(steps)[self.count % len(steps)]
		self.begun.append(f"{now():%H:%M:%S} {what}")
		steps[what]()
		self.count += 1

	def _flush_redis(self) -> None:
		self.answered += answered_by_primary(self._servers)
		self._servers.redis.client().flushall()

	def _kill(self, replica) -> None:
		replica.kill()
		try:
			time.sleep(SECONDS_OF_TROUBLE)
		finally:
			_start_replica(replica)

	def _freeze(self, replica) -> None:
		replica.freeze()
		try:
			time.sleep(SECONDS_OF_TROUBLE)
		finally:
			replica.thaw()

	def deploy(self) -> tuple[datetime, datetime]:
		"""While nobody may ask anything: a migrate, and new processes of everything; from when to when, in UTC."""
		began = now()
		self.begun.append(f"{began:%H:%M:%S} a deploy")
		self._load.pause()
		for bench in self._benches:
			for what in PARTS:
				bench.end(what)
		self._sites.bench("--site", SITE, "migrate", timeout=900)
		for bench in self._benches:
			for what in PARTS:
				bench.start(what)
		self._load.go_on()
		return began, now()


# Frappe's client stays with the first Redis that a process has met: let it be that of the other tests.
@pytest.mark.usefixtures("sites")
def test_a_site_in_production_loses_no_request_and_no_run_whatever_befalls_its_servers(production):
	sites, servers, benches = production
	seed = seed_of_run()
	print("READ_REPLICA_SEED", seed)
	load = Load()
	try:
		for bench in benches:
			for what in PARTS:
				bench.start(what)
		start_users(load, benches, random.Random(seed))
		began = time.monotonic()
		troubles = Troubles(sites, servers, benches, load)
		while time.monotonic() < began + SECONDS / 3:
			troubles.next()
			keep_running(benches, max(3, SECONDS / 60))
		deployed = troubles.deploy()
		keep_running(benches, SECONDS / 10)
		before = memory(benches)
		while time.monotonic() < began + SECONDS:
			troubles.next()
			keep_running(benches, max(3, SECONDS / 60))
		after = memory(benches)
		load.end()
		check_requests(load)
		print(troubles.count, "troubles")
		with connected():
			ended = now()
			let_no_run_be_due()
			until_all_are_executed(benches)
			check_logs(sites, benches)
			check_runs()
			check_gaps(deployed, ended, troubles.begun)
		check_reads(troubles.answered + answered_by_primary(servers))
		check_memory(before, after)
	except BaseException:
		print(*(bench.log() for bench in benches), sep="\n")
		raise
	finally:
		load.end()


def keep_running(benches: list[ProductionBench], seconds: float) -> None:
	"""As a process manager does: core's scheduler ends itself where it finds another one's lock."""
	deadline = time.monotonic() + seconds
	while time.monotonic() < deadline:
		for bench in benches:
			for what in ("workers", "scheduler"):
				bench.start(what)
		time.sleep(0.5)


def check_requests(load: Load) -> None:
	"""None has failed or hangs, and core had few of them repeated."""
	asked = sum(load.asked.values())
	print(dict(load.asked), "tried again:", dict(load.tried_again))
	assert not load.failures, f"{len(load.failures)} failed:\n" + "\n".join(load.failures[:20])
	assert not load.hanging(), "requests that are not answered"
	kinds = ("order", "own write", "list", "count", "open count", "report", "REST list")
	assert all(load.asked[kind] for kind in kinds), "a kind of request was never made"
	assert load.tried_again["not named"] * 100 <= asked * MOST_TRIED_AGAIN, "too many were to be repeated"
	assert not [table for table in load.tried_again if table.startswith(TABLES_OF_THIS_APP)]


def check_memory(before: dict[int, tuple[str, float]], after: dict[int, tuple[str, float]]) -> None:
	"""What has run through the second half has not grown."""
	stayed = sorted(before.keys() & after.keys())
	print("MiB:", [(after[pid][0], round(before[pid][1]), round(after[pid][1])) for pid in stayed])
	names = {after[pid][0] for pid in stayed}
	assert names >= {f"{server_id} {what}" for server_id in SERVERS for what in ("web", "workers")}
	for pid in stayed:
		assert after[pid][1] < before[pid][1] + MOST_MIB_MORE, f"{after[pid][0]} has grown"


def memory(benches: list[ProductionBench]) -> dict[int, tuple[str, float]]:
	return {pid: found for bench in benches for pid, found in bench.memory().items()}


def let_no_run_be_due() -> None:
	execute_and_commit(
		"update `tabScheduled Job Type` set frequency = 'Cron', cron_format = '0 0 1 1 *', stopped = 0"
	)


def unfinished() -> list[dict]:
	frappe.db.rollback()
	return frappe.get_all("Scheduled Run", filters={"executed_at": ["is", "not set"]}, fields=["*"])


def until_all_are_executed(benches: list[ProductionBench]) -> None:
	deadline = time.monotonic() + SECONDS_TO_SETTLE
	while left := unfinished():
		assert time.monotonic() < deadline, f"runs that were not executed: {left}"
		keep_running(benches, 2)


def check_runs() -> None:
	"""Each run that was claimed was executed once, by its server."""
	executed = frappe.db.sql("select run, server_id from sample_app_proof")
	runs = frappe.get_all("Scheduled Run", filters={"job": ["like", PROOF_JOBS]}, fields=["name", "job"])
	assert len(executed) == len(set(run for run, _ in executed)), "a run was executed twice"
	assert {run for run, _ in executed} <= {run.name for run in runs}
	lost = {run.name for run in runs} - {run for run, _ in executed}
	assert not lost, f"what these runs did is lost: {all_about(lost)}"
	by_run = dict(executed)
	for run in runs:
		assert by_run[run.name] == ("secondary" if int(run.job.rsplit("_", 1)[1]) % 2 else "primary")
	jobs = set(frappe.get_all("Scheduled Job Type", pluck="name"))
	have_run = set(frappe.get_all("Scheduled Run", pluck="job_type"))
	print(len(runs), "runs of", JOBS, "jobs,", frappe.db.count("Scheduled Run"), "of", len(jobs))
	assert jobs <= have_run, f"never run: {sorted(jobs - have_run)}"


def all_about(runs: set[str]) -> list[dict]:
	"""The rows of runs, and what core has logged of their jobs."""
	rows = frappe.get_all("Scheduled Run", filters={"name": ["in", list(runs)]}, fields=["*"])
	logs = frappe.get_all(
		"Scheduled Job Log",
		filters={"scheduled_job_type": ["in", [row.job_type for row in rows]]},
		fields=["*"],
		order_by="creation",
	)
	return [*rows, *logs]


def check_gaps(deployed: tuple[datetime, datetime], ended: datetime, troubles: list[str]) -> None:
	"""No job was left without a run for longer than troubles may hold one up; but for the deploy.

	From its first run on: at the beginning all jobs of all apps are due at once, and have to be worked off.
	"""
	pause = (deployed[1] - deployed[0]).total_seconds()
	for number in range(JOBS):
		begun = frappe.get_all(
			"Scheduled Run",
			filters={"job": f"sample_app.jobs.proof_job_{number}"},
			pluck="begun_at",
			order_by="begun_at",
		)
		gaps = [
			((later - earlier).total_seconds(), f"{earlier:%H:%M:%S} to {later:%H:%M:%S}")
			for earlier, later in itertools.pairwise([*begun, ended])
		]
		long = [gap for gap in gaps if gap[0] > LONGEST_GAP]
		told = f"job {number} had no run for {long}; the deploy took {pause:.0f} s; {troubles}"
		assert len(long) <= 1 and max(gaps)[0] < LONGEST_GAP + pause, told


def now() -> datetime:
	"""In UTC, as the rows of runs have it."""
	return datetime.now(timezone.utc).replace(tzinfo=None)


def check_logs(sites: Sites, benches: list[ProductionBench]) -> None:
	"""No traceback has a line of this app's: in Error Log, in the logs of jobs, in any file, on any screen."""
	package = str(Path(read_replica.__file__).parent)
	logged = frappe.get_all("Error Log", pluck="error")
	failed = frappe.get_all(
		"Scheduled Job Log", filters={"status": "Failed"}, fields=["scheduled_job_type", "details"]
	)
	methods = dict(frappe.get_all("Scheduled Job Type", fields=["name", "method"], as_list=True))
	print("failed jobs:", sorted({methods[job.scheduled_job_type] for job in failed}))
	folders = [sites.path.parent, *(bench.folder for bench in benches)]
	files = {path.resolve() for folder in folders for path in folder.rglob("*.log*") if path.is_file()}
	assert len(files) > 6, files
	for text in (
		*logged,
		*(job.details for job in failed),
		*(path.read_text(errors="replace") for path in files),
	):
		where = (text or "").find(package)
		assert where < 0, text[max(0, where - 3000) : where + 2000]
	of_ours = [job for job in failed if methods[job.scheduled_job_type].startswith("sample_app.")]
	assert not of_ours, of_ours[0].details


def check_reads(answered: Counter[bool]) -> None:
	"""Replicas have answered most of what may be read there."""
	print("calls by replicas, by the primary:", answered[False], answered[True])
	assert answered[False] > answered[True]


def answered_by_primary(servers: Cluster) -> Counter[bool]:
	"""How many calls the primary has answered, and how many another server has."""
	found: Counter[bool] = Counter()
	with connected():
		# Frappe's own client is that of the first Redis that this process has met.
		shared = SharedState(servers.redis.client(), f"read_replica|{frappe.local.conf.db_name}")
	for (server, _reason, _method), (count, _seconds) in shared.load_counts().items():
		found[server == "primary"] += count
	return found
