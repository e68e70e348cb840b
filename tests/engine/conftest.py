# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from collections.abc import Iterator
from dataclasses import replace

import pytest

from read_replica.engine.router import Router
from read_replica.engine.settings import Endpoint, Settings
from support.plain import PlainHost
from support.servers import Cluster, MariaDB, cluster


@pytest.fixture(scope="session")
def servers() -> Iterator[Cluster]:
	with cluster(replicas=2) as running:
		running.primary.query("CREATE DATABASE shop")
		running.primary.query("CREATE TABLE shop.stock (item VARCHAR(40) PRIMARY KEY, qty INT NOT NULL)")
		running.primary.query("CREATE TABLE shop.log (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(99))")
		running.primary.query("CREATE TABLE shop.`__UserSettings` (user VARCHAR(40) PRIMARY KEY, data TEXT)")
		running.catch_up()
		yield running


@pytest.fixture
def shop(servers: Cluster) -> Cluster:
	"""The servers with three items in stock, in step."""
	for server in (servers.primary, *servers.replicas):
		server.thaw()
	for table in ("stock", "log", "`__UserSettings`"):
		servers.primary.query(f"DELETE FROM shop.{table}")
	servers.primary.query("INSERT INTO shop.stock VALUES ('bolt', 10), ('nut', 20), ('screw', 30)")
	servers.catch_up()
	return servers


def endpoint(server: MariaDB, **changes) -> Endpoint:
	return replace(Endpoint(name=server.folder.name, host=server.host, port=server.port), **changes)


@pytest.fixture
def host(shop: Cluster) -> Iterator[PlainHost]:
	host = PlainHost(shop.primary.address("shop"))
	yield host
	host.current().close()


@pytest.fixture
def router(shop: Cluster, host: PlainHost) -> Iterator[Router]:
	router = make_router(host, *[endpoint(replica) for replica in shop.replicas])
	yield router
	close(router)


def make_router(host: PlainHost, *endpoints: Endpoint, **changes) -> Router:
	return Router(replace(Settings(replicas=endpoints), **changes), host)


def close(router: Router) -> None:
	for replica in router.replicas:
		replica.pool.close_idle()
