# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A process that lives for years keeps no more the longer it lives, whatever names it has met."""

import contextlib
import gc
import time
from collections import Counter

import pymysql
import pytest

from read_replica.engine import events, metrics
from read_replica.engine import router as routers
from read_replica.engine.dialect import Position
from read_replica.engine.health import failed_waits, lag, probe
from read_replica.engine.health.verdict import Verdict
from read_replica.engine.reasons import Reason
from read_replica.engine.replicas import circuit_breaker
from read_replica.engine.settings import Need
from read_replica.engine.shared import shared_state
from read_replica.engine.sticking import session
from support.waiting import until

from .conftest import close, endpoint, make_router

MANY = 20_000


def without_redis(host) -> None:
	host.shared._left_alone_until = time.monotonic() + 3600


def test_methods_that_cannot_be_shared_are_counted_under_no_name_once_they_are_too_many(host, router):
	without_redis(host)
	for number in range(MANY):
		router.metrics.count("replica", Reason.REPLICA, f"method_{number}")
		router.metrics.took("replica", Reason.REPLICA, f"method_{number}", 1.0)
		if number % 1000 == 0:
			router.share_counts()
	assert len(router.metrics._unshared) <= metrics.MOST_UNSHARED + 1
	taken = router.metrics.take_unshared()
	assert sum(count for count, _ in taken.values()) == MANY
	assert sum(seconds for _, seconds in taken.values()) == MANY


def test_what_users_have_written_while_redis_is_down_is_kept_for_so_many_of_them(host, router, monkeypatch):
	monkeypatch.setattr(session, "MOST_UNKEPT", 20)
	host.shared.mark_incomplete(seconds_ago=3600)
	without_redis(host)
	for number in range(50):
		host.log_in(f"user{number}")
		host.current().sql("UPDATE stock SET qty = qty + 1 WHERE item = 'bolt'")
		host.current().commit()
		host.end_request(router)
	assert len(router.session.unkept) == 20
	# For the others it is known since when nothing is known of them.
	host.shared._left_alone_until = 0
	router.share_counts()
	until(lambda: host.shared.position_of("user49") is not None)
	assert host.shared.position_of("user49").known_for < 10


def test_lines_that_are_held_back_are_not_kept_for_ever(router):
	for number in range(MANY):
		for _ in range(2):
			router.events.log_throttled("fallback", reason="behind", method=f"method_{number}")
	assert len(router.events._due) <= events.MOST_KEPT + 1
	assert len(router.events._held_back) <= events.MOST_KEPT + 1


def test_needs_that_are_worked_out_anew_for_each_call_are_not_kept_for_ever(host, router):
	for number in range(MANY):
		router._complete(Need(max_lag=number / 1000), timeout_at_least=0)
	assert len(router._needs) <= routers.MOST_NEEDS


def test_servers_that_have_come_and_gone_behind_an_address_are_not_kept_for_ever():
	known = failed_waits.FailedWaits()
	for number in range(MANY):
		known.failed(_verdict(f"server{number}"), Position("0-1-5"))
	assert len(known._failures) <= failed_waits.MOST_FAILED_WAITS
	assert known.is_hopeless(_verdict(f"server{MANY - 1}"), Position("0-1-5"), 1.0)


def _verdict(server: str) -> Verdict:
	return Verdict(name="replica", state="up", server=server, lag=0.0)


def test_of_methods_that_have_written_the_last_thousand_are_kept(host):
	for number in range(1200):
		host.shared.add_writer(f"method_{number}", time.time() + 3600 + number)
	kept = host.shared.load_writers()
	assert len(kept) == shared_state.MOST_WRITERS == 1000
	assert "method_1199" in kept and "method_0" not in kept
	host.shared.clear_writers()


def test_of_the_tables_that_methods_have_written_a_bounded_number_is_kept(host):
	for number in range(2 * shared_state.MOST_WRITERS + 10):
		host.shared.add_writer(f"method_{number}", time.time() + 3600 + number, "stock")
	assert 0 < len(host.shared.load_written_tables()) <= 2 * shared_state.MOST_WRITERS
	host.shared.clear_writers("method_2009")
	assert "method_2009" not in host.shared.load_written_tables()
	host.shared.clear_writers()
	assert host.shared.load_written_tables() == {}


def lose_connections(replica, call) -> None:
	for [connection] in replica.query("SELECT id FROM information_schema.processlist WHERE user = 'root'"):
		with contextlib.suppress(pymysql.MySQLError):
			replica.query(f"KILL {connection}")


def crash(replica, call) -> None:
	replica.kill()
	assert call() != replica.port
	replica.start()


@pytest.mark.parametrize(("trouble", "times"), [(lose_connections, 20), (crash, 10)])
def test_what_befalls_replicas_leaves_no_object_behind(revived, host, monkeypatch, trouble, times):
	# How the positions of a minute are remembered is tested elsewhere; here it would take a minute to fill.
	monkeypatch.setattr(lag, "MOST_SAMPLES", 4)
	# A replica that is back is asked, and tried, at once.
	monkeypatch.setattr(probe, "SECONDS_BETWEEN_TRIES", 0.05)
	monkeypatch.setattr(circuit_breaker, "FIRST_PAUSE", 0.05)
	replica = revived.replicas[0]
	router = make_router(host, endpoint(replica))

	def call() -> int:
		"""Return the port of the server that has answered."""
		with router.read_only(Need(), "report"):
			[[port]] = host.current().sql("SELECT @@port")
		host.end_request(router)
		return port

	def is_back() -> bool:
		router.health.check_now()
		return call() == replica.port

	def befall(times: int) -> Counter:
		for _ in range(times):
			trouble(replica, call)
			until(is_back)
		host.events.clear()
		gc.collect()
		return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())

	try:
		until(is_back)
		first, second, third = (befall(times) for _ in range(3))
	finally:
		close(router)
	# A thread that is at work at one of these times has some objects more, but not twice. And some that each trouble
	# leaves behind may be made up for by others that have gone.
	more_each_time = (second - first) & (third - second)
	assert not {kind: count for kind, count in more_each_time.items() if count > times // 2}
