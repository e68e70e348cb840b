# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The demo's shop, and what the benchmarks ask of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from demo.plain_shop import ITEMS, STOCK_BALANCE, WAREHOUSES
from read_replica.engine.router import Router
from read_replica.engine.settings import Endpoint, Need, Settings
from read_replica.engine.shared.redis_state import impatient
from read_replica.engine.shared.shared_state import SharedState
from support.plain import PlainDatabase, PlainHost
from support.servers import Cluster, MariaDB

EVENTUAL, SESSION = Need(consistency="eventual"), Need(consistency="session")

# A page of a list, as the desk asks for it: the last twenty ledger entries of an item in a warehouse.
LIST = """
	SELECT id, item, warehouse, posting_date, qty, value FROM stock_ledger
	WHERE item = %s AND warehouse = %s ORDER BY id DESC LIMIT 20"""
LIST_VALUES = (1 + ITEMS // 2, 1 + WAREHOUSES // 2)

# One row by its key.
ROW = "SELECT item, warehouse, qty FROM bin WHERE item = %s AND warehouse = %s"

# A report on a part of the ledger, which takes some ten milliseconds.
REPORT = STOCK_BALANCE.replace("FROM stock_ledger", "FROM stock_ledger WHERE id <= 20000")


def host_of(servers: Cluster) -> PlainHost:
	host = PlainHost(servers.primary.address("shop"), servers.redis.client())
	# All processes are of one site.
	host.shared = SharedState(impatient(servers.redis.client()), "benchmarks")
	# As on a site that has been running for a while.
	host.shared.mark_incomplete(seconds_ago=3600)
	return host


def router_of(servers: Cluster, host: PlainHost) -> Router:
	endpoints = (Endpoint(name=r.folder.name, host=r.host, port=r.port) for r in servers.replicas)
	return Router(Settings(replicas=tuple(endpoints)), host)


@contextmanager
def routed(servers: Cluster) -> Iterator[tuple[PlainHost, Router]]:
	"""A program that routes; its connections are closed in the end."""
	host = host_of(servers)
	router = router_of(servers, host)
	router.health.check_if_unknown()
	try:
		yield host, router
	finally:
		router.stop()
		host.current().close()


@contextmanager
def database_on(server: MariaDB) -> Iterator[PlainDatabase]:
	"""An open connection to one server, without routing."""
	database = PlainDatabase(server.address("shop"))
	try:
		yield database
	finally:
		database.close()
