# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from read_replica.engine.router import Router
from read_replica.engine.settings import Endpoint, Settings
from support.plain import PlainHost
from support.servers import Cluster, MariaDB, cluster
from support.trouble import standing_still
from support.waiting import until


@pytest.fixture(scope="session")
def servers() -> Iterator[Cluster]:
	with cluster(replicas=2) as running:
		# What a failed test has left open must not hold up the next one that changes a table.
		running.primary.query("SET GLOBAL idle_transaction_timeout = 30, GLOBAL lock_wait_timeout = 60")
		running.primary.query("CREATE DATABASE shop")
		running.primary.query("CREATE TABLE shop.stock (item VARCHAR(40) PRIMARY KEY, qty INT NOT NULL)")
		running.primary.query("CREATE TABLE shop.log (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(99))")
		running.primary.query("CREATE TABLE shop.`__UserSettings` (user VARCHAR(40) PRIMARY KEY, data TEXT)")
		running.catch_up()
		yield running


@pytest.fixture
def shop(servers: Cluster) -> Cluster:
	"""The servers with three items in stock, in step, whatever an earlier test has left behind."""
	for server in (servers.primary, *servers.replicas):
		if not server.is_running:
			server.start()
		server.thaw()
	for replica in servers.replicas:
		replica.query("START SLAVE")
	for table in ("stock", "log", "`__UserSettings`"):
		servers.primary.query(f"DELETE FROM shop.{table}")
	servers.primary.query("INSERT INTO shop.stock VALUES ('bolt', 10), ('nut', 20), ('screw', 30)")
	servers.catch_up()
	return servers


def endpoint(server: MariaDB, **changes) -> Endpoint:
	return replace(Endpoint(name=server.folder.name, host=server.host, port=server.port), **changes)


@pytest.fixture
def host(shop: Cluster) -> Iterator[PlainHost]:
	host = PlainHost(shop.primary.address("shop"), shop.redis.client())
	# As on a site that has been running for a while.
	host.shared.mark_incomplete(seconds_ago=3600)
	yield host
	host.current().close()


@pytest.fixture
def router(shop: Cluster, host: PlainHost) -> Iterator[Router]:
	router = make_router(host, *[endpoint(replica) for replica in shop.replicas])
	# As in a process that has been at work for a while.
	router.health.check_if_unknown()
	yield router
	close(router)


def make_router(host: PlainHost, *endpoints: Endpoint, **changes) -> Router:
	return Router(replace(Settings(replicas=endpoints), **changes), host)


@pytest.fixture
def revived(shop: Cluster) -> Iterator[Cluster]:
	"""The servers; those that a test has killed or frozen are at work again afterwards."""
	yield shop
	for replica in shop.replicas:
		if replica.is_running:
			replica.thaw()
		else:
			replica.start()
		replica.query("SET GLOBAL read_only = 1")
	shop.catch_up()


@pytest.fixture
def stopped(shop: Cluster) -> Iterator[Cluster]:
	"""The replicas have stopped applying what the primary commits."""
	with standing_still(shop):
		yield shop


def another_process(host: PlainHost, shop: Cluster) -> PlainHost:
	"""A host that stands for another process of the same program."""
	other = PlainHost(shop.primary.address("shop"), shop.redis.client())
	other.shared = host.shared
	return other


def close(router: Router) -> None:
	router.stop()
