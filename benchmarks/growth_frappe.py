# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a request, an enqueue or a tick pays for things that grow: at ten times their usual size, against that.

Both sizes are there all the time, as two tables or two keys, and take each other's place between rounds.
A tick is measured as what this app does in it: its own steps, and its answer for each job that core asks for.
"""

import contextlib
import random
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import frappe
import redis
from frappe.core.doctype.scheduled_job_type.scheduled_job_type import ScheduledJobType
from frappe.utils import background_jobs
from frappe.utils.background_jobs import create_job_id, generate_qname
from frappe.utils.scheduler import enqueue_events_for_site
from rq import Worker
from rq.job import Job

from benchmarks.compare import timed
from benchmarks.results import Figure
from read_replica import lifecycle, read_only, site
from read_replica.database.host import shared_of_site
from read_replica.jobs import due_times, queues, rules, tick
from read_replica.scheduler_split import over
from support.bench import SITE, Sites
from support.servers import Cluster

QUESTION = "Ten times as many, against as many as usual: "
OF = "x the cost at the usual size"
TARGET = 1.5
TIMES = 10

ROUNDS = 11
# As many minutes as a list of ten times a thousand jobs is known.
CALLS = 10

HOSTS, RULES, JOBS, WAITING, METHODS, USERS = 1_500, 100, 50, 1_000, 1_000, 1_000

# Jobs that are due in a tick.
DUE = 10

METHOD = "frappe.utils.now"
OTHER_SERVER, GONE_SERVER = "secondary", "gone"
OWN_QUEUES = ("primary", OTHER_SERVER, GONE_SERVER)

Arrange = Callable[[int], None]


def measure(cluster: Cluster, sites: Sites) -> list[Figure]:
	"""On a site that is not connected, with routing switched on."""
	database = sites.config()["db_name"]
	# v16 refuses jobs where too many wait.
	sites.configure_common(
		workers={name: {"timeout": 1500} for name in OWN_QUEUES}, max_queued_jobs=100 * WAITING
	)
	background_jobs.get_queues_timeout.cache_clear()
	try:
		with cluster.primary.admin(database) as admin:
			growth = Growth(cluster, admin)
			figures = growth.on_the_site()
			return figures + growth.of_jobs()
	finally:
		sites.configure_common(workers=None, max_queued_jobs=None)
		background_jobs.get_queues_timeout.cache_clear()


class Growth:
	"""The figures, on one site; `admin` is a connection to its database."""

	def __init__(self, cluster: Cluster, admin: Any):
		self._admin = admin
		self._redis = redis.Redis(port=cluster.redis.port)

	def on_the_site(self) -> list[Figure]:
		frappe.init(site=SITE, sites_path=".")
		frappe.connect()
		try:
			lifecycle.begin()
			self._register_workers()
			self._make_jobs("tabScheduled Job Type", JOBS)
			tick.Tick()
			return [
				*self._of_hosts(),
				*self._of_rules(),
				*self._of_waiting_jobs(),
				*self._of_methods(),
				*self._of_users(),
			]
		finally:
			site.forget()
			frappe.destroy()

	# Hosts that are gone

	def _of_hosts(self) -> list[Figure]:
		question = f"{HOSTS * TIMES:,} hosts that are gone"
		self._add_rule(METHOD)
		with self._two_tables("tabJob Server", HOSTS, self._add_hosts) as arrange:
			return [
				self._figure(question, "an enqueue that a rule fits", arrange, HOSTS, _enqueue),
				self._figure(question, "a tick", arrange, HOSTS, self._tick, self._be_due),
				self._figure(
					question,
					"a tick that counts and cleans up",
					arrange,
					HOSTS,
					self._tick,
					self._be_due_and_count,
				),
			]

	def _add_hosts(self, table: str, count: int) -> None:
		"""Those of a month of rollouts, of both servers."""
		self._run(
			f"insert into `{table}` (name, creation, modified, owner, server_id, host, bench, workers, queues,"
			" jobs, missed_since, workers_alive_at, scheduler_alive_at, seconds_between_ticks)"
			" select concat('gone', seq), now(), now(), 'Administrator',"
			" if(seq %% 2, 'primary', 'secondary'), concat('pod-', seq), 'bench', 1, 'default, short', 0,"
			" utc_timestamp() - interval 1000 + seq * %s second, utc_timestamp() - interval 900 + seq * %s second,"
			" if(seq %% 50, null, utc_timestamp() - interval 900 + seq * %s second), 60 from seq_1_to_%s",
			(*[29 * 86400 / count] * 3, count),
		)

	# Rules

	def _of_rules(self) -> list[Figure]:
		question = f"{RULES * TIMES:,} rules"
		with self._two_tables("tabScheduler Config", RULES, self._add_rules) as arrange:
			return [
				self._figure(question, "an enqueue that a rule fits", arrange, RULES, _enqueue),
				self._figure(
					question,
					"an enqueue, five seconds later",
					arrange,
					RULES,
					_enqueue,
					rules.forget_rules,
				),
				self._figure(question, "an enqueue that no rule fits", arrange, RULES, _enqueue_another),
				self._figure(question, "a tick", arrange, RULES, self._tick, self._be_due),
			]

	def _add_rules(self, table: str, count: int) -> None:
		"""Half of them are patterns: of an app, of a module, and of a word in any."""
		rules = []
		for number in range(count):
			name = f"app_{number % 40}.module_{number}"
			pattern = (f"{name}.*", f"app_{number % 40}.*.nightly_{number}", f"*.weekly_{number}")[number % 3]
			rules.append((f"rule{number}", pattern if number % 2 else f"{name}.job", OTHER_SERVER))
		with self._admin.cursor() as cursor:
			cursor.executemany(
				f"insert into `{table}` (name, creation, modified, owner, job, server_id, enabled, takeover_after)"
				" values (%s, now(), now(), 'Administrator', %s, %s, 1, 900)",
				rules,
			)

	# Waiting jobs

	def _of_waiting_jobs(self) -> list[Figure]:
		question = f"{WAITING * TIMES:,} waiting jobs"
		frappe.db.delete("Scheduler Config")
		frappe.db.commit()
		with self._two_lists("default", WAITING, self._wait) as arrange:
			figures = [
				self._figure(question, "an enqueue", arrange, WAITING, _enqueue_another),
				self._figure(
					question,
					"a tick whose due jobs wait there",
					arrange,
					WAITING,
					self._tick,
					self._wait_and_be_due,
					statistics.mean,
				),
			]
		self._run(
			"insert into `tabJob Server` (name, server_id, host, missed_since, workers_alive_at,"
			" scheduler_alive_at) values ('gone', 'gone', 'gone', utc_timestamp() - interval 1 day,"
			" utc_timestamp() - interval 1 day, utc_timestamp() - interval 1 day)"
		)
		for whose, others in (("this site's", 0), ("another site's", 1)):
			with self._two_lists(GONE_SERVER, WAITING, self._wait, others) as arrange:
				name = f"a tick, where they are {whose} and nobody reads their queue"
				figures.append(self._figure(question, name, arrange, WAITING, self._tick, self._be_due))
		return figures

	def _wait(self, key: str, queue: str, count: int, of_another_site: int = 0) -> None:
		"""Jobs of this site, or mostly of another one, that wait in a queue; they never leave it."""
		others = create_job_id("x").replace(SITE, "another.test", 1)[:-1]
		own = create_job_id("x")[:-1]
		queue_name = generate_qname(queue)
		ids = [
			f"{others if of_another_site and at % 100 else own}{queue}-{count}-{at}" for at in range(count)
		]
		made = Job.create(
			"frappe.utils.background_jobs.execute_job",
			kwargs={"site": SITE, "method": METHOD, "event": None, "job_name": METHOD, "kwargs": {}},
			connection=self._redis,
			origin=queue_name,
			status="queued",
			timeout=300,
		)
		fields = made.to_dict()
		pipeline = self._redis.pipeline(transaction=False)
		for job_id in ids:
			pipeline.hset(Job.key_for(job_id), mapping=fields)
			pipeline.rpush(key, job_id)
		pipeline.execute()

	def _wait_and_be_due(self) -> None:
		"""A minute has passed, and the due jobs wait behind all others, for some minutes.

		A long list is read every so many minutes; so this is for the mean of some ticks, as many as that.
		"""
		self._be_due()
		for name, (read_at, ids) in queues._long_lists.items():
			queues._long_lists[name] = read_at - 60, ids
		queue = generate_qname("default")
		since = "2026-01-01T00:00:00.000000Z"
		for job in self._jobs[:DUE]:
			job_id = due_times.rq_job_id(job)
			fields = {"status": "queued", "origin": queue, "enqueued_at": since, "created_at": since}
			self._redis.hset(Job.key_for(job_id), mapping=fields)
			self._redis.lrem(f"rq:queue:{queue}", -1, job_id)
			self._redis.rpush(f"rq:queue:{queue}", job_id)

	# Methods and users

	def _of_methods(self) -> list[Figure]:
		question = f"{METHODS * TIMES:,} methods counted"
		shared = shared_of_site()
		with self._two_keys(shared._key("counts"), METHODS, self._count) as arrange:
			return [self._figure(question, "a routed call and its count", arrange, METHODS, _call)]

	def _count(self, key: str, count: int) -> None:
		# One less than are kept, as the call is one more.
		fields = {f"replica01|replica|app.module.method_{at}": 1 for at in range(count - 10)}
		self._redis.hset(key, mapping=fields)

	def _of_users(self) -> list[Figure]:
		question = f"{USERS * TIMES:,} users"
		shared = shared_of_site()

		def arrange(count: int) -> None:
			keys = [shared._key(f"written|user{at}@example.com") for at in range(USERS * TIMES)]
			self._redis.delete(*keys)
			pipeline = self._redis.pipeline(transaction=False)
			for key in keys[:count]:
				pipeline.set(key, "0-1-1", ex=3600)
			pipeline.execute()

		return [self._figure(question, "a save and the call after it", arrange, USERS, _save_and_call)]

	# What is measured

	def _tick(self) -> None:
		"""What this app does in a tick of the scheduler, up to the ten runs that are put into queues: enqueues."""
		frappe.local.read_replica_tick = None
		for job in self._jobs:
			tick.current().take(job)

	def _be_due(self) -> None:
		"""Ten jobs are due, and none was put into a queue."""
		frappe.db.commit()
		self._make_due()
		self._jobs = frappe.get_all("Scheduled Job Type", fields=due_times.FIELDS, order_by="name")
		for job in self._jobs[:DUE]:
			self._redis.delete(Job.key_for(due_times.rq_job_id(job)))
		frappe.db.commit()

	def _be_due_and_count(self) -> None:
		self._be_due()
		tick._counted_at.clear()

	def _figure(
		self,
		question: str,
		name: str,
		arrange: Arrange,
		usual: int,
		work: Callable[[], Any],
		before: Callable[[], Any] = lambda: None,
		average: Callable = statistics.median,
	) -> Figure:
		"""Both sizes in each of many rounds, in another order each time."""
		medians: dict[int, list[float]] = {usual: [], usual * TIMES: []}
		for _ in range(ROUNDS):
			for size in random.sample(list(medians), 2):
				frappe.db.commit()
				arrange(size)
				rules.forget_rules()
				took = []
				for _ in range(CALLS + 1):
					before()
					took.append(timed(work))
				# The first one fills what each process keeps.
				medians[size].append(average(took[1:]))
		rounds = zip(medians[usual * TIMES], medians[usual], strict=True)
		ratio = statistics.median(tenfold / usually for tenfold, usually in rounds)
		measured = {f"with {size:,}, ms": statistics.median(medians[size]) * 1e3 for size in medians}
		return Figure(QUESTION + question, name, ratio, OF, TARGET, measured)

	# How sizes take each other's place

	@contextlib.contextmanager
	def _two_tables(self, table: str, usual: int, fill: Callable[[str, int], None]) -> Iterator[Arrange]:
		"""Two more tables, each with what is in the first one, and so many rows; one of three is in place."""
		_leave_tables()
		for size in (usual, usual * TIMES):
			self._run(f"create table `{size}` like `{table}`")
			self._run(f"insert into `{size}` select * from `{table}`")
			fill(f"{size}", size)
			self._run(f"analyze table `{size}`")
		self._run(f"rename table `{table}` to `0`")
		in_place = None

		def arrange(size: int | None) -> None:
			nonlocal in_place
			if in_place:
				self._run(f"rename table `{table}` to `{in_place}`")
			if size:
				self._run(f"rename table `{size}` to `{table}`")
			in_place = size

		try:
			yield arrange
		finally:
			_leave_tables()
			arrange(None)
			self._run(f"rename table `0` to `{table}`")
			self._run(f"drop table `{usual}`, `{usual * TIMES}`")

	def _two_lists(self, queue: str, usual: int, fill: Callable, *more: Any):
		key = f"rq:queue:{generate_qname(queue)}"
		return self._two_keys(key, usual, lambda name, size: fill(name, queue, size, *more))

	@contextlib.contextmanager
	def _two_keys(self, key: str, usual: int, fill: Callable[[str, int], None]) -> Iterator[Arrange]:
		self._redis.delete(key)
		for size in (usual, usual * TIMES):
			fill(f"{key}:{size}", size)

		def arrange(size: int) -> None:
			self._redis.delete(key)
			# As it was at first, whatever was put there in the last round.
			self._redis.restore(key, 0, self._redis.dump(f"{key}:{size}"), replace=True)

		try:
			yield arrange
		finally:
			self._redis.delete(key, f"{key}:{usual}", f"{key}:{usual * TIMES}")

	def _run(self, statement: str, values: tuple | None = None) -> None:
		with self._admin.cursor() as cursor:
			cursor.execute(statement, values)

	def _add_rule(self, method: str) -> None:
		self._run(
			"insert into `tabScheduler Config` (name, creation, modified, owner, job, server_id, enabled,"
			" takeover_after) values (%s, now(), now(), 'Administrator', %s, %s, 1, 900)",
			(method, method, OTHER_SERVER),
		)

	def _make_jobs(self, table: str, count: int) -> None:
		self._run("update `tabSingles` set value = 1 where field = 'enable_scheduler'")
		# On a site that nobody uses, core schedules once a day.
		self._run("insert ignore into `tabActivity Log` (name, creation, modified) values (1, now(), now())")
		self._run(f"delete from `{table}`")
		with self._admin.cursor() as cursor:
			cursor.executemany(
				f"insert into `{table}` (name, creation, modified, method, frequency, stopped, create_log)"
				" values (%s, now(), now(), %s, 'Daily', 0, 1)",
				[(f"jobs.job_{at:04}", f"some_app.some_module.jobs.job_{at:04}") for at in range(count)],
			)

	def _register_workers(self) -> None:
		for names in (("short", "default", "long", "primary"), (OTHER_SERVER,)):
			Worker([generate_qname(name) for name in names], connection=self._redis).register_birth()

	# Scheduled jobs

	def of_jobs(self) -> list[Figure]:
		"""Core's own tick walks over all jobs: this is for what a whole tick takes more with this app than without."""
		ways = {"core": ScheduledJobType, "ours": over(ScheduledJobType)}
		took: dict[tuple[str, int], list[float]] = {(way, JOBS * by): [] for way in ways for by in (1, TIMES)}
		with self._two_tables("tabScheduled Job Type", JOBS, self._make_jobs) as arrange:
			for number in range(ROUNDS + 1):
				for way, size in random.sample(list(took), len(took)):
					arrange(size)
					self._let_ten_be_due()
					frappe.controllers.setdefault(SITE, {})["Scheduled Job Type"] = ways[way]
					seconds = timed(lambda: enqueue_events_for_site(SITE))
					if number:
						took[way, size].append(seconds)
		added = {
			size: statistics.median(
				ours - core for ours, core in zip(took["ours", size], took["core", size], strict=True)
			)
			for size in (JOBS, JOBS * TIMES)
		}
		measured = {f"{way} with {size}, ms": statistics.median(took[way, size]) * 1e3 for way, size in took}
		measured |= {f"added with {size}, ms": seconds * 1e3 for size, seconds in added.items()}
		value = max(0.0, added[JOBS * TIMES]) / max(0.001, added[JOBS])
		question = f"{QUESTION}{JOBS * TIMES} scheduled jobs"
		return [Figure(question, "what is added to core's tick", value, OF, TARGET, measured)]

	def _make_due(self) -> None:
		self._run("delete from `tabScheduled Run`")
		self._run("update `tabScheduled Job Type` set last_execution = curdate() + interval 2 day")
		self._run(
			"update `tabScheduled Job Type` set last_execution = '2020-01-01' order by name limit %s", (DUE,)
		)

	def _let_ten_be_due(self) -> None:
		self._make_due()
		for pattern in ("rq:queue:*", "rq:job:*"):
			for key in self._redis.scan_iter(match=pattern, count=1000):
				self._redis.delete(key)


def _leave_tables() -> None:
	"""Those that a transaction has read cannot be renamed."""
	if getattr(frappe.local, "db", None):
		frappe.db.commit()


def _enqueue() -> None:
	frappe.enqueue(METHOD, queue="default")


def _enqueue_another() -> None:
	frappe.enqueue("frappe.utils.nowdate", queue="default")


@read_only
def _read() -> None:
	frappe.db.sql("select name from `tabDocType` limit 20")


def _end_request() -> None:
	router = site.router_of_site()
	site.finish()
	router.share_counts()
	# The next request begins anew, as after frappe.destroy().
	del frappe.local.read_replica_state


def _call() -> None:
	_read()
	_end_request()


def _save_and_call() -> None:
	frappe.db.set_value("User", "Administrator", "bio", frappe.generate_hash(), update_modified=False)
	frappe.db.commit()
	_call()
