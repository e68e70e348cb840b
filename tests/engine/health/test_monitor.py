# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Who looks at the replicas, how often, and what is made of it."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pymysql
import pytest
import redis

from read_replica.engine.health import health_check, monitor, watchdog
from read_replica.engine.settings import Need
from read_replica.engine.shared.redis_state import impatient
from support.plain import PlainHost
from support.processes import Processes
from support.servers import Cluster, MariaDB, free_port, run

from ..conftest import another_process, close, endpoint, make_router, until

SECONDS = 6
EVENTUAL = Need(consistency="eventual")


def answered_by(host, router) -> int:
	with router.read_only(EVENTUAL, "report"):
		return host.current().sql("SELECT @@server_id")[0][0]


def judgement_of(router, name: str) -> str:
	return router.health.judge(router.health.verdict_of(name), 30)


@contextmanager
def probes_of(servers: list[MariaDB]) -> Iterator[Callable[[], list[int]]]:
	"""Hands out a function that tells how often each of these servers was asked how it is."""
	for server in servers:
		with server.admin() as connection:
			# Outside the binary log: a replica with a transaction of its own stops replicating.
			run(connection, "SET SESSION sql_log_bin = 0")
			run(connection, "TRUNCATE TABLE mysql.general_log")
			run(connection, "SET GLOBAL log_output = 'TABLE', GLOBAL general_log = 1")

	def count() -> list[int]:
		question = (
			"SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE 'SELECT @@gtid_slave_pos, @@global%'"
		)
		return [server.query(question)[0][0] for server in servers]

	try:
		yield count
	finally:
		for server in servers:
			server.query("SET GLOBAL general_log = 0")


def site_of(shop: Cluster, name: str) -> PlainHost:
	"""What a process of the site has; to be made in that process."""
	host = PlainHost(shop.primary.address("shop"), redis.Redis(shop.redis.host, shop.redis.port))
	host.shared._prefix = name
	return host


def workers(shop: Cluster, name: str, count: int, seconds: float) -> Processes:
	"""Processes of one site that begin in the same moment, know nothing, and call for so many seconds."""
	begin = multiprocessing.get_context("fork").Barrier(count)

	def work(number: int, report) -> None:
		host = site_of(shop, name)
		router = make_router(host, *[endpoint(replica) for replica in shop.replicas])
		begin.wait(20)
		until_then = time.monotonic() + seconds
		while time.monotonic() < until_then:
			report.counts["by a replica" if answered_by(host, router) != 1 else "by the primary"] += 1
			time.sleep(0.01)
		report.counts["rounds"] += router.health.health_check.rounds
		report.counts["probers"] += router.health.is_prober
		close(router)

	return Processes(count, work, seconds=40)


def test_each_replica_is_asked_once_a_second_however_many_processes_there_are(shop):
	with probes_of(shop.replicas) as probes, workers(shop, "many", count=6, seconds=3) as processes:
		report = processes.report()
		asked = probes()
	assert not report.complaints, report.complaints
	assert report.counts["probers"] == 1
	assert report.counts["by a replica"] > 100 and report.counts["by the primary"] == 0
	assert all(2 <= times <= 5 for times in asked), asked


def test_processes_that_begin_together_share_the_first_look_too(shop):
	with probes_of(shop.replicas) as probes, workers(shop, "cold", count=6, seconds=0.2) as processes:
		report = processes.report()
		asked = probes()
	assert not report.complaints, report.complaints
	assert report.counts["by the primary"] == 0
	assert all(1 <= times <= 3 for times in asked), asked


@pytest.fixture
def two(shop, host) -> Iterator[list]:
	"""A host and a router each of two processes."""
	pair = []
	for its_host in (host, another_process(host, shop)):
		pair.append((its_host, make_router(its_host, *[endpoint(replica) for replica in shop.replicas])))
	yield pair
	for _, router in pair:
		close(router)


def call_all(pair: list) -> list[int]:
	return [answered_by(host, router) for host, router in pair]


def test_when_the_process_that_looks_is_gone_another_looks(two):
	until(lambda: call_all(two) and any(router.health.is_prober for _, router in two))
	[prober] = [router for _, router in two if router.health.is_prober]
	[(host, other)] = [(host, router) for host, router in two if router is not prober]
	# As if it were killed: it takes no leave.
	release, prober.health.release = prober.health.release, lambda: None
	close(prober)
	until(lambda: answered_by(host, other) in (2, 3) and other.health.is_prober, seconds=SECONDS)
	assert answered_by(host, other) in (2, 3)
	release()


def test_without_redis_each_process_looks_for_itself(two, host):
	host.shared.client = impatient(redis.Redis("127.0.0.1", free_port()))
	assert all(server in (2, 3) for server in call_all(two))
	until(lambda: call_all(two) and all(router.health.is_prober for _, router in two))
	assert all(router.health.health_check.rounds for _, router in two)


def test_no_call_waits_for_a_look_while_a_verdict_is_at_hand(revived, host, monkeypatch):
	"""A look at a replica that hangs takes as long as it is told to wait; calls go on meanwhile."""
	first, second = revived.replicas
	router = make_router(host, endpoint(first), endpoint(second, pool="reports"))
	assert answered_by(host, router) == 2
	monkeypatch.setattr(health_check, "SECONDS_TO_ANSWER", 3.0)
	second.freeze()
	until(lambda: router.health.health_check.probes["replica02"].silent_for > 0.2)
	took = []
	while router.health.health_check.probes["replica02"].silent_for < 2:
		began = time.monotonic()
		assert answered_by(host, router) == 2
		took.append(time.monotonic() - began)
	assert len(took) > 20 and max(took) < 1.5
	close(router)


def looks_good(router) -> bool:
	router.health.check_now()
	return judgement_of(router, "replica01") == "good"


def test_a_look_that_got_no_answer_in_time_is_never_good_news(revived, two):
	(_, first), (_, second) = two
	first.health.check_if_unknown()
	assert judgement_of(first, "replica01") == "good"
	revived.replicas[0].freeze()
	first.health.run_round()
	assert judgement_of(first, "replica01") == "down"
	assert first.health.verdict_of("replica01").error == "no answer"
	assert judgement_of(first, "replica02") == "good"
	second.health.run_round()
	assert judgement_of(second, "replica01") == "down", "the others are told"


def test_a_verdict_that_nobody_renews_is_not_believed_for_long(shop, host, router, monkeypatch):
	until(lambda: looks_good(router))
	close(router)
	monkeypatch.setattr(monitor, "SECONDS_A_VERDICT_HOLDS", 0.5)
	until(lambda: judgement_of(router, "replica01") == "unknown")
	# Calls look for themselves.
	until(lambda: answered_by(host, router) in (2, 3), seconds=SECONDS)
	router.health.release()


def test_a_router_that_is_stopped_before_its_first_call_leaves_no_connection_behind(shop, host):
	[replica, _] = shop.replicas
	until(lambda: connections_of(replica) == 1)
	router = make_router(host, endpoint(replica))
	router.health.check_if_unknown()
	assert connections_of(replica) == 2
	close(router)
	until(lambda: connections_of(replica) == 1)


@pytest.fixture
def full(shop, host) -> Iterator[tuple]:
	"""A router whose only replica has no room for another connection, and what makes room."""
	replica = shop.replicas[0]
	# The probes of routers that were stopped a moment ago give their places back.
	until(lambda: connections_of(replica) == 1)
	router = make_router(host, endpoint(replica))
	assert answered_by(host, router) == 2
	router.replicas[0].pool.close_idle()
	# The probe's, and the one that asks.
	until(lambda: connections_of(replica) == 2)
	replica.query("SET GLOBAL max_connections = 10")
	hogs: list = []
	until(lambda: not take_place(replica, hogs))
	refused_before = refused(hogs[0])

	def make_room() -> None:
		while hogs:
			hogs.pop().close()

	yield router, lambda: refused(hogs[0]) - refused_before, make_room
	make_room()
	close(router)
	replica.query("SET GLOBAL max_connections = 400")


def connections_of(server: MariaDB) -> int:
	"""How many programs are connected, with the one that asks."""
	return server.query("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'root'")[0][0]


def take_place(server: MariaDB, hogs: list) -> bool:
	"""Take one more place; False if there is none."""
	try:
		hogs.append(server.admin())
	except pymysql.err.OperationalError:
		return False
	return True


def refused(connection: pymysql.Connection) -> int:
	return int(run(connection, "SHOW GLOBAL STATUS LIKE 'Connection_errors_max_connections'")[0][1])


def test_a_replica_that_fails_is_tried_by_one_call_after_a_pause(host, full):
	router, refused, _ = full
	over = threading.Event()
	answers = []

	def work() -> None:
		while not over.is_set():
			answers.append(answered_by(host, router))
			time.sleep(0.005)
		host.current().close()

	threads = [threading.Thread(target=work) for _ in range(4)]
	for thread in threads:
		thread.start()
	time.sleep(2)
	over.set()
	for thread in threads:
		thread.join(10)
	assert set(answers) == {1} and len(answers) > 100
	assert judgement_of(router, "replica01") == "good", "who is connected already gets answers"
	# At first each thread may try, and then one of them after a second.
	assert 2 <= refused() <= 5


def test_calls_that_fail_together_close_a_replica_for_no_longer_than_one(host, full):
	router, refused, make_room = full
	together = threading.Barrier(8)
	answers = []

	def work() -> None:
		together.wait(10)
		answers.append(answered_by(host, router))
		host.current().close()

	threads = [threading.Thread(target=work) for _ in range(8)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join(10)
	assert answers == [1] * 8
	assert refused() > 1, "several have tried"
	make_room()
	until(lambda: answered_by(host, router) == 2, seconds=SECONDS)
