# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A replica that is lost when no other server can go on: the caller is told to try again."""

import time
from collections.abc import Iterator

import pytest
from pymysql.cursors import SSCursor

from read_replica.engine.errors import ReplicaLost, ReplicaUnavailable
from read_replica.engine.settings import Need
from support.plain import PlainHost, RoutedPlainDatabase

from .conftest import close, endpoint, make_router


def server_id(host) -> int:
	return host.current().sql("SELECT @@server_id")[0][0]


def answered_by(host, router) -> int:
	with router.read_only(Need(), "report"):
		return server_id(host)


class StreamingDatabase(RoutedPlainDatabase):
	"""Hands out rows while the server still sends them, as Frappe's `as_iterator` does."""

	def each(self, statement: str) -> Iterator[tuple]:
		cursor = self.connection.cursor(SSCursor)
		self._scope.run(statement, lambda: cursor.execute(statement), lambda: None)
		try:
			yield from cursor
		except Exception as error:
			self._scope.lost_while_reading(error)
			raise


class StreamingHost(PlainHost):
	def wrap(self, scope, connection) -> StreamingDatabase:
		return StreamingDatabase(scope, connection)


@pytest.fixture
def streaming(shop) -> Iterator[StreamingHost]:
	host = StreamingHost(shop.primary.address("shop"), shop.redis.client())
	host.shared.mark_incomplete(seconds_ago=3600)
	yield host
	host.current().close()


def assert_asks_to_try_again(error: ReplicaLost, replica: str) -> None:
	assert error.http_status_code == 503
	assert error.replica == replica and replica not in str(error), "anybody may get to see the message"
	for part in ("report", "Please try again"):
		assert part in str(error)


def test_a_replica_lost_after_it_gave_some_rows_is_told_as_an_error_to_try_again_after(shop, streaming):
	router = make_router(streaming, endpoint(shop.replicas[0]))
	seen = []
	with pytest.raises(ReplicaLost) as raised, router.read_only(Need(), "report"):
		[[connection]] = streaming.current().sql("SELECT CONNECTION_ID()")
		for row in streaming.current().each("SELECT seq, REPEAT('x', 1000) FROM seq_1_to_1000000"):
			if not seen:
				shop.replicas[0].query(f"KILL {connection}")
			seen.append(row)
	assert 0 < len(seen) < 1_000_000
	assert_asks_to_try_again(raised.value, "replica01")
	assert router.replicas[0].pool.lent == 0
	assert answered_by(streaming, router) == 2
	close(router)


def test_a_query_that_needs_what_the_lost_connection_held_is_not_run_without_it(shop, host, router):
	with pytest.raises(ReplicaLost) as raised, router.read_only(Need(), "report") as scope:
		name, number = scope.replica.name, server_id(host)
		[[connection]] = host.current().sql("SELECT CONNECTION_ID()")
		host.current().sql("SET @least = 20")
		shop.replicas[number - 2].query(f"KILL {connection}")
		query = "SELECT COUNT(*) FROM stock WHERE qty >= @least"
		with pytest.raises(ReplicaLost):
			host.current().sql(query)
		host.current().sql(query)
	assert_asks_to_try_again(raised.value, name)
	assert server_id(host) == 1
	assert all(replica.pool.lent == 0 for replica in router.replicas)


def test_a_call_that_may_only_run_on_a_replica_never_moves_to_the_primary(revived, host):
	router = make_router(host, endpoint(revived.replicas[0]))
	with (
		pytest.raises(ReplicaUnavailable) as raised,
		router.read_only(Need(on_unavailable="error"), "report"),
	):
		revived.replicas[0].kill()
		server_id(host)
	assert raised.value.replicas == ["replica01"] and "replica01" not in str(raised.value)
	assert answered_by(host, router) == 1
	close(router)


def test_a_call_that_may_only_run_on_a_replica_gets_no_second_snapshot(shop, host, router):
	with (
		pytest.raises(ReplicaUnavailable),
		router.read_only(Need(on_unavailable="error"), "report") as scope,
	):
		[[number, connection]] = host.current().sql("SELECT @@server_id, CONNECTION_ID()")
		shop.replicas[number - 2].query(f"KILL {connection}")
		assert scope.statements == 1, "the next one is the second"
		server_id(host)
	assert server_id(host) == 1


def test_a_replica_that_has_lost_what_it_had_and_is_back_is_not_believed_to_have_it(shop, host):
	"""It crashed, and what it had not synced is gone; the last verdict is of the time before."""
	[replica, _] = shop.replicas
	router = make_router(host, endpoint(replica), wait=0)
	[[before]] = replica.query("SELECT @@gtid_slave_pos")
	host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
	host.current().commit()
	shop.catch_up()
	assert answered_by(host, router) == 2
	host.end_request(router)
	router.health.check_now()
	replica.query("STOP SLAVE")
	replica.query("RESET MASTER")
	replica.query(f"SET GLOBAL gtid_slave_pos = '{before}'")
	try:
		router.replicas[0].pool.close_idle()
		assert answered_by(host, router) == 1
	finally:
		replica.query("START SLAVE")
		shop.catch_up()
		close(router)


@pytest.mark.parametrize(
	("opened_ago", "verdict_age", "may_have"),
	[(0.5, 0, True), (1.4, 0, True), (1.6, 0, False), (1.6, 1, True), (2.4, 1, True), (2.6, 1, False)],
)
def test_only_a_server_that_has_kept_a_connection_since_before_its_verdict_was_true_has_not_restarted(
	shop, host, opened_ago, verdict_age, may_have
):
	"""A verdict may be 1.5 s old when another process reads it."""
	router = make_router(host, endpoint(shop.replicas[0]))
	router.health.check_now()
	lease = router.replicas[0].lend(10)
	router.stop()
	now = time.monotonic()
	lease.opened_at, router.health._updated_at = now - opened_ago, now - verdict_age
	assert router.selector._may_have_restarted(lease) is may_have
	lease.throw_away()
