# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Primary and replica swap roles: what users wrote before is shown to them, and holds nobody up for long."""

import time
from collections.abc import Iterator

import pytest

from read_replica.engine.choice import Reason
from read_replica.engine.settings import Need
from support.plain import PlainHost
from support.servers import Cluster, MariaDB, cluster

from .conftest import close, endpoint, make_router

SECONDS = 6


@pytest.fixture
def market() -> Iterator[Cluster]:
	"""Servers of its own, as their roles are not given back."""
	with cluster(replicas=2) as running:
		running.primary.query("CREATE DATABASE shop")
		running.primary.query("CREATE TABLE shop.stock (item VARCHAR(40) PRIMARY KEY, qty INT NOT NULL)")
		running.primary.query("INSERT INTO shop.stock VALUES ('bolt', 10)")
		running.catch_up()
		yield running


@pytest.fixture
def before(market) -> Iterator[PlainHost]:
	"""The program while the first server is the primary."""
	host = PlainHost(market.primary.address("shop"), market.redis.client())
	host.shared.begin_anew(seconds_ago=3600)
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
