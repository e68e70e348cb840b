# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a tick of the scheduler costs on a site with 500 jobs: with runs that are claimed, and core's own."""

import random
from collections.abc import Callable

import frappe
import redis
from frappe.model import document
from frappe.utils import get_bench_id
from frappe.utils.scheduler import enqueue_events_for_site
from rq import Worker

from benchmarks.compare import Comparison, timed
from benchmarks.results import Figure
from support.bench import SITE
from support.servers import Cluster

QUESTION = "A tick of the scheduler, with 500 jobs on the site"
OF = "x core's"
JOBS = 500
ROUNDS = 15
TARGET = 1.05


def measure(servers: Cluster, database: str) -> list[Figure]:
	"""On a site that is not connected; `database` is its database's name."""
	from read_replica import scheduler_split
	from read_replica.core.patching import core_function

	scheduler_split.install()
	_make_jobs(servers, database)
	_register_workers(servers)
	# What makes the class of a document.
	ways = {"core": core_function(document, "get_controller"), "ours": document.get_controller}
	return [
		_figure("no job is due", _compare(servers, database, ways, due=0)),
		_figure("ten jobs are due", _compare(servers, database, ways, due=10)),
		_figure("all jobs are due", _compare(servers, database, ways, due=JOBS)),
	]


def _figure(name: str, found: Comparison) -> Figure:
	measured = {f"{way}, ms": found.seconds(way) * 1e3 for way in ("core", "ours")}
	return Figure(QUESTION, name, found.ratio("ours", "core"), OF, TARGET, measured)


def _compare(servers: Cluster, database: str, ways: dict[str, Callable], due: int) -> Comparison:
	medians: dict[str, list[float]] = {way: [] for way in ways}
	for number in range(ROUNDS + 1):
		for way in random.sample(list(ways), len(ways)):
			_be_due(servers, database, due)
			document.get_controller = ways[way]
			seconds = timed(lambda: enqueue_events_for_site(SITE))
			_check(servers, due)
			# The first one fills what each process keeps.
			if number:
				medians[way].append(seconds)
	return Comparison(medians)


def _make_jobs(servers: Cluster, database: str) -> None:
	with servers.primary.admin(database) as connection, connection.cursor() as cursor:
		cursor.execute("update `tabSingles` set value = 1 where field = 'enable_scheduler'")
		# On a site that nobody uses, core schedules once a day.
		cursor.execute(
			"insert ignore into `tabActivity Log` (name, creation, modified) values (1, now(), now())"
		)
		cursor.execute("delete from `tabScheduled Job Type`")
		cursor.executemany(
			"insert into `tabScheduled Job Type` (name, creation, modified, method, frequency, stopped, create_log)"
			" values (%s, now(), now(), %s, 'Daily', 0, 1)",
			[(f"jobs.job_{number}", f"some_app.some_module.jobs.job_{number}") for number in range(JOBS)],
		)


def _register_workers(servers: Cluster) -> None:
	"""As many workers as a small bench has, for the tick to look at."""
	for _ in range(4):
		names = [f"{get_bench_id()}:{queue}" for queue in ("short", "default", "long")]
		Worker(names, connection=redis.Redis(port=servers.redis.port)).register_birth()


def _be_due(servers: Cluster, database: str, count: int) -> None:
	"""So many jobs are due, and no queue holds any."""
	with servers.primary.admin(database) as connection, connection.cursor() as cursor:
		cursor.execute("delete from `tabScheduled Run`")
		# A job that is not due was not executed since the tick before, and is not due in any time zone.
		cursor.execute("update `tabScheduled Job Type` set last_execution = curdate() + interval 2 day")
		cursor.execute(
			"update `tabScheduled Job Type` set last_execution = '2020-01-01' order by name limit %s",
			(count,),
		)
	client = servers.redis.client()
	for pattern in ("rq:queue:*", "rq:job:*"):
		for key in client.scan_iter(match=pattern, count=1000):
			client.delete(key)


def _check(servers: Cluster, due: int) -> None:
	put = sum(servers.redis.client().llen(key) for key in servers.redis.client().keys("rq:queue:*"))
	if put != due:
		raise RuntimeError(f"{put} jobs were put into queues, where {due} were due")
