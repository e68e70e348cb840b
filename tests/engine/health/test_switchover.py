# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Primary and replica swap roles: what users wrote before is shown to them, and holds nobody up for long."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from read_replica.engine.health import health_check
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import Need
from read_replica.engine.shared.redis_state import impatient
from support.one_address import one_address
from support.plain import PlainHost
from support.servers import Cluster, MariaDB, cluster, free_port

from ..conftest import close, endpoint, make_router, until

SECONDS = 6


@contextmanager
def new_market() -> Iterator[Cluster]:
	with cluster(replicas=2) as running:
		running.primary.query("CREATE DATABASE shop")
		running.primary.query("CREATE TABLE shop.stock (item VARCHAR(40) PRIMARY KEY, qty INT NOT NULL)")
		running.primary.query("INSERT INTO shop.stock VALUES ('bolt', 10)")
		running.catch_up()
		yield running


@pytest.fixture
def market() -> Iterator[Cluster]:
	"""Servers of its own, as their roles are not given back."""
	with new_market() as running:
		yield running


@pytest.fixture
def market_without_log_slave_updates(monkeypatch) -> Iterator[Cluster]:
	"""A server that is promoted has an empty binary log there, and one that is demoted adds nothing to its own."""
	command = MariaDB.command
	monkeypatch.setattr(MariaDB, "command", lambda self: [*command(self), "--log-slave-updates=0"])
	with new_market() as running:
		yield running


@pytest.fixture
def before(market) -> Iterator[PlainHost]:
	"""The program while the first server is the primary."""
	host = PlainHost(market.primary.address("shop"), market.redis.client())
	host.shared.mark_incomplete(seconds_ago=3600)
	yield host
	host.current().close()


def after_it(before: PlainHost, primary: MariaDB) -> PlainHost:
	"""The program once another server is the primary; its Redis is the same."""
	host = PlainHost(primary.address("shop"), before.shared.client)
	host.shared = before.shared
	return host


def write(host, router, user: str, quantity: int) -> None:
	"""A user's request that commits."""
	host.log_in(user)
	host.current().sql("UPDATE stock SET qty = %s WHERE item = 'bolt'", (quantity,))
	host.current().commit()
	host.end_request(router)


def read(host, router, user: str) -> tuple[int, int]:
	"""The stock of bolts, and the server that told it, in a user's request."""
	host.log_in(user)
	began = time.monotonic()
	with router.read_only(Need(), "report"):
		[row] = host.current().sql("SELECT qty, @@server_id FROM stock WHERE item = 'bolt'")
	host.end_request(router)
	assert time.monotonic() - began < SECONDS
	return row


def promote(replica: MariaDB, *others: MariaDB) -> None:
	for statement in ("STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0"):
		replica.query(statement)
	for other in others:
		other.query("STOP SLAVE")
		other.follow(replica)


def demote(primary: MariaDB, to: MariaDB) -> None:
	primary.query("SET GLOBAL read_only = 1")
	primary.query("SET GLOBAL gtid_slave_pos = @@gtid_binlog_pos")
	primary.follow(to)


def test_after_a_switchover_users_see_what_they_wrote_before_and_after_it_on_replicas(market, before):
	old, (new, other) = market.primary, market.replicas
	router = make_router(before, endpoint(new), endpoint(other))
	write(before, router, "ann", 11)
	write(before, router, "bob", 12)
	market.catch_up()
	promote(new, other)
	demote(old, to=new)

	host = after_it(before, new)
	new_router = make_router(host, endpoint(old), endpoint(other))
	for user in ("ann", "bob", "ann", "bob"):
		quantity, server = read(host, new_router, user)
		assert quantity == 12 and server in (1, 3)
	for quantity in range(20, 25):
		write(host, new_router, "ann", quantity)
		assert read(host, new_router, "ann")[0] == quantity
	for server in (old, other):
		server.catch_up(new)
	assert {read(host, new_router, "ann")[1] for _ in range(30)} == {1, 3}
	assert host.logged("position_dropped") == []
	# A process that has not been told yet takes the old primary, a replica now, for the primary.
	assert read(before, router, "ann")[0] == 24
	close(router)
	close(new_router)
	host.current().close()


def test_a_write_that_was_lost_with_the_old_primary_makes_its_user_wait_once(market, before):
	old, (new, other) = market.primary, market.replicas
	router = make_router(before, endpoint(new), endpoint(other))
	write(before, router, "bob", 11)
	market.catch_up()
	for replica in market.replicas:
		replica.query("STOP SLAVE IO_THREAD")
	write(before, router, "ann", 12)
	close(router)
	before.current().close()
	old.kill()
	promote(new, other)

	host = after_it(before, new)
	new_router = make_router(host, endpoint(old), endpoint(other))
	assert read(host, new_router, "bob") == (11, 3)
	assert read(host, new_router, "ann") == (11, 2)
	assert new_router.metrics.of("primary", Reason.BEHIND) == 1
	assert [read(host, new_router, user) for user in ("ann", "bob") * 3] == [(11, 3)] * 6
	assert len(host.logged("position_dropped")) == 1
	close(new_router)
	host.current().close()


@contextmanager
def one_program(
	servers: Cluster, replica: MariaDB
) -> Iterator[tuple[PlainHost, Any, Callable[[MariaDB], None]]]:
	"""The program with an address for its primary that may lead to another server later: a VIP, a proxy, a name.

	Its router, and what moves the address. Connections that are open then stay where they are, but for the
	request's, which is a new one each time.
	"""
	with one_address(servers.primary) as address:
		reached = servers.primary.address("shop") | {"host": address.host, "port": address.port}
		host = PlainHost(reached, servers.redis.client())
		host.shared.mark_incomplete(seconds_ago=3600)
		router = make_router(host, endpoint(replica))

		def move_to(server: MariaDB) -> None:
			address.servers = [server]
			host.current().close()

		try:
			yield host, router, move_to
		finally:
			close(router)
			host.current().close()


@pytest.mark.parametrize("old_is", ["read-only", "forgotten"])
def test_once_an_address_leads_to_a_new_primary_replicas_of_the_old_one_are_late(market, monkeypatch, old_is):
	monkeypatch.setattr(health_check, "SECONDS_UNTIL_RENEWED", 10.0 if old_is == "read-only" else 3.0)
	new, still_follows_old = market.replicas
	with one_program(market, still_follows_old) as (host, router, move_to):
		read(host, router, "ann")
		until(lambda: router.health.health_check.positions.sampled_at)
		if old_is == "read-only":
			market.primary.query("SET GLOBAL read_only = 1")
		promote(new)
		move_to(new)
		moved_at = time.monotonic()
		while time.monotonic() - moved_at < 8:
			new.query("UPDATE shop.stock SET qty = qty + 1")
			[[quantity]] = new.query("SELECT qty FROM shop.stock")
			with router.read_only(Need(consistency="eventual", max_lag=2), "report"):
				[[seen]] = host.current().sql("SELECT qty FROM stock")
			host.end_request(router)
			host.current().rollback()
			if time.monotonic() - moved_at > 6:
				assert seen == quantity
			time.sleep(0.5)


def test_once_an_address_leads_to_a_new_primary_its_replicas_are_not_compared_with_the_old_one(
	market_without_log_slave_updates,
):
	old = market_without_log_slave_updates.primary
	new, other = market_without_log_slave_updates.replicas
	with one_program(market_without_log_slave_updates, other) as (host, router, move_to):
		read(host, router, "ann")
		promote(new, other)
		demote(old, to=new)
		move_to(new)

		def is_answered_by_replica() -> bool:
			new.query("UPDATE shop.stock SET qty = qty + 1")
			other.catch_up(new)
			return read(host, router, "ann")[1] == 3

		time.sleep(2)
		until(is_answered_by_replica)
		assert all(is_answered_by_replica() for _ in range(10))


@pytest.fixture
def late_program(market_without_log_slave_updates) -> Iterator[tuple[PlainHost, Any, Callable[[], None]]]:
	"""The program with a replica that stands still; its router, and a failover to a server with an empty log."""
	market = market_without_log_slave_updates
	new, late = market.replicas
	with one_program(market, late) as (host, router, move_to):
		read(host, router, "bob")
		until(lambda: router.health.health_check.positions.sampled_at)
		late.query("STOP SLAVE")

		def fail_over() -> None:
			new.catch_up(market.primary)
			promote(new)
			market.primary.kill()
			move_to(new)

		yield host, router, fail_over


def test_a_new_primary_that_has_logged_nothing_yet_is_not_taken_for_one_without_commits(late_program):
	host, router, fail_over = late_program
	write(host, router, "bob", 11)
	fail_over()
	for _ in range(4):
		with router.read_only(Need(consistency="strong"), "report"):
			assert host.current().sql("SELECT qty FROM stock") == ((11,),)
		host.end_request(router)
	host.shared.client = impatient(redis.Redis("127.0.0.1", free_port()))
	assert read(host, router, "bob") == (11, 2), "what bob has written, Redis cannot say"


def test_a_position_is_not_dropped_on_the_word_of_a_primary_that_has_logged_nothing_yet(late_program):
	host, router, fail_over = late_program
	write(host, router, "bob", 11)
	fail_over()
	assert [read(host, router, "bob") for _ in range(4)] == [(11, 2)] * 4


def test_nor_is_a_commit_whose_position_was_not_asked_for_before(late_program):
	host, router, fail_over = late_program
	host.current().sql("UPDATE stock SET qty = 11")
	host.current().commit()
	fail_over()
	assert [read(host, router, "bob") for _ in range(4)] == [(11, 2)] * 4


def test_while_an_address_leads_to_no_server_the_last_connection_to_the_primary_goes_on(market, monkeypatch):
	monkeypatch.setattr(health_check, "SECONDS_UNTIL_RENEWED", 0.5)
	nobody, replica = market.replicas
	with one_program(market, replica) as (_host, router, move_to):
		router.health.check_now()
		nobody.kill()
		move_to(nobody)
		for _ in range(4):
			time.sleep(0.6)
			router.health.check_now()
			assert router.health.verdict_of("replica02").lag < 0.5
