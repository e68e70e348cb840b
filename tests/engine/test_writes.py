# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a read-only scope does with a write: the primary carries it out, or an error names it."""

import pytest

from read_replica.engine.errors import WriteInReadOnlyScope
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import Need
from support.trouble import standing_still

from .conftest import close, endpoint, make_router


def server_id(host) -> int:
	return host.current().sql("SELECT @@server_id")[0][0]


def test_a_write_in_a_scope_is_carried_out_in_the_primarys_transaction(shop, host, router):
	with router.read_only(Need(), "report"):
		host.current().sql("INSERT INTO stock VALUES ('washer', 40)")
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'washer'") == ((40,),)
	assert shop.primary.query("SELECT COUNT(*) FROM shop.stock") == ((3,),)
	host.current().commit()
	assert shop.primary.query("SELECT COUNT(*) FROM shop.stock") == ((4,),)


def test_what_a_primary_block_has_written_is_read_by_the_rest_of_the_scope(host, router):
	with router.read_only(Need(), "report"):
		assert server_id(host) in (2, 3)
		with router.primary():
			host.current().sql("UPDATE stock SET qty = 77 WHERE item = 'bolt'")
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((77,),)
		with router.read_only(Need(), "nested"):
			assert server_id(host) == 1
	host.current().rollback()
	assert "report" not in router.writers, "it has said itself where it writes"


def test_a_primary_block_that_only_reads_leaves_the_scope_on_its_replica(host, router):
	with router.read_only(Need(), "report"):
		with router.primary():
			host.current().sql("SELECT * FROM stock")
		assert server_id(host) in (2, 3)


def test_a_primary_block_that_only_reads_leaves_an_eventual_scope_on_its_replica_after_a_commit(host, router):
	host.current().sql("UPDATE stock SET qty = 1")
	host.current().commit()
	with router.read_only(Need(consistency="eventual"), "report"):
		with router.primary():
			host.current().sql("SELECT * FROM stock")
		assert server_id(host) in (2, 3)
		with router.primary():
			host.current().sql("UPDATE stock SET qty = 2")
			host.current().commit()
		assert server_id(host) == 1


def test_the_rest_of_the_scope_stays_on_the_primary_after_a_write(host, router):
	with router.read_only(Need(), "report"):
		assert server_id(host) in (2, 3)
		host.current().sql("UPDATE stock SET qty = 1")
		assert server_id(host) == 1
		with router.read_only(Need(), "nested"):
			assert server_id(host) == 1
	host.current().rollback()
	assert router.metrics.of("primary", Reason.WROTE) == 1


@pytest.mark.parametrize(
	"statement",
	[
		"UPDATE stock SET qty = 1",
		"DELETE FROM stock",
		"REPLACE INTO stock VALUES ('bolt', 1)",
		"INSERT INTO stock VALUES ('washer', 1)",
		"SELECT * FROM stock FOR UPDATE",
		"CREATE TEMPORARY TABLE scratch (id INT)",
		"CREATE TABLE made_in_scope (id INT)",
		"DROP TABLE IF EXISTS made_in_scope",
		"TRUNCATE TABLE stock",
	],
)
def test_writes_reads_for_update_and_ddl_never_reach_a_replica(shop, host, router, statement):
	with router.read_only(Need(), "report"):
		host.current().sql(statement)
		assert server_id(host) == 1
	host.current().rollback()
	shop.primary.query("DROP TABLE IF EXISTS shop.made_in_scope")
	shop.catch_up()
	for replica in shop.replicas:
		assert replica.query("SHOW SLAVE STATUS")[0][11] == "Yes", "replication must not have stopped"


def test_a_replica_without_read_only_is_never_written_either(shop, host, router):
	for replica in shop.replicas:
		replica.query("SET GLOBAL read_only = 0")
	try:
		with router.read_only(Need(), "report"):
			host.current().sql("INSERT INTO stock VALUES ('washer', 40)")
		host.current().rollback()
		for replica in shop.replicas:
			assert replica.query("SELECT COUNT(*) FROM shop.stock") == ((3,),)
	finally:
		for replica in shop.replicas:
			replica.query("SET GLOBAL read_only = 1")


def test_a_method_caught_writing_stays_on_the_primary(host, router):
	with router.read_only(Need(), "writes"):
		host.current().sql("UPDATE stock SET qty = 1")
	host.current().rollback()
	with router.read_only(Need(), "writes"):
		assert server_id(host) == 1
	with router.read_only(Need(), "reads"):
		assert server_id(host) in (2, 3)
	assert router.metrics.of("primary", Reason.WRITER) == 1
	[event] = host.logged("writer_found")
	assert event["method"] == "writes" and event["table"] == "stock"
	assert host.shared.load_written_tables() == {"writes": "stock"}


def test_another_process_learns_of_a_method_that_writes(shop, host, router):
	with router.read_only(Need(), "writes"):
		host.current().sql("UPDATE stock SET qty = 1")
	host.current().rollback()
	other = make_router(host, endpoint(shop.replicas[0]))
	with other.read_only(Need(), "writes"):
		assert server_id(host) == 1
	host.shared.clear_writers()
	assert host.shared.load_written_tables() == {}
	cleared = make_router(host, endpoint(shop.replicas[0]))
	with cleared.read_only(Need(), "writes"):
		assert server_id(host) == 2
	close(other)
	close(cleared)


def test_on_write_error_names_the_method_the_table_and_the_way_out(shop, host, router):
	with (
		pytest.raises(WriteInReadOnlyScope) as raised,
		router.read_only(Need(on_write="error"), "shop.report"),
	):
		host.current().sql("DELETE FROM stock")
	for word in ("shop.report", "stock", "primary()"):
		assert word in str(raised.value)
	assert shop.primary.query("SELECT COUNT(*) FROM shop.stock") == ((3,),)
	assert host.current().sql("SELECT @@server_id") == ((1,),)


def test_a_log_row_goes_to_the_primary_and_the_scope_stays_on_its_replica(host, router):
	with router.read_only(Need(on_write="error"), "report"):
		host.current().sql("INSERT INTO log (text) VALUES ('seen')")
		assert server_id(host) in (2, 3)
		assert host.current().sql("SELECT text FROM log") == (("seen",),)
	assert host.current().sql("SELECT text FROM log") == (("seen",),)
	host.current().rollback()
	assert "report" not in router.writers


def test_a_table_that_is_written_back_is_read_from_the_primary(shop, host, router):
	with standing_still(shop):
		shop.primary.query("INSERT INTO shop.`__UserSettings` VALUES ('ann', 'newest')")
		with router.read_only(Need(), "list"):
			assert host.current().sql("SELECT data FROM `__UserSettings`") == (("newest",),)


def test_callbacks_registered_in_a_scope_run_once_with_the_primarys_commit(host, router):
	ran = []
	with router.read_only(Need(), "report"):
		host.current().after_commit.append(lambda: ran.append(server_id(host)))
	assert ran == []
	host.current().commit()
	host.current().commit()
	assert ran == [1]


def test_a_commit_inside_a_scope_runs_callbacks_on_the_primary_and_renews_the_snapshot(shop, host, router):
	ran = []
	with router.read_only(Need(), "report"):
		host.current().sql("SELECT * FROM stock")
		host.current().after_commit.append(lambda: ran.append(server_id(host)))
		shop.primary.query("INSERT INTO shop.stock VALUES ('washer', 40)")
		shop.catch_up()
		host.current().commit()
		assert ran == [1]
		assert server_id(host) in (2, 3)
		assert host.current().sql("SELECT COUNT(*) FROM stock") == ((4,),)


def test_a_statement_at_fault_is_raised_and_not_sent_to_the_primary(host, router):
	with router.read_only(Need(), "report"):
		with pytest.raises(Exception, match="doesn't exist"):
			host.current().sql("SELECT * FROM no_such_table")
		assert server_id(host) in (2, 3)


def test_a_user_that_may_only_select_is_enough_for_a_replica(shop, host):
	shop.primary.query("CREATE OR REPLACE USER 'reader'@'127.0.0.1' IDENTIFIED BY 'r'")
	shop.primary.query("GRANT SELECT ON shop.stock TO 'reader'@'127.0.0.1'")
	shop.catch_up()
	router = make_router(host, endpoint(shop.replicas[0], user="reader", password="r"))
	with router.read_only(Need(), "report"):
		assert host.current().sql("SELECT COUNT(*) FROM stock") == ((3,),)
		assert server_id(host) == 2
		# Not granted on the replica: the primary answers, and the method is no writer for that.
		assert host.current().sql("SELECT COUNT(*) FROM log") == ((0,),)
		assert server_id(host) == 2
		host.current().sql("UPDATE stock SET qty = 1")
		assert server_id(host) == 1
	host.current().rollback()
	assert router.metrics.of("primary", Reason.DENIED) == 1
	close(router)


def test_a_connection_with_session_state_is_not_used_again(host, router):
	for _ in range(10):
		with router.read_only(Need(), "report"):
			assert host.current().sql("SELECT @left_behind") == ((None,),)
			host.current().sql("SET @left_behind = 1")


def test_a_statement_is_ended_by_the_server_after_its_timeout(host, router):
	with router.read_only(Need(timeout=0.2), "slow"):
		with pytest.raises(Exception, match="max_statement_time"):
			host.current().sql("SELECT COUNT(*) FROM seq_1_to_100000000 a JOIN seq_1_to_1000 b")
	with router.read_only(Need(), "quick"):
		assert host.current().sql("SELECT @@max_statement_time") == ((300.0,),)


def test_a_primary_block_that_only_reads_leaves_the_scope_on_its_replica_although_a_log_row_is_pending(
	shop, host, router
):
	with router.read_only(Need(), "report") as scope:
		host.current().sql("INSERT INTO log (text) VALUES ('noticed')")
		with router.primary():
			host.current().sql("SELECT COUNT(*) FROM stock")
		assert not scope.pinned
		with router.primary():
			host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
		assert scope.pinned
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((11,),)
	host.current().rollback()


def test_a_write_in_an_inner_scope_keeps_the_scope_around_it_on_the_primary(stopped, host, router):
	with router.read_only(Need(consistency="eventual"), "outer") as outer:
		with router.read_only(Need(consistency="eventual", max_lag=10), "inner"):
			host.current().sql("UPDATE stock SET qty = 11 WHERE item = 'bolt'")
		assert outer.pinned
		assert host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'") == ((11,),)
	host.current().rollback()
