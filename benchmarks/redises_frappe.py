# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What it costs that a site's servers have different cache Redises: a save, a read, and reads of late replicas."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import frappe

from benchmarks.compare import interleaved
from benchmarks.results import Figure
from benchmarks.statements import recorded
from read_replica import read_only, site
from read_replica.database import routed
from read_replica.database.common_store import DatabaseStore
from read_replica.database.connector import Connector
from read_replica.engine.shared.several_redises import SeveralRedises
from read_replica.engine.shared.shared_state import SharedState
from support.servers import Cluster

QUESTION = "Servers with different cache Redises"
OF = "x one Redis that nobody watches"

ONE, WATCHED, SEVERAL, STRONG = "one", "one, watched", "several", "several, asking the primary where it is"

ROUNDS = 30
CALLS = 20
SECONDS_LATE = 2
SECONDS_OF_LATE_READS = 6
WRITES_PER_SECOND = 5
AN_HOUR = 3600

ROW = "select name, module, modified from `tabDocType` where name = 'User'"


class Strong(SharedState):
	"""What each call is shown where nobody can say what its user has written: all that anybody has."""

	def keep_position(self, users, position) -> None:
		"""Nobody would find it."""

	def position_of(self, user) -> None:
		"""It is not known."""


def measure(servers: Cluster) -> list[Figure]:
	"""On the current site, whose calls are routed."""
	router = site.router_of_site()
	ways = _ways(router.host.shared)
	with _in_place(router, ways[ONE]):
		reads = interleaved(
			{way: _with(router, shared, _read) for way, shared in ways.items()}, ROUNDS, CALLS
		)
		saves = interleaved(
			{way: _with(router, shared, _save) for way, shared in ways.items()}, ROUNDS, CALLS
		)
		statements = {way: _statements(servers, _with(router, shared, _save)) for way, shared in ways.items()}
		on_replicas = _of_late_replicas(servers, router, {way: ways[way] for way in (ONE, SEVERAL, STRONG)})
	figures = []
	for what, found in (("a read: ", reads), ("a save: ", saves)):
		for way in (WATCHED, SEVERAL, STRONG):
			measured = {"this, us": found.seconds(way) * 1e6, "one, us": found.seconds(ONE) * 1e6}
			figures.append(Figure(QUESTION, what + way, found.ratio(way, ONE), OF, None, measured))
	for way in (WATCHED, SEVERAL, STRONG):
		more = statements[way] - statements[ONE]
		figures.append(Figure(QUESTION, f"a save: {way}", more, "statements more on the primary", None))
	late = f"reads of a user who has written nothing, replicas {SECONDS_LATE} s late: "
	for way, share in on_replicas.items():
		figures.append(Figure(QUESTION, late + way, share, "of them on a replica", None))
	return figures


def _ways(shared: Any) -> dict[str, SharedState]:
	client, prefix = shared.client, shared._prefix
	store = DatabaseStore(Connector(routed.primary_of(frappe.local.db)))
	ways = {
		ONE: SharedState(client, prefix),
		WATCHED: SeveralRedises(client, f"{prefix}|watched", _OnlyOne(store)),
		SEVERAL: SeveralRedises(client, f"{prefix}|several", store),
		STRONG: Strong(client, prefix),
	}
	store.note("of_another_server", "another", "another:6379")
	ways[SEVERAL].watch()
	frappe.db.sql("update `tabCache Redis` set in_use_since = in_use_since - interval 2 hour")
	frappe.db.commit()
	ways[SEVERAL].watch()
	for way in (ONE, WATCHED, SEVERAL):
		ways[way].mark_incomplete(seconds_ago=AN_HOUR)
	return ways


class _OnlyOne:
	"""A store that does not see the other Redis."""

	def __init__(self, store: DatabaseStore):
		self._store = store

	def __getattr__(self, name: str):
		return getattr(self._store, name)

	def known_redises(self, host: str):
		return [one for one in self._store.known_redises(host) if one.redis_id != "of_another_server"]


@contextmanager
def _in_place(router: Any, shared: SharedState) -> Iterator[None]:
	before = router.host.shared
	try:
		yield
	finally:
		router.host.shared = before


def _with(router: Any, shared: SharedState, work: Callable[[], None]) -> Callable[[], None]:
	def request() -> None:
		router.host.shared = shared
		work()
		site.finish()
		# The next request begins anew, as after frappe.destroy().
		frappe.local.read_replica_state = None

	return request


@read_only
def _read() -> None:
	frappe.db.sql(ROW)


def _save() -> None:
	frappe.db.sql("update `tabDefaultValue` set modified = now(6) where parent = '__global' limit 1")
	frappe.db.commit()


def _statements(servers: Cluster, request: Callable[[], None]) -> float:
	"""The primary's statements per request, as far as they are the request's."""
	times = 50
	request()
	with recorded(servers.primary) as statements:
		for _ in range(times):
			request()
	of_others = ("select group_concat", "insert into `tabcache redis`", "select @@gtid_binlog_pos")
	return sum(not said.strip().lower().startswith(of_others) for _, said in statements) / times


def _of_late_replicas(servers: Cluster, router: Any, ways: dict[str, SharedState]) -> dict[str, float]:
	"""Which share of the reads of somebody who has written nothing a replica answers, while others write."""
	with _late(servers), _written_by_others(servers):
		return {way: _share(router, shared) for way, shared in ways.items()}


def _share(router: Any, shared: SharedState) -> float:
	user = frappe.session.user
	frappe.session.user = "reader@example.com"
	answered = []

	@read_only
	def read() -> None:
		answered.append(frappe.db.sql("select @@server_id")[0][0] != 1)

	request = _with(router, shared, read)
	end = time.monotonic() + SECONDS_OF_LATE_READS
	try:
		while time.monotonic() < end:
			request()
			time.sleep(0.02)
	finally:
		frappe.session.user = user
	return sum(answered) / len(answered)


@contextmanager
def _late(servers: Cluster) -> Iterator[None]:
	[replica] = servers.replicas

	def delay(seconds: int) -> None:
		replica.query("STOP SLAVE")
		replica.query(f"CHANGE MASTER TO master_delay = {seconds}")
		replica.query("START SLAVE")

	delay(SECONDS_LATE)
	try:
		yield
	finally:
		delay(0)
		servers.catch_up()


@contextmanager
def _written_by_others(servers: Cluster) -> Iterator[None]:
	stop = threading.Event()
	statement = f"update `{frappe.conf.db_name}`.`tabDefaultValue` set modified = now(6) where parent = '__global' limit 1"

	def write() -> None:
		while not stop.wait(1 / WRITES_PER_SECOND):
			with suppress(Exception):
				servers.primary.query(statement)

	thread = threading.Thread(target=write, daemon=True)
	thread.start()
	# Until the replica is as late as it is to be.
	time.sleep(SECONDS_LATE + 2)
	try:
		yield
	finally:
		stop.set()
		thread.join(10)
