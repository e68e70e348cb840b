# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""An hour of lag for the desk, kept by the process that checks the replicas."""

import json
import time

import pytest

from read_replica.engine.health import lag_samples
from read_replica.engine.shared import lag_history

from ..conftest import close, endpoint, make_router, until


def rows(router) -> list:
	return router.host.shared.load_lags(router.health.fleet)


def test_a_process_at_work_keeps_the_lag_of_each_replica(shop, router):
	router._watchdog.notice_call()
	until(lambda: rows(router))
	[row] = rows(router)
	assert set(row.seconds) == {"replica01", "replica02"}
	assert all(0 <= seconds < 5 for seconds in row.seconds.values())
	assert abs(time.time() - row.at) < 10


def test_a_replica_that_is_down_has_no_lag(shop, router, revived):
	shop.replicas[0].kill()
	router._watchdog.notice_call()
	until(lambda: rows(router))
	until(lambda: rows(router)[-1].seconds["replica01"] is None)
	assert rows(router)[-1].seconds["replica02"] is not None


def test_no_more_is_kept_than_a_row_every_fifteen_seconds(shop, router):
	router._watchdog.notice_call()
	until(lambda: rows(router))
	rounds = router.health.health_check.rounds
	until(lambda: router.health.health_check.rounds > rounds + 2)
	assert len(rows(router)) == 1


def test_a_command_that_looks_once_keeps_nothing(shop, host):
	router = make_router(host, *[endpoint(replica) for replica in shop.replicas])
	router.health.check_now()
	assert rows(router) == [] and host.shared.load_processes() == []
	close(router)


@pytest.fixture
def often(monkeypatch):
	monkeypatch.setattr(lag_samples, "SECONDS_BETWEEN_LAGS", 0)
	monkeypatch.setattr(lag_history, "MOST_ROWS", 3)


def test_the_history_is_bounded(shop, often, router):
	for _ in range(5):
		router.health.run_round()
	assert len(rows(router)) == 3


def test_what_is_older_than_an_hour_is_not_shown(shop, router):
	router.health.run_round()
	key = router.host.shared._key(f"lags|{router.health.fleet}")
	shop.redis.client().lpush(key, json.dumps([time.time() - 3601, {"replica01": 9}]))
	assert [row.seconds.get("replica01") == 9 for row in rows(router)] == [False]
	assert 0 < shop.redis.client().ttl(key) <= lag_history.SECONDS_LAGS_ARE_KEPT


def test_without_redis_there_is_no_history_and_checks_go_on(shop, router):
	shop.redis.freeze()
	try:
		router.health.run_round()
		assert rows(router) == [] and router.health.age < 5
	finally:
		shop.redis.thaw()
