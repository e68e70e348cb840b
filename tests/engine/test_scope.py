# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A scope begins on a replica and always ends on the primary."""

import threading

import pytest

from read_replica.engine.dialect import Position
from read_replica.engine.errors import ScopeError
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import Need

from .conftest import close, endpoint, make_router


def stock_of(host, item: str) -> int:
	return host.current().sql("SELECT qty FROM stock WHERE item = %s", (item,))[0][0]


def server_id(host) -> int:
	return host.current().sql("SELECT @@server_id")[0][0]


def test_a_read_only_call_is_answered_by_a_replica(host, router):
	with router.read_only(Need(), "report"):
		assert server_id(host) in (2, 3)
	assert server_id(host) == 1


def test_the_hundredth_call_also_reaches_a_replica(host, router):
	for _ in range(100):
		with router.read_only(Need(), "report"):
			assert server_id(host) in (2, 3)
	assert (
		router.metrics.of("replica01", Reason.REPLICA) + router.metrics.of("replica02", Reason.REPLICA) == 100
	)


def test_a_warm_process_opens_no_connection(host, router):
	for _ in range(20):
		with router.read_only(Need(), "report"):
			server_id(host)
	opened = host.connections_opened
	for _ in range(50):
		with router.read_only(Need(), "report"):
			server_id(host)
	# One to each replica for calls, and one to each server to see how it is.
	assert host.connections_opened == opened <= 5


def test_an_exception_ends_the_scope_on_the_primary(host, router):
	primary = host.current()
	with pytest.raises(ZeroDivisionError), router.read_only(Need(), "report"):
		raise ZeroDivisionError
	assert host.current() is primary
	assert all(replica.pool.lent == 0 for replica in router.replicas)


def test_a_nested_call_uses_the_scope_that_is_open(host, router):
	with router.read_only(Need(), "outer"):
		outer = host.current()
		with router.read_only(Need(), "inner"):
			assert host.current() is outer
		assert host.current() is outer
		assert server_id(host) in (2, 3)
	assert server_id(host) == 1


def test_a_recursive_call_ends_on_the_primary(host, router):
	def countdown(n: int) -> None:
		with router.read_only(Need(), "countdown"):
			assert server_id(host) in (2, 3)
			if n:
				countdown(n - 1)

	primary = host.current()
	countdown(20)
	assert host.current() is primary
	assert host.state().frames == []


def test_a_nested_call_that_asks_for_more_gets_a_scope_of_its_own(host, router):
	with router.read_only(Need(consistency="eventual"), "outer"):
		outer = host.current()
		with router.read_only(Need(consistency="session"), "inner"):
			assert host.current() is not outer
		assert host.current() is outer
	assert server_id(host) == 1


def test_a_nested_call_that_needs_newer_rows_gets_a_scope_of_its_own(shop, host, router):
	with router.read_only(Need(), "outer"):
		assert stock_of(host, "bolt") == 10
		shop.primary.query("UPDATE shop.stock SET qty = 11 WHERE item = 'bolt'")
		with router.read_only(Need(consistency="strong"), "inner"):
			assert stock_of(host, "bolt") == 11
			assert server_id(host) in (2, 3)
		assert stock_of(host, "bolt") == 10, "the outer call keeps its snapshot"


def test_a_call_uses_the_innermost_scope_that_is_good_enough(host, router):
	with (
		router.read_only(Need(), "outer"),
		router.read_only(Need(on_write="error"), "between") as between,
		router.read_only(Need(on_write="error"), "inner"),
	):
		assert host.current() is between.database
		assert server_id(host) in (2, 3)


def test_what_a_replica_has_answered_is_known_in_the_scope_around_and_no_further_out_yet(host, router):
	with router.read_only(Need(consistency="eventual"), "outer") as outer:
		with router.read_only(Need(consistency="session"), "between") as between:
			with router.read_only(Need(consistency="strong"), "inner"):
				server_id(host)
			assert (between.statements, outer.statements) == (1, 0)
		assert outer.statements == 1


def test_the_end_of_a_request_closes_all_scopes_that_were_left_open(host, router):
	primary = host.current()
	router.open(Need(consistency="eventual"), "outer")
	router.open(Need(consistency="session"), "inner")
	assert len(host.state().frames) == 2
	router.finish(primary)
	assert host.state().frames == [] and host.current() is primary
	assert not router.scopes and all(replica.pool.lent == 0 for replica in router.replicas)


def test_a_primary_block_inside_a_scope_reads_the_primary_and_returns(host, router):
	with router.read_only(Need(), "report"):
		with router.primary():
			assert server_id(host) == 1
			with router.read_only(Need(), "inner"):
				assert server_id(host) == 1
		assert server_id(host) in (2, 3)
	assert server_id(host) == 1


def test_a_primary_block_outside_a_scope_keeps_calls_on_the_primary(host, router):
	with router.primary(), router.read_only(Need(), "report"):
		assert server_id(host) == 1
	assert router.metrics.of("primary", Reason.IN_PRIMARY_BLOCK) == 1


def test_a_database_object_kept_beyond_its_scope_asks_the_primary(host, router):
	with router.read_only(Need(), "report"):
		kept = host.current()
	assert kept.sql("SELECT @@server_id") == ((1,),)


def test_a_thread_inside_a_scope_starts_on_the_primary(host, router):
	seen = []

	def work() -> None:
		seen.append(server_id(host))
		with router.read_only(Need(), "in_thread"):
			seen.append(server_id(host))
		seen.append(server_id(host))
		host.current().close()

	with router.read_only(Need(), "report"):
		thread = threading.Thread(target=work)
		thread.start()
		thread.join(10)
		assert server_id(host) in (2, 3)
	assert seen[0] == seen[2] == 1
	assert seen[1] in (2, 3)


def test_another_thread_may_not_use_the_database_of_a_scope(host, router):
	refused = []

	def work(database) -> None:
		try:
			database.sql("SELECT 1")
		except ScopeError as error:
			refused.append(str(error))

	with router.read_only(Need(), "shop.report"):
		thread = threading.Thread(target=work, args=(host.current(),))
		thread.start()
		thread.join(10)
	assert "shop.report" in refused[0] and "another thread" in refused[0]


def test_calls_are_balanced_by_weight(shop, host):
	first, second = shop.replicas
	router = make_router(host, endpoint(first, weight=3), endpoint(second, weight=1))
	for _ in range(400):
		with router.read_only(Need(), "report"):
			pass
	# 300 of 400 expected; 240 is more than six standard deviations away.
	assert 240 < router.metrics.of("replica01", Reason.REPLICA) < 360
	close(router)


def test_a_pool_is_preferred_and_the_rest_is_its_reserve(shop, host):
	first, second = shop.replicas
	router = make_router(host, endpoint(first), endpoint(second, pool="reports"))
	for _ in range(5):
		with router.read_only(Need(pool="reports"), "report"):
			assert server_id(host) == 3
		with router.read_only(Need(), "list"):
			assert server_id(host) == 2
	router.selector.failed(router.replicas[1], ConnectionError())
	with router.read_only(Need(pool="reports"), "report"):
		assert server_id(host) == 2
	close(router)


def test_pending_writes_keep_a_call_on_the_primary(host, router):
	host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
	with router.read_only(Need(), "report"):
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((11,),)
		assert server_id(host) == 1
	host.current().rollback()
	assert router.metrics.of("primary", Reason.PENDING_WRITES) == 1


@pytest.mark.parametrize(
	"statement",
	[
		"REPLACE INTO stock VALUES ('bolt', 1)",
		"SELECT qty FROM stock WHERE item = 'bolt' FOR UPDATE",
		"SAVEPOINT before_it",
		"/* note */ DELETE FROM stock WHERE item = 'bolt'",
	],
)
def test_what_the_transaction_must_keep_counts_as_a_pending_write(host, router, statement):
	host.current().sql(statement)
	with router.read_only(Need(), "report"):
		assert server_id(host) == 1
	host.current().rollback()
	with router.read_only(Need(), "report"):
		assert server_id(host) in (2, 3)


def test_a_rollback_to_a_savepoint_leaves_earlier_writes_pending(host, router):
	host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
	host.current().sql("SAVEPOINT later")
	host.current().sql("ROLLBACK TO SAVEPOINT later")
	with router.read_only(Need(), "report"):
		assert server_id(host) == 1
	host.current().rollback()


def test_the_primarys_transaction_does_not_stay_open_during_a_read(shop, host, router):
	host.current().sql("SELECT * FROM stock")
	with router.read_only(Need(), "report"):
		open_transactions = shop.primary.query("SELECT COUNT(*) FROM information_schema.innodb_trx")
		assert open_transactions == ((0,),)


def test_all_statements_of_a_scope_see_one_snapshot(shop, host, router):
	with router.read_only(Need(), "report"):
		before = host.current().sql("SELECT SUM(qty) FROM stock")
		shop.primary.query("INSERT INTO stock VALUES ('washer', 40)".replace("stock", "shop.stock"))
		shop.catch_up()
		assert host.current().sql("SELECT SUM(qty) FROM stock") == before
	with router.read_only(Need(), "report"):
		assert host.current().sql("SELECT SUM(qty) FROM stock") == ((100,),)


def test_a_replica_that_is_left_out_is_passed_over_for_the_other_whichever_comes_first(host, router):
	with router.read_only(Need(), "report"):
		assert server_id(host) in (2, 3)
	need = router._complete(Need(consistency="eventual"), timeout_at_least=0)
	for _ in range(10):
		for left_out, other in (("replica01", "replica02"), ("replica02", "replica01")):
			found = router.selector.find(need, Position(), host.current(), exclude=(left_out,))
			assert found.replica.name == other
			found.lease.give_back()
