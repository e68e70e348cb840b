# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""on_write="error" means it wherever a call is answered: where the primary does, its words tell a write."""

from dataclasses import replace

import pytest

from read_replica.engine import dialect
from read_replica.engine.errors import WriteInReadOnlyScope
from read_replica.engine.reasons import Reason
from read_replica.engine.router import Router
from read_replica.engine.settings import DEFAULTS, Need, Settings

from .conftest import endpoint, make_router

MAY_NOT = Need(on_write="error")

WRITES = [
	"UPDATE stock SET qty = 1",
	"DELETE FROM stock",
	"/* why */ DELETE FROM stock",
	"REPLACE INTO stock VALUES ('bolt', 1)",
	"INSERT INTO stock VALUES ('washer', 1)",
	"SET STATEMENT max_statement_time = 9 FOR DELETE FROM stock",
	"SELECT * FROM stock FOR UPDATE",
	"CREATE TEMPORARY TABLE scratch (id INT)",
	"CREATE TABLE made_in_scope (id INT)",
	"DROP TABLE IF EXISTS made_in_scope",
	"TRUNCATE TABLE stock",
	"ANALYZE TABLE stock",
	"LOCK TABLES stock WRITE",
]

READS = [
	"SELECT * FROM stock",
	"SELECT * FROM stock WHERE item = 'for update'",
	"SELECT 'it''s \\' for update' AS `delete`",
	'SELECT "nextval(a)"',
	"WITH n AS (SELECT 'update') SELECT * FROM n",
	"SELECT * FROM stock LOCK IN SHARE MODE",
	"SELECT GET_LOCK('a', 0), RELEASE_LOCK('a')",
	"SET @counted = 1",
	"SHOW TABLES",
	"SET STATEMENT max_statement_time = 9 FOR SELECT * FROM stock",
	"SAVEPOINT here",
	"INSERT INTO log (text) VALUES ('seen')",
	"INSERT INTO `__UserSettings` VALUES ('ann', '{}')",
]


def server_id(host) -> int:
	return host.current().sql("SELECT @@server_id")[0][0]


def rows(shop) -> int:
	return shop.primary.query("SELECT COUNT(*) FROM shop.stock")[0][0]


@pytest.fixture
def alone(host) -> Router:
	"""A program whose replicas are gone."""
	return Router(Settings(), host)


@pytest.mark.parametrize("statement", WRITES)
def test_a_write_on_the_primary_is_refused_before_it_runs(shop, host, alone, statement):
	with pytest.raises(WriteInReadOnlyScope) as raised, alone.read_only(MAY_NOT, "shop.report"):
		host.current().sql(statement)
	for word in ("shop.report", "primary()"):
		assert word in str(raised.value)
	assert not host.pending_writes(host.current())
	assert shop.primary.query("SELECT SUM(qty) FROM shop.stock") == ((60,),)
	assert "shop.report" not in alone.writers


@pytest.mark.parametrize("statement", WRITES)
def test_a_replica_refuses_what_is_refused_by_its_words(shop, host, router, statement):
	with pytest.raises(WriteInReadOnlyScope), router.read_only(MAY_NOT, "report"):
		host.current().sql(statement)
	assert dialect.writes(statement)


@pytest.mark.parametrize("where", ["on a replica", "on the primary"])
@pytest.mark.parametrize("statement", READS)
def test_a_read_passes_and_so_does_a_log_row(host, router, alone, statement, where):
	with (router if where == "on a replica" else alone).read_only(MAY_NOT, "report"):
		host.current().sql(statement)
	host.current().rollback()


def test_what_is_in_place_afterwards_is_the_primary_and_may_be_written(shop, host, alone):
	primary = host.current()
	with alone.read_only(MAY_NOT, "report") as scope:
		assert scope is None, "no replica answers"
		assert server_id(host) == 1
	assert host.current() is primary and host.state().frames == []
	host.current().sql("DELETE FROM stock")
	host.current().rollback()
	assert alone.metrics.of("primary", Reason.NO_REPLICA) == 1


def test_whatever_the_reason_is_that_the_primary_answers(shop, host, router):
	def may_not_write() -> None:
		assert server_id(host) == 1
		with pytest.raises(WriteInReadOnlyScope):
			host.current().sql("DELETE FROM stock")

	router.writers.add("writer")
	with router.read_only(MAY_NOT, "writer"):
		may_not_write()
	host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
	with router.read_only(MAY_NOT, "pending"):
		may_not_write()
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((11,),)
	host.current().rollback()
	with router.primary(), router.read_only(MAY_NOT, "in a block"):
		may_not_write()
	assert rows(shop) == 3


def test_a_site_that_says_so_means_all_calls(shop, host):
	strict = make_router(host, defaults=replace(DEFAULTS, on_write="error"))
	with pytest.raises(WriteInReadOnlyScope), strict.read_only(Need(), "report"):
		host.current().sql("DELETE FROM stock")
	with strict.read_only(Need(on_write="primary"), "may"):
		host.current().sql("DELETE FROM stock")
	host.current().rollback()
	assert rows(shop) == 3


def test_a_call_whose_replica_is_lost_may_still_not_write(shop, host, revived):
	router = make_router(host, endpoint(revived.replicas[0]))
	router.health.check_if_unknown()
	with router.read_only(MAY_NOT, "report"):
		assert server_id(host) == 2
		revived.replicas[0].kill()
		assert server_id(host) == 1
		with pytest.raises(WriteInReadOnlyScope):
			host.current().sql("DELETE FROM stock")
	router.stop()
	assert rows(shop) == 3


def test_a_write_to_a_table_that_the_replica_lacks_is_refused_as_well(shop, host, router, stopped):
	shop.primary.query("CREATE TABLE shop.only_there (id INT)")
	try:
		with (
			pytest.raises(WriteInReadOnlyScope),
			router.read_only(Need(consistency="eventual", on_write="error"), "report"),
		):
			host.current().sql("INSERT INTO only_there VALUES (1)")
		assert shop.primary.query("SELECT COUNT(*) FROM shop.only_there") == ((0,),)
	finally:
		shop.primary.query("DROP TABLE shop.only_there")


def test_a_write_that_names_a_log_table_as_well_is_refused(shop, host, router):
	with router.read_only(MAY_NOT, "report"):
		host.current().sql("INSERT INTO log (text) VALUES ('seen')")
		with pytest.raises(WriteInReadOnlyScope):
			host.current().sql("DELETE FROM stock WHERE item IN (SELECT text FROM log)")
		assert server_id(host) in (2, 3)
	host.current().rollback()


def test_a_write_that_names_a_log_table_as_well_keeps_the_scope_on_the_primary(shop, host, router):
	with router.read_only(Need(), "report"):
		host.current().sql("INSERT INTO log (text) VALUES ('bolt')")
		assert server_id(host) in (2, 3)
		host.current().sql("UPDATE stock SET qty = 11 WHERE item IN (SELECT text FROM log)")
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((11,),)
	host.current().rollback()
	assert "report" in router.writers


def test_a_primary_block_inside_may_write(shop, host, alone):
	with alone.read_only(MAY_NOT, "report"):
		with alone.primary():
			host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((11,),)
		with pytest.raises(WriteInReadOnlyScope):
			host.current().sql("DELETE FROM stock")
	host.current().rollback()


def test_an_inner_call_that_may_not_write_leaves_the_outer_one_its_writes(shop, host, router, alone):
	for outer in (router, alone):
		with outer.read_only(Need(), "outer"):
			host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
			with pytest.raises(WriteInReadOnlyScope), outer.read_only(MAY_NOT, "inner"):
				assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((11,),)
				host.current().sql("DELETE FROM stock")
			host.current().sql("UPDATE stock SET qty = 12 WHERE item = 'bolt'")
		host.current().rollback()


def test_an_inner_call_that_does_not_say_may_not_write_either(shop, host, alone):
	with alone.read_only(MAY_NOT, "outer"):
		with pytest.raises(WriteInReadOnlyScope), alone.read_only(Need(), "inner"):
			host.current().sql("DELETE FROM stock")
		with alone.read_only(Need(on_write="primary"), "says that it may"):
			host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
		with pytest.raises(WriteInReadOnlyScope):
			host.current().sql("DELETE FROM stock")
	host.current().rollback()


def test_an_inner_call_finds_a_replica_of_its_own_where_the_outer_one_found_none(host, router):
	router.writers.add("outer")
	with router.read_only(MAY_NOT, "outer"):
		assert server_id(host) == 1
		with router.read_only(Need(), "inner"):
			assert server_id(host) in (2, 3)
			with pytest.raises(WriteInReadOnlyScope):
				host.current().sql("DELETE FROM stock")
		assert server_id(host) == 1


def test_a_commit_inside_runs_callbacks_that_may_write(shop, host, alone):
	ran = []
	host.current().after_commit.append(
		lambda: ran.append(list(host.current().sql("UPDATE stock SET qty = qty + 1")))
	)
	with alone.read_only(MAY_NOT, "report"):
		host.current().commit()
		assert ran == [[]]
		with pytest.raises(WriteInReadOnlyScope):
			host.current().sql("DELETE FROM stock")
	host.current().commit()
	assert shop.primary.query("SELECT SUM(qty) FROM shop.stock") == ((63,),)
