# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A replica that answers, but lacks something, is out of step, out of disk, or no replica any more."""

import os
import time
from collections.abc import Iterator

import pytest

from read_replica.engine.errors import WriteInReadOnlyScope
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import Need
from support.plain import PlainHost
from support.servers import MariaDB, cluster, run

from .conftest import close, endpoint, make_router, until


def server_id(host) -> int:
	return host.current().sql("SELECT @@server_id")[0][0]


def answered_by(host, router, **need) -> int:
	with router.read_only(Need(**need), "report"):
		return server_id(host)


def on_one_server_alone(server: MariaDB, *statements: str) -> None:
	"""Change a server without a trace in its binary log: no other will have it."""
	with server.admin() as connection:
		for statement in ("SET SESSION sql_log_bin = 0", *statements):
			run(connection, statement)


@pytest.fixture
def lacking(shop):
	"""The replicas have neither the column stock.shelf, nor the table shop.shelves, nor the database depot."""
	on_one_server_alone(
		shop.primary,
		"ALTER TABLE shop.stock ADD COLUMN shelf VARCHAR(9) DEFAULT 'A1'",
		"CREATE TABLE shop.shelves AS SELECT 'A1' AS name",
		"CREATE DATABASE depot",
		"CREATE TABLE depot.shelves AS SELECT 'D1' AS name",
	)
	yield shop
	on_one_server_alone(
		shop.primary,
		"ALTER TABLE shop.stock DROP COLUMN shelf",
		"DROP TABLE shop.shelves",
		"DROP DATABASE depot",
	)


@pytest.fixture
def crashed(shop):
	"""A table of MyISAM that has lost its last rows on the replicas, as in a power cut."""
	shop.primary.query("CREATE TABLE shop.notes (id INT PRIMARY KEY, text VARCHAR(99)) ENGINE = MyISAM")
	shop.primary.query("INSERT INTO shop.notes SELECT seq, 'a note' FROM shop.seq_1_to_2000")
	shop.catch_up()
	for replica in shop.replicas:
		on_one_server_alone(replica, "FLUSH TABLES shop.notes")
		rows = replica.folder / "data" / "shop" / "notes.MYD"
		os.truncate(rows, rows.stat().st_size // 2)
	yield shop
	shop.primary.query("DROP TABLE shop.notes")
	shop.catch_up()


def test_a_table_that_is_crashed_on_its_replica_is_read_on_the_primary(host, router, crashed):
	with router.read_only(Need(), "report"):
		assert host.current().sql("SELECT text FROM notes WHERE id = 2000") == (("a note",),)
	assert router.metrics.of("primary", Reason.MISSING) == 1
	# The replica is as good as before for everything else.
	assert answered_by(host, router) in (2, 3)


@pytest.mark.parametrize(
	("statement", "answer"),
	[
		("SELECT shelf FROM stock WHERE item = 'bolt'", "A1"),
		("SELECT name FROM shelves", "A1"),
		("SELECT name FROM depot.shelves", "D1"),
	],
)
def test_what_is_missing_on_the_replica_is_read_from_the_primary(lacking, host, router, statement, answer):
	with router.read_only(Need(), "report"):
		assert server_id(host) in (2, 3)
		assert host.current().sql(statement) == ((answer,),)
		assert server_id(host) == 1, "what was read there fits together"
	assert router.metrics.of("primary", Reason.MISSING) == 1
	assert answered_by(host, router) in (2, 3), "the next call may not need it"
	assert host.logged("replica_down") == []


def test_what_is_missing_on_the_replica_is_read_with_the_variables_of_the_scope(lacking, host, router):
	with router.read_only(Need(), "report"):
		host.current().sql("SET @wanted = 7")
		assert host.current().sql("SELECT @wanted, COUNT(*) FROM shelves")[0] == (7, 1)


def test_a_write_to_a_table_that_only_the_primary_has_is_a_write(lacking, host, router):
	with pytest.raises(WriteInReadOnlyScope), router.read_only(Need(on_write="error"), "report"):
		host.current().sql("INSERT INTO shelves VALUES ('A2')")
	assert lacking.primary.query("SELECT COUNT(*) FROM shop.shelves") == ((1,),)


def test_a_replica_without_the_programs_database_is_down_and_the_primary_answers(lacking):
	host = PlainHost(lacking.primary.address("depot"), lacking.redis.client())
	router = make_router(host, *[endpoint(replica) for replica in lacking.replicas])
	with router.read_only(Need(), "report"):
		assert host.current().sql("SELECT name, @@server_id FROM shelves") == (("D1", 1),)
	assert [event["error"] for event in host.logged("replica_down")] == ["OperationalError 1049"] * 2
	host.current().close()
	close(router)


def test_a_database_that_is_dropped_on_the_replica_while_it_is_in_use_is_read_from_the_primary(shop):
	shop.primary.query("CREATE DATABASE depot")
	shop.primary.query("CREATE TABLE depot.shelves AS SELECT 'D1' AS name")
	shop.catch_up()
	host = PlainHost(shop.primary.address("depot"), shop.redis.client())
	router = make_router(host, endpoint(shop.replicas[0]))
	try:
		assert answered_by(host, router, consistency="eventual") == 2
		on_one_server_alone(shop.replicas[0], "DROP DATABASE depot")
		for _ in range(3):
			with router.read_only(Need(consistency="eventual"), "report"):
				assert host.current().sql("SELECT name FROM shelves") == (("D1",),)
	finally:
		close(router)
		# It holds the lock of a table that it has read.
		host.current().close()
		shop.primary.query("DROP DATABASE IF EXISTS depot")


@pytest.fixture
def broken(shop, host) -> Iterator[tuple]:
	"""A replica whose replication has ended with an error, at a row that it has already, and its router."""
	replica = shop.replicas[0]
	router = make_router(host, endpoint(replica))
	router.health.run_round()
	on_one_server_alone(replica, "INSERT INTO shop.stock VALUES ('gear', 1)")
	host.current().sql("INSERT INTO stock VALUES ('gear', 50)")
	host.current().commit()
	until(lambda: replica.query("SHOW SLAVE STATUS")[0][11] == "No")
	yield replica, router
	repair(replica)
	shop.catch_up()
	close(router)


def repair(replica: MariaDB) -> None:
	on_one_server_alone(replica, "DELETE FROM shop.stock WHERE item = 'gear' AND qty = 1")
	replica.query("START SLAVE")


def test_a_replica_whose_replication_ended_with_an_error_shows_no_user_less_than_they_wrote(broken, host):
	_, router = broken

	def gears(**need) -> tuple:
		with router.read_only(Need(**need), "report"):
			return host.current().sql("SELECT qty, @@server_id FROM stock WHERE item = 'gear'")[0]

	assert gears(consistency="eventual") == (1, 2), "it is not late yet for who accepts that"
	assert gears() == (50, 1)
	host.end_request(router)
	assert gears() == (50, 1)


def test_a_replica_whose_replication_ended_with_an_error_is_back_in_use_once_it_is_repaired(broken, host):
	replica, router = broken
	until(lambda: answered_by(host, router, consistency="eventual", max_lag=0.5) == 1)
	repair(replica)
	until(lambda: answered_by(host, router, consistency="eventual", max_lag=0.5) == 2)
	assert host.logged("replica_down") == [], "it has answered all the time"


@pytest.fixture
def out_of_disk(shop) -> Iterator[MariaDB]:
	"""The first replica has no room for temporary tables of new sessions."""
	replica = shop.replicas[0]
	replica.query("SET GLOBAL tmp_memory_table_size = 1024, GLOBAL tmp_disk_table_size = 16384")
	yield replica
	replica.query("SET GLOBAL tmp_memory_table_size = DEFAULT, GLOBAL tmp_disk_table_size = DEFAULT")


SORTS_ON_DISK = "SELECT COUNT(*), @@server_id FROM (SELECT DISTINCT REPEAT(seq, 99) FROM seq_1_to_5000) big"


@pytest.fixture
def without_tmpdir(shop) -> Iterator[MariaDB]:
	"""The first replica cannot make a temporary file."""
	replica = shop.replicas[0]
	replica.query("SET GLOBAL tmp_memory_table_size = 1024")
	(replica.folder / "tmp").rename(replica.folder / "elsewhere")
	yield replica
	(replica.folder / "elsewhere").rename(replica.folder / "tmp")
	replica.query("SET GLOBAL tmp_memory_table_size = DEFAULT")


@pytest.mark.parametrize("trouble", ["out_of_disk", "without_tmpdir"])
def test_a_query_for_which_the_replica_has_no_room_is_answered_elsewhere(shop, host, request, trouble):
	router = make_router(host, endpoint(request.getfixturevalue(trouble)))
	with router.read_only(Need(), "report"):
		assert host.current().sql(SORTS_ON_DISK) == ((5000, 1),)
	assert router.metrics.of("replica01", Reason.TROUBLE) == 1
	close(router)


def test_a_replica_in_trouble_is_left_alone_for_longer_each_time_and_logged_once(shop, host, out_of_disk):
	router = make_router(host, endpoint(out_of_disk))
	began = time.monotonic()
	while time.monotonic() - began < 2:
		with router.read_only(Need(), "report"):
			assert host.current().sql(SORTS_ON_DISK) == ((5000, 1),)
		time.sleep(0.02)
	# At first, and after one second; then not before two more.
	assert router.metrics.of("replica01", Reason.TROUBLE) == 2
	assert len(host.logged("replica_down")) == 1 and host.logged("replica_back") == []
	close(router)


@pytest.fixture
def writable(shop):
	"""The replicas take writes, as the primary does."""
	for replica in shop.replicas:
		replica.query("SET GLOBAL read_only = 0")
	yield shop
	for replica in shop.replicas:
		replica.query("SET GLOBAL read_only = 1")


WRITES = (
	"UPDATE stock SET qty = 1",
	"CREATE TABLE made_in_scope (id INT)",
	"CREATE TEMPORARY TABLE scratch (id INT)",
	"TRUNCATE TABLE stock",
	"SELECT * FROM stock FOR UPDATE",
	# MariaDB logs these even where it refuses them, and the log of a replica must hold nothing of its own.
	"ANALYZE TABLE stock",
	"analyze no_write_to_binlog table stock",
	"/* all */ FLUSH TABLES",
)


def test_nothing_is_written_to_a_replica_that_takes_writes(writable, host, router):
	for number, statement in enumerate(WRITES):
		with router.read_only(Need(), f"report{number}"):
			host.current().sql("BEGIN")
			assert server_id(host) in (2, 3)
			host.current().sql(statement)
			assert server_id(host) == 1, statement
		host.current().rollback()
	writable.primary.query("DROP TABLE IF EXISTS shop.made_in_scope")
	writable.catch_up()
	for replica in writable.replicas:
		[[binlog_state]] = replica.query("SELECT @@gtid_binlog_state")
		assert f"-{replica.server_id}-" not in binlog_state


def test_a_statement_that_is_logged_always_is_a_write_where_none_is_allowed(host, router):
	with pytest.raises(WriteInReadOnlyScope), router.read_only(Need(on_write="error"), "report"):
		host.current().sql("ANALYZE TABLE stock")


def test_a_replica_that_was_killed_while_it_began_to_replicate_does_so_again_once_its_relay_log_is_reset():
	with cluster(replicas=1, redis=False) as servers:
		servers.catch_up()
		[replica] = servers.replicas
		replica.kill()
		# What a kill leaves behind between two steps: an index that names relay logs which are gone.
		for relay_log in (replica.folder / "data").glob("*relay-bin.0*"):
			relay_log.unlink()
		replica.start()
		assert "Failed to initialize the master info structure" in (replica.folder / "server.log").read_text()
		servers.primary.query("CREATE DATABASE shop")
		servers.catch_up()
		assert replica.query("SHOW DATABASES LIKE 'shop'")
