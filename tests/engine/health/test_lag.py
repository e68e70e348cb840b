# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Lag is measured from positions, and is true when Seconds_Behind_Master is not."""

import time

import pytest

from read_replica.engine.dialect import PRIMARY_POSITION_QUERY, Position, execute
from read_replica.engine.health.lag import MOST_SAMPLES, PositionHistory
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import Need

from ..conftest import another_process, close, endpoint, make_router, until

EVENTUAL = Need(consistency="eventual")


def answered_by(host, router, **need) -> int:
	with router.read_only(Need(**{"consistency": "eventual"} | need), "report"):
		return host.current().sql("SELECT @@server_id")[0][0]


def lags(router) -> list[float | None]:
	router.health.run_round()
	return [router.health.verdict_of(replica.name).lag for replica in router.replicas]


def test_a_replica_in_step_has_hardly_any_lag_also_while_it_is_written_to(shop, host, router):
	for _ in range(3):
		shop.primary.query("UPDATE shop.stock SET qty = qty + 1")
		assert all(lag < 0.5 for lag in lags(router))


def test_a_replica_stays_fresh_while_nothing_is_written(shop, host, router):
	lags(router)
	time.sleep(2)
	assert all(lag < 0.5 for lag in lags(router))


def test_a_user_who_may_only_select_is_enough(shop, host):
	for statement in (
		"CREATE OR REPLACE USER follower@'%' IDENTIFIED BY 'secret'",
		"GRANT SELECT ON shop.* TO follower@'%'",
	):
		shop.primary.query(statement)
	shop.catch_up()
	router = make_router(host, endpoint(shop.replicas[0], user="follower", password="secret"))
	assert answered_by(host, router, max_lag=1) == 2
	close(router)


def test_a_stopped_sql_thread_shows_as_lag_that_grows(stopped, host, router):
	lags(router)
	stopped.primary.query("UPDATE shop.stock SET qty = 11")
	time.sleep(1.2)
	[first, *_] = lags(router)
	time.sleep(0.5)
	[second, *_] = lags(router)
	assert 1 < first < second
	assert answered_by(host, router, max_lag=0.5) == 1
	assert router.metrics.of("primary", Reason.LAGGING) == 1
	assert answered_by(host, router, max_lag=600) in (2, 3)


def test_a_replica_that_has_stopped_but_misses_nothing_is_fresh(stopped, host, router):
	assert all(lag < 0.5 for lag in lags(router))
	assert answered_by(host, router, max_lag=1) in (2, 3)


def test_a_cut_network_shows_as_lag_although_the_server_reports_none(shop, host, router):
	lags(router)
	for replica in shop.replicas:
		replica.query("STOP SLAVE IO_THREAD")
	try:
		shop.primary.query("UPDATE shop.stock SET qty = 11")
		time.sleep(1.2)
		assert all(lag > 1 for lag in lags(router))
	finally:
		for replica in shop.replicas:
			replica.query("START SLAVE")


def test_a_delayed_replica_shows_its_delay(shop, host):
	replica = shop.replicas[0]
	router = make_router(host, endpoint(replica))
	for statement in ("STOP SLAVE", "CHANGE MASTER TO master_delay = 3", "START SLAVE"):
		replica.query(statement)
	try:
		lags(router)
		shop.primary.query("UPDATE shop.stock SET qty = 11")
		time.sleep(1.5)
		[lag] = lags(router)
		assert 1 < lag < 4
		assert answered_by(host, router, max_lag=1) == 1
		until(lambda: answered_by(host, router, max_lag=1) == 2)
	finally:
		for statement in ("STOP SLAVE", "CHANGE MASTER TO master_delay = 0", "START SLAVE"):
			replica.query(statement)
		close(router)


def test_lag_of_more_than_the_sites_limit_is_logged_once(stopped, host):
	router = make_router(host, *[endpoint(r) for r in stopped.replicas], defaults=LIMITED)
	lags(router)
	stopped.primary.query("UPDATE shop.stock SET qty = 11")
	time.sleep(0.6)
	for _ in range(3):
		lags(router)
	assert sorted(event["replica"] for event in host.logged("lagging")) == ["replica01", "replica02"]
	close(router)


LIMITED = Need(max_lag=0.4, consistency="eventual", timeout=300, on_unavailable="primary", on_write="primary")


def test_a_pool_may_have_a_limit_of_its_own(stopped, host):
	first, second = stopped.replicas
	router = make_router(
		host,
		endpoint(first, pool="reports"),
		endpoint(second),
		defaults=LIMITED,
		max_lag_of_pool=(("reports", 600.0),),
	)
	lags(router)
	stopped.primary.query("UPDATE shop.stock SET qty = 11")
	time.sleep(0.6)
	lags(router)
	assert answered_by(host, router) == 1
	assert answered_by(host, router, pool="reports") in (2, 3)
	assert answered_by(host, router, pool="reports", max_lag=0.1) == 1
	close(router)


def test_a_server_that_follows_nobody_is_not_used(shop, host):
	router = make_router(host, endpoint(shop.primary, name="itself"))
	assert answered_by(host, router) == 1
	assert router.metrics.of("primary", Reason.LAGGING) == 1
	close(router)


def test_a_scope_says_how_fresh_its_data_is(shop, host, router):
	shop.catch_up()
	before = time.time()
	router.health.run_round()
	position = Position(shop.primary.query("SELECT @@gtid_binlog_pos")[0][0])
	with router.read_only(EVENTUAL, "report") as scope:
		assert before <= scope.as_of.time <= time.time()
		assert scope.as_of.position.covers(position)
	assert host.state().as_of == scope.as_of


def test_a_stale_scope_says_so(stopped, host, router):
	lags(router)
	time.sleep(0.3)
	stopped.primary.query("UPDATE shop.stock SET qty = 11")
	written_at = time.time()
	time.sleep(0.3)
	lags(router)
	with router.read_only(EVENTUAL, "report") as scope:
		assert scope.as_of.time < written_at


def test_all_queries_of_a_scope_see_one_snapshot(shop, host, router):
	def quantity() -> int:
		return host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'")[0][0]

	for _ in range(2):
		with router.read_only(EVENTUAL, "report"):
			first = quantity()
			shop.primary.query("UPDATE shop.stock SET qty = qty + 1")
			shop.catch_up()
			assert quantity() == first
	with router.read_only(EVENTUAL, "report"):
		assert quantity() == 12


@pytest.mark.parametrize(
	("has", "wanted", "covers"),
	[
		("0-1-100", "0-1-100", True),
		("0-2-101", "0-1-100", True),
		("0-1-99", "0-1-100", False),
		("0-1-100,1-1-5", "1-1-5", True),
		("0-1-100", "0-1-1,1-1-5", False),
		("0-1-100", "", True),
		("", "0-1-1", False),
	],
)
def test_a_position_covers_another_if_it_has_come_as_far_in_each_domain(has, wanted, covers):
	assert Position(has).covers(Position(wanted)) is covers


def test_joined_positions_cover_both():
	one, other = Position("0-1-100,1-1-5"), Position("0-2-99,2-1-1")
	both = one.joined(other)
	assert both.covers(one) and both.covers(other)
	assert str(both) == "0-1-100,1-1-5,2-1-1"


@pytest.mark.parametrize("text", ["0-1", "0-1-x", "binlog.000001:4"])
def test_what_is_no_position_is_refused(text):
	with pytest.raises(ValueError):
		Position(text)


def test_a_long_history_forgets_details_and_never_makes_a_replica_fresher():
	positions = PositionHistory()
	for number in range(1, 1001):
		positions.sample(Position(f"0-1-{number}"), at=float(number))
	assert len(positions.samples) <= MOST_SAMPLES
	for number in range(1, 1001):
		as_of = positions.as_of(Position(f"0-1-{number}"))
		assert as_of is None or as_of <= number
	assert positions.as_of(Position("0-1-1000")) == 1000


def test_samples_of_a_primary_that_was_set_back_are_forgotten():
	positions = PositionHistory()
	positions.sample(Position("0-1-100"), at=1.0)
	positions.sample(Position("0-2-90"), at=2.0)
	assert positions.as_of(Position("0-1-95")) == 2.0
	assert positions.as_of(Position("0-1-80")) is None


def test_samples_of_a_clock_that_was_set_back_are_forgotten():
	positions = PositionHistory()
	positions.sample(Position("0-1-1"), 1000.0)
	positions.sample(Position("0-1-2"), 1010.0)
	positions.sample(Position("0-1-2"), 500.0)
	assert positions.as_of(Position("0-1-1")) is None
	assert positions.as_of(Position("0-1-2")) == 500.0


def test_the_time_of_the_primary_is_none_that_summer_time_changes(shop, host):
	for zone in ("+00:00", "+02:00"):
		shop.primary.query("SET GLOBAL time_zone = %s", (zone,))
		with shop.primary.admin() as connection:
			_, at = execute(connection, PRIMARY_POSITION_QUERY)
		assert abs(float(at) - time.time()) < 5
	shop.primary.query("SET GLOBAL time_zone = 'SYSTEM'")


@pytest.fixture
def strange(shop):
	"""A replica that seems to have much more than the primary: it has followed another one."""
	replica = shop.replicas[0]
	replica.query("STOP SLAVE")
	[[before]] = replica.query("SELECT @@gtid_slave_pos")
	replica.query("SET GLOBAL gtid_slave_pos = '0-1-999999999'")
	yield replica
	replica.query(f"SET GLOBAL gtid_slave_pos = '{before}'")
	replica.query("START SLAVE")
	shop.catch_up()


def test_a_replica_that_is_ahead_of_the_primary_follows_another_one_and_is_not_used(strange, shop, host):
	router = make_router(host, endpoint(strange))
	assert lags(router) == [None]
	assert answered_by(host, router, max_lag=10**6) == 1
	[event] = host.logged("lagging")
	assert event["error"] == "it has transactions that the primary does not have"
	close(router)


def test_a_replica_that_is_ahead_of_the_last_question_alone_is_fresh(shop, host, router, monkeypatch):
	"""Under load it has what was committed since the primary was asked."""
	ask = router.health.health_check._ask_primary
	asked = []

	def ask_and_commit():
		asked.append(answer := ask())
		shop.primary.query("UPDATE shop.stock SET qty = qty + 1")
		shop.catch_up()
		return answer

	monkeypatch.setattr(router.health.health_check, "_ask_primary", ask_and_commit)
	assert all(lag is not None and lag < 0.5 for lag in lags(router))
	assert len(asked) == 2


def test_a_server_whose_clock_is_wrong_measures_the_same_lag(stopped, host, router, monkeypatch):
	lags(router)
	stopped.primary.query("UPDATE shop.stock SET qty = 11")
	time.sleep(1)
	other = another_process(host, stopped)
	their_router = make_router(other, *[endpoint(replica) for replica in stopped.replicas])
	router.health.run_round()
	router.health.release()
	now = time.time
	monkeypatch.setattr(time, "time", lambda: now() - 1000)
	their_router.health.refresh()
	time.sleep(0.5)
	assert all(1 < lag < 5 for lag in lags(their_router))
	close(their_router)


def test_a_verdict_is_as_old_as_it_was_when_it_was_read(stopped, host, router):
	lags(router)
	time.sleep(1)
	other = another_process(host, stopped)
	their_router = make_router(other, *[endpoint(replica) for replica in stopped.replicas])
	their_router.health.refresh()
	assert their_router.health.age >= 1
	close(their_router)
