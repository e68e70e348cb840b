# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A call does not wait for what will not come in time, and waits where it will."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from read_replica.engine.dialect import Position
from read_replica.engine.metrics import PRIMARY
from read_replica.engine.reasons import Reason
from read_replica.engine.selector import Search
from read_replica.engine.settings import DEFAULTS, Need
from support.trouble import standing_still

from ..conftest import close, endpoint, make_router, until

SESSION = Need(consistency="session")


@pytest.fixture
def router(shop, host):
	"""One replica, which all depends on, and a process that keeps looking."""
	router = make_router(host, endpoint(shop.replicas[0]))
	router.health.check_if_unknown()
	yield router
	close(router)


@pytest.fixture(params=[10, 2])
def late(request, shop):
	"""The replica is that many seconds late."""
	[replica, _] = shop.replicas
	_delay(replica, request.param)
	yield replica
	_delay(replica, 0)
	shop.catch_up()


def _delay(replica, seconds: int) -> None:
	replica.query("STOP SLAVE")
	replica.query(f"CHANGE MASTER TO master_delay = {seconds}")
	replica.query("START SLAVE")


def save(host, router, quantity: int) -> None:
	host.current().sql("UPDATE stock SET qty = %s WHERE item = 'bolt'", (quantity,))
	host.current().commit()
	host.end_request(router)


def list_shows(host, router) -> int:
	with router.read_only(SESSION, "list"):
		[[quantity]] = host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'")
	host.end_request(router)
	return quantity


def waits_of(replica) -> int:
	"""How often the replica was asked to wait for a position by a call, beside the looks at its health."""
	[[count]] = replica.query(
		"SELECT count(*) FROM mysql.general_log WHERE argument LIKE 'SELECT MASTER_GTID_WAIT(%'"
	)
	return count


@pytest.fixture
def overheard(shop):
	[replica, _] = shop.replicas
	with replica.admin() as connection, connection.cursor() as cursor:
		cursor.execute("SET SESSION sql_log_bin = 0")
		cursor.execute("TRUNCATE TABLE mysql.general_log")
	replica.query("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = 1")
	yield replica
	replica.query("SET GLOBAL general_log = 0")


def test_calls_after_a_save_do_not_wait_for_a_late_replica_again_and_again(late, overheard, host, router):
	for number in range(20):
		save(host, router, number)
		assert list_shows(host, router) == number
		time.sleep(0.2)
	assert waits_of(overheard) <= 2
	assert router.metrics.of(PRIMARY, Reason.BEHIND) + router.metrics.of(PRIMARY, Reason.LAGGING) == 20


def open_a_connection(host, router) -> None:
	"""Let a call open a connection, and wait until the next verdict is sure to be of the server as it is there."""
	assert list_shows(host, router) == 10
	time.sleep(3)


def test_calls_that_follow_one_save_wait_once(shop, overheard, host, router):
	open_a_connection(host, router)
	overheard.query("STOP SLAVE SQL_THREAD")
	save(host, router, 1)
	try:
		assert [list_shows(host, router) for _ in range(10)] == [1] * 10
	finally:
		overheard.query("START SLAVE SQL_THREAD")
	assert waits_of(overheard) == 1
	assert router.metrics.of(PRIMARY, Reason.BEHIND) == 10


def test_a_replica_that_is_known_to_have_what_was_saved_is_not_asked_to_wait_for_it(
	shop, overheard, host, router
):
	open_a_connection(host, router)
	save(host, router, 1)
	shop.catch_up()
	before = waits_of(overheard)
	router.health.run_round()
	assert [list_shows(host, router) for _ in range(10)] == [1] * 10
	assert waits_of(overheard) == before
	assert router.metrics.of(overheard.folder.name, Reason.REPLICA) == 11


def test_a_replica_that_has_caught_up_answers_again_soon(shop, host, router):
	[replica, _] = shop.replicas
	replica.query("STOP SLAVE SQL_THREAD")
	save(host, router, 1)
	assert list_shows(host, router) == 1
	replica.query("START SLAVE SQL_THREAD")
	before = router.metrics.of(replica.folder.name, Reason.REPLICA)

	def answers() -> bool:
		assert list_shows(host, router) == 1
		return router.metrics.of(replica.folder.name, Reason.REPLICA) > before

	until(answers, 4)


def test_a_replica_in_step_is_waited_for_after_each_save(shop, host, router):
	[replica, _] = shop.replicas
	for number in range(20):
		save(host, router, number)
		assert list_shows(host, router) == number
	assert router.metrics.of(replica.folder.name, Reason.REPLICA) >= 18


def test_the_connection_to_a_replica_that_was_late_is_kept_for_the_next_calls(shop, host):
	[replica, _] = shop.replicas
	router = make_router(host, endpoint(replica), connections_per_replica=1)
	router.health.check_if_unknown()

	def answered_by() -> tuple[int, int]:
		with router.read_only(SESSION, "list"):
			[answer] = host.current().sql("SELECT @@server_id, CONNECTION_ID()")
		host.end_request(router)
		return answer

	before = answered_by()
	replica.query("STOP SLAVE SQL_THREAD")
	try:
		save(host, router, 1)
		on_primary = answered_by()
	finally:
		replica.query("START SLAVE SQL_THREAD")
	until(lambda: answered_by() != on_primary, 10)
	assert before[0] != on_primary[0] and answered_by() == before
	close(router)


def test_the_replica_that_has_what_was_saved_is_tried_before_the_one_that_has_not(shop, overheard, host):
	"""The first of the two has not: it is not even waited for."""
	router = make_router(host, *map(endpoint, shop.replicas), wait=10)
	router.health.check_if_unknown()
	overheard.query("STOP SLAVE SQL_THREAD")
	try:
		for number in range(10):
			save(host, router, number)
			shop.replicas[1].catch_up(shop.primary)
			router.health.check_now()
			assert list_shows(host, router) == number
	finally:
		overheard.query("START SLAVE SQL_THREAD")
		close(router)
	assert waits_of(overheard) == 0
	assert router.metrics.of(shop.replicas[1].folder.name, Reason.REPLICA) == 10


@pytest.mark.parametrize(("kill", "opens"), [("KILL QUERY", False), ("KILL", True)])
def test_a_wait_that_is_ended_from_outside_leaves_the_answer_to_the_primary(shop, host, kill, opens):
	"""Whoever ends the query finds the replica in use afterwards; a lost connection opens its circuit breaker."""
	[replica, _] = shop.replicas
	# Long enough to be found waiting, also on a busy machine.
	router = make_router(host, endpoint(replica), wait=20)
	router.health.check_if_unknown()

	def end_the_wait() -> None:
		waiting = (
			"SELECT id FROM information_schema.processlist"
			" WHERE info LIKE 'SELECT MASTER_GTID_WAIT(%' AND id != CONNECTION_ID()"
		)
		until(lambda: replica.query(waiting))
		[[id]] = replica.query(waiting)
		replica.query(f"{kill} {id}")

	replica.query("STOP SLAVE SQL_THREAD")
	try:
		save(host, router, 1)
		with ThreadPoolExecutor(1) as threads:
			killing = threads.submit(end_the_wait)
			assert list_shows(host, router) == 1
			killing.result()
	finally:
		replica.query("START SLAVE SQL_THREAD")
		close(router)
	assert host.logged("position_timeout") == [], "it was not over by itself"
	assert router.metrics.of(PRIMARY, Reason.BEHIND) == 1
	assert router.replicas[0].breaker.is_open is opens


def test_each_wait_is_taken_from_the_seconds_that_a_call_may_still_wait_and_remembered(shop, host, router):
	selector, [readers] = router.selector, router.replicas
	verdict, lease = router.health.verdict_of(readers.name), readers.lend(10)
	with standing_still(shop):
		save(host, router, 1)
		[[reached]] = shop.primary.query("SELECT @@gtid_binlog_pos")
		search = Search(DEFAULTS, Position(reached), host.current(), float("inf"), patience=50.0)
		answer = selector._ask(readers, lease, search, 0.3)
		assert 30 < search.patience <= 49.7
		assert selector._waits.is_hopeless(replace(answer, lag=0), search.position, 50), (
			"it has failed a moment ago"
		)
		search.patience = 0.3
		assert not selector._reaches(readers, lease, verdict, search)
		assert -20 < search.patience <= 0
	lease.give_back()
