# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a server works on is told for one user in one database, without values, and one statement of it can be ended."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest

from read_replica.engine import dialect
from support.servers import Cluster
from support.waiting import until

SLEEP = "SELECT SLEEP(60), 'a secret' FROM `stock` WHERE qty = 10"


@pytest.fixture
def users(shop: Cluster) -> Iterator[Cluster]:
	for user in ("reader", "other"):
		shop.primary.query(f"CREATE OR REPLACE USER {user}@'127.0.0.1' IDENTIFIED BY 'p'")
		shop.primary.query(f"GRANT SELECT ON *.* TO {user}@'127.0.0.1'")
	# Sees all users' statements, and may still be shown only its own.
	shop.primary.query("GRANT PROCESS ON *.* TO reader@'127.0.0.1'")
	shop.catch_up()
	yield shop
	for user in ("reader", "other"):
		shop.primary.query(f"DROP USER {user}@'127.0.0.1'")
	shop.catch_up()


def connect(servers: Cluster, user: str = "reader", database: str = "shop") -> pymysql.Connection:
	address = servers.replicas[0].address(database) | {"user": user, "password": "p"}
	return pymysql.connect(**address, autocommit=True)


class Sleeper:
	"""A connection on which a statement runs in a thread."""

	def __init__(self, connection: pymysql.Connection, statement: str = SLEEP):
		self.connection = connection
		self.error: Exception | None = None
		self._thread = threading.Thread(target=self._run, args=(statement,), daemon=True)
		self._thread.start()

	def _run(self, statement: str) -> None:
		try:
			dialect.execute(self.connection, statement)
		except Exception as error:
			self.error = error

	def join(self) -> None:
		self._thread.join(20)
		assert not self._thread.is_alive()


def running(connection: pymysql.Connection) -> list[dialect.RunningStatement]:
	return dialect.own_processes(connection, 5).running


def test_only_statements_of_the_same_user_in_the_same_database_are_shown_and_without_values(users):
	with closing(connect(users)) as looks, closing(connect(users)):
		sleepers = [
			Sleeper(connect(users)),
			Sleeper(connect(users, "other")),
			Sleeper(connect(users, database="mysql"), "SELECT SLEEP(61)"),
		]
		server = users.replicas[0]
		until(
			lambda: server.query(
				"SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
			)[0][0]
			== 3
		)
		found = dialect.own_processes(looks, 5)
		[one] = found.running
		assert one.statement == "SELECT SLEEP(?), ? FROM `stock` WHERE qty = ?" and one.seconds < 60
		# The idle one counts, and the one that looks does not.
		assert found.connections == 2
		for (id,) in server.query(
			"SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
		):
			server.query(f"KILL {id}")
		for sleeper in sleepers:
			sleeper.join()


def test_the_statement_that_was_meant_is_ended_and_its_connection_goes_on(users):
	with (
		closing(connect(users)) as looks,
		closing(connect(users)) as first,
		closing(connect(users)) as second,
	):
		ended, stays = Sleeper(first), Sleeper(second)
		until(lambda: len(running(looks)) == 2)
		began = time.monotonic()
		id = running(looks)[0].id
		dialect.end_statement(looks, id, 5)
		until(lambda: len(running(looks)) == 1)
		assert time.monotonic() - began < 10
		until(lambda: bool(ended.error or stays.error))
		gone = ended if ended.error else stays
		assert (
			dialect.number_of(gone.error) == 1317 and dialect.kind_of(gone.error) is dialect.ErrorKind.OTHER
		)
		gone.join()
		assert dialect.execute(gone.connection, "SELECT 1") == (1,)
		# The id of what has ended is nobody's.
		with pytest.raises(pymysql.err.MySQLError):
			dialect.end_statement(looks, id, 5)
		[other] = running(looks)
		dialect.end_statement(looks, other.id, 5)
		(stays if gone is ended else ended).join()


@pytest.mark.parametrize(
	("statement", "shown"),
	[
		("select 1", "select ?"),
		("select 'it''s', \"a\\\"b\", 1.5e3\n\tfrom `tab 2`", "select ??, ?, ? from `tab 2`"),
		("select * from tab2 where a = 0x1F and b in (1,2)", "select * from tab2 where a = ? and b in (?,?)"),
		("select 'cut off in the mid", "select ?"),
		("select 'cut off at a \\", "select ?"),
	],
)
def test_no_value_is_left_in_the_text_of_a_statement(statement, shown):
	assert dialect.without_values(statement) == shown
