# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import frappe
import pytest

from read_replica.jobs import annotations, rules, tick
from support.bench import ADMIN_PASSWORD, SITE, Sites
from support.browser import Browser
from support.frappe_request import connect, connected, disconnect
from support.servers import Cluster, MariaDB, cluster, run
from support.trouble import standing_still
from support.waiting import until

SAMPLE_APP = Path(__file__).parents[1] / "support" / "sample_app"
T = TypeVar("T")

REPLICAS = (2, 3)
CLERK = "clerk@example.com"
QUEUES = ("short", "default", "long")


@pytest.fixture(scope="session")
def servers() -> Iterator[Cluster]:
	with cluster(replicas=2, tls=True) as running:
		yield running


@pytest.fixture(scope="session")
def sites(servers: Cluster) -> Iterator[Sites]:
	sys.path.append(str(SAMPLE_APP))
	os.environ["PYTHONPATH"] = os.pathsep.join((os.environ.get("PYTHONPATH", ""), str(SAMPLE_APP)))
	with tempfile.TemporaryDirectory(prefix="rr-sites-") as folder:
		made = Sites(Path(folder), servers, apps=("frappe", "read_replica", "sample_app"))
		before = Path.cwd()
		os.chdir(made.path)
		made.new_site()
		made.bench("--site", SITE, "install-app", "read_replica")
		made.bench("--site", SITE, "install-app", "sample_app")
		with connected():
			user = {"doctype": "User", "email": CLERK, "first_name": "Clerk", "send_welcome_email": 0}
			frappe.get_doc(user | {"roles": [{"role": "System Manager"}]}).insert()
			frappe.db.commit()
		servers.catch_up()
		yield made
		os.chdir(before)


def full_form(servers: Cluster, **changes) -> dict:
	replicas = [{"name": r.folder.name, "host": r.host, "port": r.port} for r in servers.replicas]
	return {"replicas": replicas} | changes


@pytest.fixture
def configured(sites: Sites, servers: Cluster) -> Iterator[Sites]:
	"""The site in the full form of the configuration, in step with its replicas."""
	before = sites.config()
	sites.configure(read_replica=full_form(servers))
	servers.catch_up()
	in_another_worker(as_after_an_hour)
	yield sites
	sites.write_config(before)


@pytest.fixture
def site(configured: Sites) -> Iterator[Sites]:
	"""The same, with a connection, as a request has it."""
	connect()
	yield configured
	forget_writers()
	disconnect()


@pytest.fixture
def browser(configured: Sites) -> Iterator[Browser]:
	"""The browser of the Administrator."""
	browser = Browser(SITE)
	browser.log_in("Administrator", ADMIN_PASSWORD)
	yield browser
	browser.close()
	in_another_worker(forget_writers)


@pytest.fixture
def stale(servers: Cluster) -> Iterator[Cluster]:
	"""The replicas have stopped applying what the primary commits."""
	with standing_still(servers):
		yield servers


@pytest.fixture
def due(site):
	"""Both jobs of the sample app are due, nothing waits in the queues, and no rule stands."""
	from frappe.utils.background_jobs import get_queue, get_redis_conn

	for queue in QUEUES:
		get_queue(queue).empty()
	# Workers of earlier tests that were killed are known for some minutes.
	get_redis_conn().delete("rq:workers")
	frappe.db.delete("Scheduler Config")
	frappe.db.delete("Scheduled Run")
	frappe.db.delete("Scheduled Job Log")
	# On a site that nobody uses, core schedules once a day.
	frappe.get_doc({"doctype": "Activity Log", "subject": "of the tests"}).insert()
	for doctype in ("Job Server", "Job Takeover", "Job Worker"):
		frappe.db.delete(doctype)
	annotations.forget()
	frappe.db.sql("update `tabScheduled Job Type` set last_execution = '2020-01-01', creation = '2020-01-01'")
	frappe.db.commit()
	rules.forget_rules()
	tick._counted_at.clear()
	yield site
	frappe.db.rollback()
	frappe.db.delete("Scheduler Config")
	frappe.db.commit()
	rules.forget_rules()
	for queue in QUEUES:
		get_queue(queue).empty()


def in_another_worker(function: Callable[..., T], *args, site: str = SITE) -> T:
	"""Run a function with a connection of its own, as another worker of the site would."""

	def work() -> T:
		with connected(site):
			return function(*args)

	with ThreadPoolExecutor(1) as worker:
		return worker.submit(work).result(timeout=120)


def as_after_an_hour() -> None:
	"""Let all that users have written be known for an hour, as on a site that is not new."""
	from read_replica.database.host import shared_of_site
	from read_replica.site import router_of_site

	shared_of_site().mark_incomplete(seconds_ago=3600)
	if router := router_of_site():
		router.health.check_now()


def forget_writers() -> None:
	from read_replica.database.host import shared_of_site
	from read_replica.site import router_of_site

	shared_of_site().forget()
	if router := router_of_site():
		router.writers.__init__(router.host)


def forget_examination() -> None:
	"""Let nobody have asked for the doctor in the desk yet."""
	from read_replica.database.host import shared_of_site
	from read_replica.watch import examination

	shared = shared_of_site()
	with shared._redis() as client:
		client.delete(shared._key(f"text|{examination.NAME}"))


def server_id() -> int:
	return frappe.db.sql("select @@server_id")[0][0]


@contextlib.contextmanager
def overheard(*servers: MariaDB) -> Iterator[Callable[[], str]]:
	"""Hands out a function that returns, one to a line, the statements that these servers got so far."""
	for server in servers:
		with server.admin() as connection:
			# Outside the binary log: a replica with a transaction of its own stops replicating.
			run(connection, "SET SESSION sql_log_bin = 0")
			run(connection, "TRUNCATE TABLE mysql.general_log")
			run(connection, "SET GLOBAL log_output = 'TABLE', GLOBAL general_log = 1")

	def heard() -> str:
		return "\n".join(
			str(row[0])
			for server in servers
			for row in server.query("SELECT argument FROM mysql.general_log WHERE command_type = 'Query'")
		)

	try:
		yield heard
	finally:
		for server in servers:
			server.query("SET GLOBAL general_log = 0")
