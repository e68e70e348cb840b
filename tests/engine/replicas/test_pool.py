# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Connections are reused, never shared by two threads, never carried over a fork, and given up in time."""

import contextlib
import gc
import os
import signal
import socket
import threading
import time
import traceback
from collections import Counter

import psutil
import pymysql
import pytest

from read_replica.engine import dialect
from read_replica.engine.dialect import Position
from read_replica.engine.health.health_check import SECONDS_UNTIL_RENEWED
from read_replica.engine.settings import Need

from ..conftest import close, endpoint, make_router


class TimeLimit(Exception):
	"""A job's, as RQ raises it from a signal's handler, wherever the job is."""


def connection_id(host) -> int:
	return host.current().sql("SELECT CONNECTION_ID()")[0][0]


def test_a_connection_is_used_by_one_thread_at_a_time(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]), connections_per_replica=4)
	in_use: Counter = Counter()
	shared = []
	failures = []

	def work() -> None:
		try:
			for _ in range(50):
				with router.read_only(Need(), "report") as scope:
					if scope is None:
						continue  # all four were in use: the primary answered
					connection = connection_id(host)
					in_use[connection] += 1
					shared.append(in_use[connection] > 1)
					host.current().sql("SELECT COUNT(*) FROM stock")
					in_use[connection] -= 1
			host.current().close()
		except Exception:
			failures.append(traceback.format_exc())

	threads = [threading.Thread(target=work) for _ in range(8)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join(60)
	assert not failures, failures[0]
	assert len(shared) > 100 and not any(shared)
	assert router.replicas[0].pool.lent == 0
	assert router.replicas[0].pool.idle <= 4
	close(router)


def in_a_child(work) -> None:
	"""Run `work` in a forked process; fails if it raises there."""
	child = os.fork()
	if not child:
		try:
			work()
		except BaseException:
			traceback.print_exc()
			os._exit(1)
		os._exit(0)
	assert os.waitpid(child, 0)[1] == 0


def test_a_forked_worker_opens_its_own_connections_and_leaves_its_parents_alone(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]))
	with router.read_only(Need(), "report"):
		before = connection_id(host)
	host.current().close()

	def work() -> None:
		with router.read_only(Need(), "report"):
			assert connection_id(host) != before
		host.current().close()
		close(router)
		gc.collect()

	for _ in range(3):
		in_a_child(work)
	with router.read_only(Need(), "report"):
		assert connection_id(host) == before
	close(router)


def test_a_fork_inside_a_scope_leaves_the_parents_scope_intact(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]))
	host.current().close()

	def work() -> None:
		router.close(host.state().frames[0])
		with router.read_only(Need(), "report"):
			assert host.current().sql("SELECT @@server_id") == ((2,),)
		host.current().close()
		close(router)

	with router.read_only(Need(), "report"):
		before = connection_id(host)
		in_a_child(work)
		assert connection_id(host) == before
	close(router)


def test_a_fork_while_another_thread_holds_the_pools_lock_does_not_hang_the_child(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]))
	with router.read_only(Need(), "report"):
		connection_id(host)
	host.current().close()
	stop = threading.Event()

	def busy() -> None:
		while not stop.is_set():
			with router.read_only(Need(), "report"):
				pass
		host.current().close()

	thread = threading.Thread(target=busy)
	thread.start()
	try:
		for _ in range(20):

			def work() -> None:
				with router.read_only(Need(), "report"):
					assert host.current().sql("SELECT @@server_id") == ((2,),)
				router.selector.failed(router.replicas[0], ConnectionError())

			in_a_child(work)
	finally:
		stop.set()
		thread.join(10)
	close(router)


def test_a_connection_is_given_up_when_it_is_old(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]), connection_max_age=0.01)
	seen = set()
	for _ in range(3):
		with router.read_only(Need(), "report"):
			seen.add(connection_id(host))
		threading.Event().wait(0.05)
	assert len(seen) == 3
	close(router)


def test_a_connection_comes_back_without_an_open_snapshot(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]))
	for expected in (3, 4, 5):
		with router.read_only(Need(), "report"):
			assert host.current().sql("SELECT COUNT(*) FROM stock") == ((expected,),)
		shop.primary.query("INSERT INTO shop.stock VALUES (%s, 1)", (f"item{expected}",))
		shop.catch_up()
	close(router)


def test_a_connection_lent_while_idle_ones_were_closed_is_closed_when_it_comes_back(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]))
	with router.read_only(Need(), "report") as scope:
		connection = scope.database.connection
		router.replicas[0].pool.close_idle()
		assert connection.open
	assert not connection.open
	close(router)


def test_an_interrupted_statement_costs_its_connection(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]))

	class Interrupted(BaseException):
		"""What a worker's time limit raises, anywhere."""

	with router.read_only(Need(), "report") as scope:
		before = connection_id(host)
		try:
			scope.run("SELECT 1", lambda: raise_(Interrupted()), lambda: None)
		except Interrupted:
			pass
	with router.read_only(Need(), "report"):
		assert connection_id(host) != before
	close(router)


def raise_(error: BaseException) -> None:
	raise error


def test_ten_thousand_calls_leave_no_connection_and_no_memory_behind(shop, host, router):
	me = psutil.Process()

	def run(times: int) -> int:
		for _ in range(times):
			with router.read_only(Need(), "report"):
				host.current().sql("SELECT 1")
		gc.collect()
		return me.memory_info().rss

	before = run(2000)
	opened, began = host.connections_opened, time.monotonic()
	after = run(10_000)
	# That of the health check to the primary is renewed now and then.
	renewed = 1 + (time.monotonic() - began) / SECONDS_UNTIL_RENEWED
	assert host.connections_opened - opened <= renewed
	assert all(replica.pool.lent == 0 for replica in router.replicas)
	assert after - before < 2 * 1024 * 1024


def test_a_connection_whose_user_was_interrupted_is_not_lent_again(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]))
	pool = router.replicas[0].pool
	lease = pool.lend()
	dialect.send(lease.connection, "SELECT 42")
	del lease
	gc.collect()
	assert pool.lent == 0
	lease = pool.lend()
	assert dialect.execute(lease.connection, "SELECT 43") == (43,)
	lease.give_back()
	close(router)


@pytest.fixture
def time_limit():
	"""In half a second, this thread is told that its time is up."""

	def strike(*_):
		raise TimeLimit

	before = signal.signal(signal.SIGALRM, strike)
	signal.setitimer(signal.ITIMER_REAL, 0.5)
	yield
	signal.setitimer(signal.ITIMER_REAL, 0)
	signal.signal(signal.SIGALRM, before)


def test_a_time_limit_that_strikes_during_the_wait_for_a_position_is_not_swallowed(stopped, host, time_limit):
	router = make_router(host, *[endpoint(replica) for replica in stopped.replicas], wait=10)
	host.shared.keep_position({"clerk"}, Position("0-1-999999999"))
	with pytest.raises(TimeLimit), router.read_only(Need(), "report"):
		raise AssertionError("the position was not waited for")
	assert not any(replica.breaker.is_open for replica in router.replicas)
	assert all(replica.pool.lent == 0 for replica in router.replicas)
	with router.read_only(Need(consistency="eventual"), "report"):
		assert host.current().sql("SELECT @@server_id")[0][0] in (2, 3)
	close(router)


def test_a_time_limit_that_strikes_while_a_connection_is_opened_is_not_swallowed(
	revived, host, router, time_limit
):
	for replica in revived.replicas:
		replica.freeze()
	with pytest.raises(TimeLimit), router.read_only(Need(consistency="eventual"), "report"):
		raise AssertionError("no connection was opened")
	assert not any(replica.breaker.is_open for replica in router.replicas)


def test_a_time_limit_that_strikes_in_a_statement_reaches_the_job(shop, host, router, time_limit):
	with pytest.raises(TimeLimit), router.read_only(Need(), "report"):
		host.current().sql("SELECT SLEEP(10)")
	with router.read_only(Need(), "report"):
		assert host.current().sql("SELECT 43") == ((43,),)


def test_the_kernel_gives_up_a_connection_that_a_firewall_has_dropped(shop, host, router):
	with router.read_only(Need(), "report") as scope:
		with socket.socket(fileno=os.dup(scope._lease.connection._sock.fileno())) as opened:
			assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
			assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000


def rollbacks(server) -> int:
	return int(server.query("SHOW GLOBAL STATUS LIKE 'Com_rollback'")[0][1])


def test_a_call_that_reads_nothing_sends_its_replica_nothing(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]))
	with router.read_only(Need(), "report"):
		host.current().sql("SELECT 1")
	with router.read_only(Need(), "report"):
		"""The end of the transaction before is waited for here."""
	before = rollbacks(shop.replicas[0])
	for _ in range(20):
		with router.read_only(Need(), "report") as scope:
			assert scope
	assert rollbacks(shop.replicas[0]) == before
	for _ in range(20):
		with router.read_only(Need(), "report"):
			host.current().sql("SELECT 1")
	with router.read_only(Need(), "report"):
		assert rollbacks(shop.replicas[0]) >= before + 20
	close(router)


def test_a_snapshot_that_was_opened_on_the_raw_connection_is_not_left_to_the_next_call(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]))
	for quantity in (41, 42):
		with router.read_only(Need(), "report"):
			with host.current().connection.cursor() as cursor:
				cursor.execute("SELECT qty FROM stock WHERE item = 'bolt'")
				[(found,)] = cursor.fetchall()
		assert found != quantity
		shop.primary.query(f"UPDATE shop.stock SET qty = {quantity} WHERE item = 'bolt'")
		shop.catch_up()
		with router.read_only(Need(), "report"):
			assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((quantity,),)
	close(router)


@pytest.mark.parametrize(
	"statement",
	[
		"INSERT INTO stock VALUES ('washer', 1)",
		"SELECT missing FROM stock",
		"SELECT * FROM stock WHERE item = (SELECT item FROM stock)",
	],
)
def test_a_statement_that_the_replica_refuses_leaves_no_lock_to_the_pool(shop, host, statement):
	router = make_router(host, endpoint(shop.replicas[0]))
	with router.read_only(Need(), "report"), contextlib.suppress(pymysql.Error):
		host.current().sql(statement)
	host.current().rollback()
	shop.primary.query("ALTER TABLE shop.stock COMMENT = 'locked by nobody'")
	shop.replicas[0].catch_up(shop.primary, timeout=5)
	close(router)


@pytest.mark.parametrize(
	"last",
	[
		"SELECT missing FROM stock",
		"SELECT * FROM missing",
		"INSERT INTO stock VALUES ('washer', 1)",
		"SELECT SLEEP(2)",
	],
)
def test_a_snapshot_does_not_outlive_a_call_whose_last_statement_has_failed(shop, host, last):
	router = make_router(host, endpoint(shop.replicas[0]))
	read = "SELECT qty FROM stock WHERE item = 'bolt'"
	need = Need(timeout=1)
	with contextlib.suppress(pymysql.Error), router.read_only(need, "report"):
		assert host.current().sql(read) == ((10,),)
		host.current().sql(last)
	host.current().rollback()
	shop.primary.query("UPDATE shop.stock SET qty = 41 WHERE item = 'bolt'")
	shop.catch_up()
	with router.read_only(need, "another") as scope:
		assert scope
		assert host.current().sql(read) == ((41,),)
	close(router)
