# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A replica that is down, dies or is full costs a call nothing but another server."""

import threading

import pymysql
import pytest
import redis

from read_replica.engine.errors import ReplicaUnavailable
from read_replica.engine.reasons import Reason
from read_replica.engine.replicas.circuit_breaker import CircuitBreaker
from read_replica.engine.settings import Need
from read_replica.engine.shared.redis_state import impatient
from support.servers import free_port

from .conftest import close, endpoint, make_router, until


def server_id(host) -> int:
	return host.current().sql("SELECT @@server_id")[0][0]


def call(host, router, need: Need | None = None, method: str = "report") -> int:
	with router.read_only(need or Need(), method):
		return server_id(host)


def test_a_replica_that_refuses_is_passed_over_for_the_next(revived, host, router):
	revived.replicas[0].kill()
	assert [call(host, router) for _ in range(20)] == [3] * 20
	[event] = host.logged("replica_down")
	assert event["replica"] == "replica01" and "root" not in event["error"]


def test_with_all_replicas_down_the_primary_answers_and_each_call_is_counted(revived, host, router):
	for replica in revived.replicas:
		replica.kill()
	assert [call(host, router) for _ in range(10)] == [1] * 10
	assert router.metrics.of("primary", Reason.NO_REPLICA) == 10
	assert len(host.logged("replica_down")) == 2, "once per outage, not once per call"


def test_a_replica_is_used_again_after_its_outage_which_is_logged_once(revived, host):
	first = revived.replicas[0]
	router = make_router(host, endpoint(first))
	assert call(host, router) == 2
	first.kill()
	assert [call(host, router) for _ in range(20)] == [1] * 20
	first.start()
	until(lambda: call(host, router) == 2)
	outage = [name for name, _ in host.events if name in ("replica_down", "replica_back")]
	assert outage == ["replica_down", "replica_back"]
	close(router)


def test_a_restarted_replica_answers_at_once_although_its_old_connections_are_dead(revived, host):
	first = revived.replicas[0]
	router = make_router(host, endpoint(first))
	assert call(host, router) == 2
	# Nobody looks at it meanwhile.
	router._watchdog.stop()
	first.kill()
	first.start()
	assert call(host, router) == 2
	assert host.logged("replica_down") == []
	close(router)


def test_a_connection_killed_in_the_middle_of_a_scope_is_replaced(shop, host, router):
	with router.read_only(Need(), "report") as scope:
		before = server_id(host)
		replica = shop.replicas[before - 2]
		[[connection]] = host.current().sql("SELECT CONNECTION_ID()")
		replica.query(f"KILL {connection}")
		assert server_id(host) in (2, 3)
		assert host.current().sql("SELECT COUNT(*) FROM stock") == ((3,),)
		assert not scope.pinned
	assert router.metrics.of(f"replica{before - 1:02}", Reason.LOST) == 1
	assert all(replica.pool.lent == 0 for replica in router.replicas)


def test_a_query_whose_connection_is_killed_while_it_runs_is_run_again(shop, host, router):
	answers = []

	def report() -> None:
		with router.read_only(Need(), "report"):
			answers.append(host.current().sql("SELECT SLEEP(1), @@server_id, COUNT(*) FROM stock")[0])
		host.current().close()

	thread = threading.Thread(target=report)
	thread.start()
	[connection, killed] = wait_for_query(shop.replicas, "SLEEP")
	killed.query(f"KILL {connection}")
	thread.join(30)
	# SLEEP gives 0 where nothing cut it short.
	[[interrupted, answered_by, count]] = answers
	assert (interrupted, count) == (0, 3) and answered_by in (2, 3)
	assert router.metrics.of(f"replica{killed.server_id - 1:02}", Reason.LOST) == 1


def wait_for_query(replicas, text: str) -> tuple:
	for _ in range(200):
		for replica in replicas:
			rows = replica.query(
				"SELECT id FROM information_schema.processlist WHERE info LIKE %s AND id <> CONNECTION_ID()",
				(f"%{text}%",),
			)
			if rows:
				return rows[0][0], replica
		threading.Event().wait(0.02)
	raise AssertionError(f"no server runs {text}")


def test_a_replica_killed_while_a_query_runs_leaves_the_answer_to_another(revived, host, router):
	answers = []

	def report() -> None:
		with router.read_only(Need(), "report"):
			answers.append(host.current().sql("SELECT SLEEP(1), @@server_id")[0][1])
		host.current().close()

	thread = threading.Thread(target=report)
	thread.start()
	_, replica = wait_for_query(revived.replicas, "SLEEP")
	replica.kill()
	thread.join(30)
	assert answers == [5 - replica.server_id]


def test_the_last_replica_lost_in_a_scope_leaves_the_rest_to_the_primary(revived, host):
	router = make_router(host, endpoint(revived.replicas[0]))
	with router.read_only(Need(), "report") as scope:
		assert server_id(host) == 2
		revived.replicas[0].kill()
		assert [server_id(host) for _ in range(3)] == [1, 1, 1]
		assert scope.pinned
	assert "report" not in router.writers, "it has not written"
	close(router)


def test_on_unavailable_error_raises_one_that_names_the_method_and_tells_no_stranger_the_replicas(
	revived, host, router
):
	for replica in revived.replicas:
		replica.kill()
	primary = host.current()
	with pytest.raises(ReplicaUnavailable) as raised:
		call(host, router, Need(on_unavailable="error"), "shop.report")
	assert raised.value.http_status_code == 503
	for part in ("shop.report", "Try again later"):
		assert part in str(raised.value)
	assert sorted(raised.value.replicas) == ["replica01", "replica02"]
	assert "replica0" not in str(raised.value)
	assert host.current() is primary


def test_a_wrong_password_is_an_outage_of_that_replica_alone(shop, host):
	first, second = shop.replicas
	router = make_router(host, endpoint(first, user="root", password="wrong"), endpoint(second))
	assert [call(host, router) for _ in range(10)] == [3] * 10
	[event] = host.logged("replica_down")
	assert "1045" in event["error"] and "wrong" not in str(event)
	close(router)


def test_other_processes_are_told_when_an_outage_begins_and_ends_and_at_no_other_time(shop, host):
	"""While it goes on, one of them tries; once a try went well, all may."""
	router = make_router(host, endpoint(shop.replicas[0]))
	[replica] = router.replicas
	gone = pymysql.err.OperationalError(2003, "Can't connect")

	def may_try() -> list[bool]:
		return [host.shared.may_try(replica.name, 60) for _ in range(2)]

	router.selector.recovered(replica)
	assert may_try() == [True, False], "nothing was told, as it has not failed"
	router.selector.failed(replica, gone)
	router.selector.recovered(replica)
	assert may_try() == [True, True]
	router.selector.failed(replica, gone)
	assert may_try() == [True, False]
	# Another process's try goes well, and after that a call of this one fails that began before.
	host.shared.note_try(replica.name, went_well=True)
	router.selector.failed(replica, gone)
	assert may_try() == [True, True], "nothing was told, as it had failed already"
	close(router)


class JobTimeout(Exception):
	"""Stands for what ends a job from outside while it waits for a server."""


@pytest.mark.parametrize(
	("error", "is_outage"),
	[
		(pymysql.err.OperationalError(2013, "Lost connection"), True),
		(pymysql.err.OperationalError(1969, "max_statement_time exceeded"), False),
	],
)
def test_an_error_while_it_waits_is_an_outage_only_if_the_connection_is_lost(shop, host, error, is_outage):
	router = make_router(host, endpoint(shop.replicas[0]))
	[replica] = router.replicas
	lease, another = replica.lend(10), replica.lend(10)
	connections = [lease.connection, another.connection]
	router.selector._throw_away(replica, lease, error)
	assert replica.breaker.is_open is is_outage
	with pytest.raises(JobTimeout):
		router.selector._throw_away(replica, another, JobTimeout())
	assert replica.breaker.is_open is is_outage
	assert not [connection for connection in connections if connection.open], "they may be in any state"
	close(router)


def test_an_exhausted_pool_sends_the_call_elsewhere_and_is_no_outage(shop, host):
	router = make_router(host, endpoint(shop.replicas[0]), connections_per_replica=1)
	with router.read_only(Need(consistency="eventual"), "outer"):
		assert server_id(host) == 2
		with router.read_only(Need(consistency="session"), "inner"):
			assert server_id(host) == 1
	assert host.logged("pool_exhausted") == [{"replica": "replica01", "size": 1, "times": 1}]
	assert host.logged("replica_down") == []
	close(router)


def test_too_many_connections_on_the_replica_send_the_call_elsewhere(shop, host):
	replica = shop.replicas[0]
	replica.query("SET GLOBAL max_connections = 10")
	hogs = []
	try:
		# Root has one place more than the rest.
		for _ in range(20):
			try:
				hogs.append(replica.admin())
			except pymysql.err.OperationalError:
				break
		router = make_router(host, endpoint(replica), endpoint(shop.replicas[1]))
		assert [call(host, router) for _ in range(5)] == [3] * 5
		close(router)
	finally:
		for hog in hogs:
			hog.close()
		replica.query("SET GLOBAL max_connections = 400")


def test_an_address_where_nobody_listens_costs_no_more_than_the_connect_timeout(shop, host):
	router = make_router(host, endpoint(shop.replicas[0], port=free_port()))
	assert call(host, router) == 1
	close(router)


class Clock:
	def __init__(self):
		self.now = 100.0

	def __call__(self) -> float:
		return self.now


def test_a_breaker_doubles_its_pause_to_thirty_seconds_and_lets_one_caller_try():
	clock = Clock()
	breaker = CircuitBreaker(clock=clock)
	assert breaker.allows() and not breaker.is_open
	pauses = []
	for expected in (1, 2, 4, 8, 16, 30, 30):
		breaker.failed()
		assert breaker.is_open and not breaker.allows()
		clock.now += expected * 0.99
		assert not breaker.allows(), "jitter only makes it longer"
		clock.now += expected * 0.22
		assert breaker.allows()
		assert not breaker.allows(), "the half-open try belongs to one caller"
		pauses.append(expected)
	assert breaker.succeeded() == "closed"
	assert breaker.allows() and breaker.succeeded() == "still_closed"
	assert breaker.failed() == "opened" and breaker.failed() == "still_open"


def test_one_process_of_a_site_tries_a_replica_that_has_failed_and_the_others_follow_once_it_went_well(host):
	now = [0.0]
	shared = host.shared
	breakers = [
		CircuitBreaker(lambda seconds: shared.may_try("replica01", seconds), clock=lambda: now[0])
		for _ in range(3)
	]
	for breaker in breakers:
		assert breaker.failed() == "opened"
	now[0] = 1.3
	assert [breaker.allows() for breaker in breakers] == [True, False, False]
	now[0] = 1.4
	assert [breaker.allows() for breaker in breakers] == [False, False, False]
	breakers[0].succeeded()
	shared.note_try("replica01", went_well=True)
	now[0] = 2.4
	assert [breaker.allows() for breaker in breakers] == [True, True, True]
	shared.note_try("replica01", went_well=False)
	assert shared.may_try("replica01", 1) and not shared.may_try("replica01", 1)


def test_without_redis_each_process_tries_a_replica_that_has_failed(host):
	host.shared.client = impatient(redis.Redis("127.0.0.1", free_port()))
	assert host.shared.may_try("replica01", 1) and host.shared.may_try("replica01", 1)
