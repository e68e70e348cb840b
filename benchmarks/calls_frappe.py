# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a decorated call costs on a Frappe site, with this app and with core's own read_only."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import frappe

from benchmarks import cache_frappe, growth_frappe, pages_frappe, policy_frappe, redises_frappe, tick_frappe
from benchmarks.compare import Comparison, check_that_all_were_routed, interleaved
from benchmarks.results import Figure
from read_replica import lifecycle, read_only, site
from read_replica.database.routed import RoutedMethods
from support.bench import SITE, Sites
from support.servers import Cluster

OF = "x the plain query"
OF_ROLLBACK = "x a ROLLBACK"
ROUNDS = 40
CALLS = 30

EVENTUAL, SESSION, CORE = "read_replica, eventual", "read_replica, session", "core's frappe.read_only"

EMPTY, FIRST = "an empty call", "an empty call, the first of its request"

# Twenty rows by an index, and one by its key.
LIST = "select name, fieldname, fieldtype, options from `tabDocField` where parent = 'User' limit 20"
ROW = "select name, module, modified from `tabDocType` where name = 'User'"


def measure(servers: Cluster) -> list[Figure]:
	question = f"A decorated call on a site of Frappe {frappe.__version__}"
	with _site(servers) as sites:
		_configure(sites, servers, enabled=1)
		ours = {query: _compare(_plain(query), _ours_with(query)) for query in (LIST, ROW)}
		empty = _compare(_rollback, {EMPTY: _empty, FIRST: _first})
		cache = _on_the_site(cache_frappe.measure)
		policy = _on_the_site(policy_frappe.measure)
		pages = _on_the_site(pages_frappe.measure)
		redises = _on_the_site(lambda: redises_frappe.measure(servers))
		growth = growth_frappe.measure(servers, sites)
		_configure(sites, servers, enabled=0)
		core = {query: _compare(_plain(query), {CORE: _core(query)}) for query in (LIST, ROW)}
		ticks = tick_frappe.measure(servers, sites.config()["db_name"])
	return [
		_figure(question, empty, EMPTY, 2.5, of=OF_ROLLBACK),
		_figure(question, empty, FIRST, None, of=OF_ROLLBACK),
		_figure(question, ours[LIST], EVENTUAL, 1.25),
		_figure(question, ours[LIST], SESSION, 1.6),
		_figure(question, core[LIST], CORE, None),
		*(_figure(question, ours[ROW], way, None, "one row by its key: ") for way in (EVENTUAL, SESSION)),
		_figure(question, core[ROW], CORE, None, "one row by its key: "),
		*cache,
		*policy,
		*pages,
		*redises,
		*growth,
		*ticks,
	]


def _figure(
	question: str, found: Comparison, way: str, target: float | None, what: str = "", of: str = OF
) -> Figure:
	measured = {
		f"{of.removeprefix('x ')}, us": found.seconds("plain") * 1e6,
		"this, us": found.seconds(way) * 1e6,
	}
	return Figure(question, what + way, found.ratio(way, "plain"), of, target, measured)


def _on_the_site(work: Callable[[], list[Figure]]) -> list[Figure]:
	frappe.init(site=SITE, sites_path=".")
	frappe.connect()
	try:
		lifecycle.begin()
		return work()
	finally:
		site.forget()
		frappe.destroy()


@contextmanager
def _site(servers: Cluster) -> Iterator[Sites]:
	with tempfile.TemporaryDirectory(prefix="rr-benchmarks-") as folder:
		sites = Sites(Path(folder), servers, apps=("frappe", "read_replica"))
		os.chdir(sites.path)
		try:
			sites.new_site()
			sites.bench("--site", SITE, "install-app", "read_replica")
			servers.catch_up()
			yield sites
		finally:
			os.chdir("/")


def _configure(sites: Sites, servers: Cluster, enabled: int) -> None:
	"""Route with this app; or leave core's read_only to itself."""
	[replica] = servers.replicas
	sites.configure(
		read_replica={
			"enabled": enabled,
			"replicas": [{"name": "replica01", "host": replica.host, "port": replica.port}],
		},
		read_from_replica=1,
		replica_host=replica.host,
		replica_db_port=replica.port,
	)


def _compare(plain: Callable[[Any], Callable[[], None]], ways: dict[str, Callable[[], None]]) -> Comparison:
	"""Each way, against what `plain` makes of an open connection to the replica."""
	frappe.init(site=SITE, sites_path=".")
	frappe.connect()
	try:
		with _open_replica() as replica:
			lifecycle.begin()
			if router := site.router_of_site():
				# As on a site that has been running for a while.
				router.host.shared.mark_incomplete(seconds_ago=3600)
				router.health.check_if_unknown()
			found = interleaved({"plain": plain(replica)} | ways, ROUNDS, CALLS)
			if router:
				check_that_all_were_routed(router)
			return found
	finally:
		site.forget()
		frappe.destroy()


@contextmanager
def _open_replica() -> Iterator[Any]:
	"""A Database of Frappe's own on the replica, as core opens it; the primary stays in place."""
	primary = frappe.local.db
	# With routing on, core's function would open a scope instead, and a plain query would go through it.
	keys = frappe.local.conf["read_replica"]
	frappe.local.conf["read_replica"] = keys | {"enabled": 0}
	frappe.local.read_replica_routing = None
	try:
		if not frappe.connect_replica():
			raise RuntimeError("Core has not connected to the replica")
	finally:
		frappe.local.conf["read_replica"] = keys
		frappe.local.read_replica_routing = None
	replica = frappe.local.replica_db
	if isinstance(replica, RoutedMethods):
		raise RuntimeError("A scope was opened in place of core's connection")
	frappe.local.db = primary
	_forget_core_replica()
	try:
		yield replica
	finally:
		replica.close()


def _plain(query: str) -> Callable[[Any], Callable[[], None]]:
	def on(replica: Any) -> Callable[[], None]:
		def plain() -> None:
			replica.sql(query, as_dict=True)
			replica._conn.rollback()

		return plain

	return on


def _rollback(replica: Any) -> Callable[[], None]:
	"""One round trip to the replica, and no more."""
	replica.sql("select 1")
	return replica._conn.rollback


@read_only
def _empty() -> None:
	"""Nothing but what the decorator does, in a request that has made such calls before."""


def _first() -> None:
	"""The same as the first call of its request, and that request's end."""
	_empty()
	_end_request()


def _end_request() -> None:
	site.finish()
	# The next request begins anew, as after frappe.destroy().
	del frappe.local.read_replica_state


def _ours_with(query: str) -> dict[str, Callable[[], None]]:
	return {EVENTUAL: _ours(query, "eventual"), SESSION: _ours(query, "session")}


def _ours(query: str, consistency: str) -> Callable[[], None]:
	@read_only(consistency=consistency)
	def call() -> None:
		frappe.db.sql(query, as_dict=True)

	def request() -> None:
		call()
		_end_request()

	return request


def _core(query: str) -> Callable[[], None]:
	@frappe.read_only()
	def call() -> None:
		frappe.db.sql(query, as_dict=True)

	def request() -> None:
		call()
		# Core leaves it to the end of the process, and sends no other call of this request there.
		frappe.local.replica_db.close()
		_forget_core_replica()

	return request


def _forget_core_replica() -> None:
	del frappe.local.replica_db, frappe.local.primary_db
