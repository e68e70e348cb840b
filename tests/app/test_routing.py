# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The decorators on a real site."""

import gc
import inspect
import threading

import frappe
import psutil
import pytest

from read_replica import primary, read_only, routing
from read_replica.engine.errors import ReplicaUnavailable, ScopeError
from read_replica.site import router_of_site

from .conftest import REPLICAS, connected, full_form, server_id, until


@read_only
def bare() -> int:
	return server_id()


@read_only()
def called(limit: int = 20, *, status: str = "Open") -> int:
	"""Its docstring."""
	return server_id()


class Report:
	@read_only(max_lag=5)
	def run(self) -> int:
		return server_id()


def test_a_decorated_function_reads_from_a_replica(site):
	assert bare() in REPLICAS
	assert server_id() == 1


def test_the_decorator_works_with_parentheses_on_methods_and_with_every_argument(site):
	@read_only(
		max_lag=5,
		consistency="eventual",
		pool="reports",
		timeout=20,
		on_unavailable="error",
		on_write="error",
	)
	def strict():
		return server_id()

	assert called() in REPLICAS
	assert Report().run() in REPLICAS
	assert strict() in REPLICAS
	assert server_id() == 1


def test_a_decorated_function_keeps_its_signature_name_and_docstring():
	assert str(inspect.signature(called)) == "(limit: int = 20, *, status: str = 'Open') -> int"
	assert (called.__name__, called.__doc__) == ("called", "Its docstring.")


@pytest.mark.parametrize(
	("argument", "value"),
	[
		("max_lag", -1),
		("max_lag", "soon"),
		("consistency", "strict"),
		("pool", ""),
		("timeout", 0),
		("on_unavailable", "fail"),
		("on_write", "replica"),
	],
)
def test_an_argument_without_meaning_fails_when_the_function_is_decorated(argument, value):
	with pytest.raises((TypeError, ValueError), match=argument):
		read_only(**{argument: value})(bare)


def test_a_function_that_returns_before_its_work_is_done_cannot_be_decorated():
	def rows():
		yield 1

	with pytest.raises(TypeError, match="rows"):
		read_only(rows)


def test_a_positional_argument_is_refused_with_the_way_to_write_it():
	with pytest.raises(TypeError, match="by name"):
		read_only(30)


def test_the_hundredth_call_of_a_request_also_reaches_a_replica(site):
	assert all(bare() in REPLICAS and server_id() == 1 for _ in range(100))


def test_primary_is_a_block_and_a_decorator_in_any_order_with_read_only(site):
	@primary()
	def on_primary():
		return server_id(), bare()

	@read_only
	def report():
		with primary():
			inside = server_id()
		return inside, on_primary(), server_id()

	inside, nested, after = report()
	assert (inside, nested) == (1, (1, 1))
	assert after in REPLICAS
	assert on_primary() == (1, 1)
	assert server_id() == 1


def test_recursion_through_both_decorators_ends_on_the_primary(site):
	@read_only
	def down(n):
		assert server_id() in REPLICAS
		return up(n)

	@primary()
	def up(n):
		assert server_id() == 1
		return up(n - 1) if n else server_id()

	assert down(5) == 1
	assert down(5) == 1


def test_an_exception_ends_on_the_primary(site):
	@read_only
	def fails():
		server_id()
		raise ZeroDivisionError

	before = frappe.local.db
	for _ in range(3):
		with pytest.raises(ZeroDivisionError):
			fails()
		assert frappe.local.db is before


def test_a_generator_that_is_consumed_inside_reads_the_replica(site):
	def rows():
		for _ in range(3):
			yield server_id()

	@read_only
	def report():
		return list(rows())

	assert set(report()) <= set(REPLICAS)


def test_a_generator_that_is_consumed_later_reads_the_primary(site):
	@read_only
	def report():
		return (server_id() for _ in range(3))

	assert set(report()) == {1}


def test_a_row_iterator_used_after_its_scope_says_what_to_do(site):
	@read_only
	def report():
		return frappe.db.sql("select name from tabDocType", as_list=True, as_iterator=True)

	if "as_iterator" not in inspect.signature(frappe.db.sql).parameters:
		pytest.skip("frappe.db.sql has no as_iterator in this version")
	with pytest.raises(ScopeError, match="Consume it first"):
		list(report())
	assert server_id() == 1


def test_a_row_iterator_inside_its_scope_gives_all_rows(site):
	@read_only
	def report():
		with frappe.db.unbuffered_cursor():
			return [
				row[0] for row in frappe.db.sql("select name from tabDocType", as_list=True, as_iterator=True)
			]

	if not hasattr(frappe.db, "unbuffered_cursor"):
		pytest.skip("frappe.db has no unbuffered_cursor in this version")
	assert len(report()) == frappe.db.count("DocType")
	assert bare() in REPLICAS


def test_a_row_iterator_that_is_left_half_read_holds_nobody_up_although_its_server_hangs(site, servers):
	if not hasattr(frappe.db, "unbuffered_cursor"):
		pytest.skip("frappe.db has no unbuffered_cursor in this version")
	seen = []

	@read_only
	def report():
		seen.append(server_id())
		with frappe.db.unbuffered_cursor():
			for _ in frappe.db.sql("select * from tabDocField a, tabRole b", as_list=True, as_iterator=True):
				servers.replicas[seen[0] - 2].freeze()
				return

	bare()
	thaw = threading.Timer(15, lambda: [replica.thaw() for replica in servers.replicas])
	thaw.start()
	try:
		report()
		assert thaw.is_alive(), "the report was held up until the server went on"
	finally:
		thaw.cancel()
		thaw.function()
	until(lambda: all_in_use(router_of_site()))
	assert bare() in REPLICAS


def test_a_thread_with_its_own_connection_routes_by_itself(site):
	seen = []

	def work():
		with connected():
			seen.extend((server_id(), bare(), server_id()))

	@read_only
	def report():
		thread = threading.Thread(target=work)
		thread.start()
		thread.join(30)
		return server_id()

	assert report() in REPLICAS
	assert (seen[0], seen[2]) == (1, 1)
	assert seen[1] in REPLICAS


def test_the_query_builder_and_the_orm_read_from_the_replica(site, stale):
	with primary():
		frappe.get_doc({"doctype": "ToDo", "description": "after the replicas stopped"}).insert()
		frappe.db.commit()
	filters = {"description": "after the replicas stopped"}

	@read_only(consistency="eventual")
	def found():
		todo = frappe.qb.DocType("ToDo")
		query = frappe.qb.from_(todo).select(todo.name).where(todo.description == filters["description"])
		return len(query.run()), len(frappe.get_all("ToDo", filters)), frappe.db.count("ToDo", filters)

	assert found() == (0, 0, 0)
	assert frappe.db.count("ToDo", filters) == 1
	frappe.db.delete("ToDo", filters)
	frappe.db.commit()


def test_the_replicas_database_is_the_sites(site):
	@read_only
	def database():
		return frappe.db.sql("select database()")[0][0]

	assert database() == frappe.conf.db_name


def test_current_tells_a_function_which_replica_it_reads(site):
	@read_only
	def report():
		return routing.current().replica.name

	assert report() in ("replica01", "replica02")
	assert routing.current() is None


def test_a_killed_replica_does_not_fail_the_call(site, servers):
	first, second = servers.replicas
	first.kill()
	try:
		assert [bare() for _ in range(20)] == [second.server_id] * 20
		second.kill()
		assert [bare() for _ in range(20)] == [1] * 20
		with pytest.raises(ReplicaUnavailable, match="bare_strict") as raised:
			bare_strict()
		assert raised.value.http_status_code == 503
		assert server_id() == 1
	finally:
		for replica in servers.replicas:
			replica.start()
	until(lambda: all_in_use(router_of_site()))
	assert bare() in REPLICAS


def all_in_use(router) -> bool:
	bare()
	health = router.health
	healthy = all(health.judge(health.verdict_of(name), 30) == "good" for name in health.health_check.probes)
	rested = any(replica.breaker.is_open for replica in router.replicas)
	return (
		healthy
		and not rested
		and all(probe.is_connected for probe in router.health.health_check.probes.values())
	)


@read_only(on_unavailable="error")
def bare_strict() -> int:
	return server_id()


def test_a_replica_killed_in_the_middle_of_a_function_does_not_fail_it(site, servers):
	@read_only
	def report():
		before = server_id()
		servers.replicas[before - 2].kill()
		return before, server_id(), frappe.get_all("ToDo", limit=1)

	router = router_of_site()
	try:
		before, after, _ = report()
		assert before in REPLICAS and after in REPLICAS and before != after
	finally:
		for replica in servers.replicas:
			replica.kill()
			replica.start()
		until(lambda: all_in_use(router))


def test_ten_thousand_calls_leave_no_connection_and_no_memory_behind(site, servers):
	me = psutil.Process()

	def run(times: int) -> int:
		for _ in range(times):
			bare()
		gc.collect()
		return me.memory_info().rss

	until(lambda: all_in_use(router_of_site()))
	before = run(2000)
	connections = [replica.query("SHOW STATUS LIKE 'Connections'")[0][1] for replica in servers.replicas]
	after = run(10_000)
	for replica, count in zip(servers.replicas, connections, strict=True):
		# The one more is this question's own.
		assert int(replica.query("SHOW STATUS LIKE 'Connections'")[0][1]) == int(count) + 1
	assert all(replica.pool.lent == 0 for replica in router_of_site().replicas)
	assert after - before < 2 * 1024 * 1024


@pytest.mark.parametrize("flag", ["in_migrate", "in_patch", "in_install", "in_uninstall"])
def test_a_site_that_is_being_changed_reads_its_primary(site, monkeypatch, flag):
	@frappe.read_only()
	def decorated_by_core():
		return server_id()

	assert (bare() in REPLICAS, decorated_by_core() in REPLICAS) == (True, True)
	monkeypatch.setitem(frappe.flags, flag, True)
	assert (bare(), decorated_by_core()) == (1, 1)


def test_a_site_on_another_database_is_left_to_core(site, monkeypatch):
	monkeypatch.setitem(frappe.local.conf, "db_type", "postgres")
	frappe.local.read_replica_routing = None
	assert router_of_site() is None
