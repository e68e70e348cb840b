# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What servers from 10.6 to 12 answer is understood, whatever type a driver gives it."""

from decimal import Decimal

import pymysql
import pytest

from read_replica.engine import dialect
from read_replica.engine.dialect import ErrorKind

IDENTITY = (7, 2, "db-b", 3306)


@pytest.mark.parametrize(
	"value", [1, "1", b"1", "ON", b"ON", "on", "NO_LOCK", b"NO_LOCK", "NO_LOCK_NO_ADMIN", Decimal(1)]
)
def test_a_replica_that_refuses_writes_is_known_by_each_servers_word_for_it(value):
	assert dialect.read_health(("0-1-5", value, 0, *IDENTITY)).read_only is True


@pytest.mark.parametrize("value", [0, "0", b"0", "OFF", b"OFF", "off", Decimal(0), None, ""])
def test_a_replica_that_accepts_writes_is_known_by_each_servers_word_for_it(value):
	assert dialect.read_health(("0-1-5", value, 0, *IDENTITY)).read_only is False


@pytest.mark.parametrize(
	("value", "reached"),
	[(0, True), ("0", True), (b"0", True), (-1, False), ("-1", False), (None, False), (Decimal(-1), False)],
)
def test_a_wait_that_has_ended_without_the_position_is_known(value, reached):
	assert dialect.read_health((b"0-1-5", 1, value, *IDENTITY)).reached is reached


def test_a_position_and_a_server_are_read_from_text_and_bytes():
	for position in ("0-1-5", b"0-1-5"):
		answer = dialect.read_health((position, 1, 0, b"7", "2", b"db-b", 3306, b"uid"))
		assert str(answer.position) == "0-1-5"
		assert answer.server == "2 (db-b:3306) uid"


@pytest.mark.parametrize(
	("number", "message", "kind"),
	[
		(1290, "The MariaDB server is running with the --read-only option so ...", ErrorKind.WRITE),
		(1290, "The MariaDB server is running with the --read-only=NO_LOCK option ...", ErrorKind.WRITE),
		(1290, "The MariaDB server is running with the read_only option ...", ErrorKind.WRITE),
		(1290, "The MariaDB server is running with the --secure-file-priv option ...", ErrorKind.OTHER),
		(1792, "Cannot execute statement in a READ ONLY transaction", ErrorKind.WRITE),
		(1836, "Running in read-only mode", ErrorKind.WRITE),
		(1969, "Query execution was interrupted (max_statement_time exceeded)", ErrorKind.OTHER),
		(1020, "Record has changed since last read in table 'tabItem'", ErrorKind.OTHER),
		(4031, "The client was disconnected by the server because of inactivity", ErrorKind.LOST),
	],
)
def test_an_errors_number_says_what_follows_from_it(number, message, kind):
	assert dialect.kind_of(pymysql.err.OperationalError(number, message)) is kind


def test_this_server_answers_each_question_that_is_put_to_it(shop):
	[replica, _] = shop.replicas
	[row] = replica.query(dialect.health_query(dialect.Position(), 0))
	answer = dialect.read_health(row)
	assert answer.read_only and answer.position and answer.server.startswith("2 (")
	[[position, at]] = shop.primary.query(dialect.PRIMARY_POSITION_QUERY)
	assert dialect.Position(dialect.text(position)).covers(answer.position) and float(at) > 0
	[row] = shop.primary.query(dialect.health_query(dialect.Position(), 0))
	assert not dialect.read_health(row).read_only
