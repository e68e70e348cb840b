# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the doctor knows of the database servers of a site: each is asked once, when a check needs it.

Nearly all of it is told to any user, so no administrator's password is needed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from read_replica.deploy.asked_once import AskedOnce
from read_replica.deploy.doctor import Skipped
from read_replica.deploy.servers import Login, rows, what_failed
from read_replica.engine.sentence import Sentence, sentence_of

# Frappe makes and drops it while it works.
NO_PART_OF_THE_SCHEMA = ("__read_replica_probe",)
# It needs REPLICA MONITOR, which neither the site's user nor the replica's has unless somebody gave it.
NOT_ALLOWED = 1227


@dataclass(frozen=True)
class Variables:
	"""A server's variables and status, and what its connection is like.

	:param clock_ahead: by how many seconds its clock is ahead of this machine's
	:param connections: what SHOW ALL SLAVES STATUS says of each replication connection; None if this user may not
		see it
	"""

	of_server: dict[str, str]
	status: dict[str, str]
	grants: list[str]
	cipher: str
	clock_ahead: float
	timezone_offset: int
	connections: list[dict[str, Any]] | None

	def is_on(self, name: str) -> bool:
		"""Returns whether a switch is on; False if this version has none of that name."""
		return self.of_server.get(name, "OFF").upper() not in ("OFF", "0", "NO", "")

	def __getitem__(self, name: str) -> str:
		return self.of_server[name]


class Server(AskedOnce):
	"""A database server as the site's user, or the replica's, sees it."""

	def __init__(self, login: Login, database: str) -> None:
		self.login = login
		self.name = login.name
		super().__init__()
		self._database = database

	@property
	def variables(self) -> Variables:
		"""Its variables.

		:raises Skipped: if it does not answer
		"""
		return self._once("variables", _variables)

	@property
	def tables(self) -> dict[str, tuple]:
		"""The site's tables: the engine, the collation and a digest of the columns of each, by its name."""
		return self._once("tables", lambda connection: _tables(connection, self._database))

	@property
	def tables_without_key(self) -> list[str]:
		"""The names of the site's tables that have no index at all."""
		return self._once("without_key", lambda connection: _tables_without_key(connection, self._database))

	def has_within(self, position: str, seconds: float) -> bool:
		"""Returns whether the server has applied a position, or does so within some seconds.

		:raises Skipped: if it does not answer
		"""
		found = self._ask(
			lambda connection: rows(connection, "SELECT MASTER_GTID_WAIT(%s, %s)", (position, seconds))
		)
		if isinstance(found, Skipped):
			raise found
		return found[0][0] == 0

	@property
	def error(self) -> str | None:
		"""Why it cannot be asked; None if it can."""
		try:
			self.variables
		except Skipped as reason:
			return sentence_of(reason)
		return None

	def _ask(self, ask: Callable[[pymysql.Connection], Any]) -> Any:
		try:
			connection = self.login.connect()
		except (pymysql.err.MySQLError, OSError) as error:
			return Skipped(Sentence("{0} cannot be asked: {1}", self.name, what_failed(error)))
		try:
			return ask(connection)
		except pymysql.err.MySQLError as error:
			return Skipped(Sentence("{0} does not tell: {1}", self.name, what_failed(error)))
		finally:
			connection.close()


class Databases:
	"""The primary of a site and its replicas.

	:param site_user: the user that the site itself logs in with
	"""

	def __init__(self, primary: Login, replicas: Sequence[Login], database: str, site_user: str) -> None:
		self.primary = Server(primary, database)
		self.replicas = [Server(login, database) for login in replicas]
		self.database = database
		self.site_user = site_user

	@cached_property
	def all(self) -> list[Server]:
		"""The primary, and then the replicas."""
		return [self.primary, *self.replicas]


def _variables(connection: pymysql.Connection) -> Variables:
	began = time.time()
	[(clock, offset)] = rows(
		connection, "SELECT UNIX_TIMESTAMP(NOW(6)), TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())"
	)
	ended = time.time()
	[(_, cipher)] = rows(connection, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
	return Variables(
		of_server=dict(rows(connection, "SHOW GLOBAL VARIABLES")),
		status=dict(rows(connection, "SHOW GLOBAL STATUS")),
		grants=[row[0] for row in rows(connection, "SHOW GRANTS")],
		cipher=cipher,
		clock_ahead=float(clock) - (began + ended) / 2,
		# Whole quarters of an hour, as the two functions may see different seconds.
		timezone_offset=round(int(offset) / 900) * 900,
		connections=_connections(connection),
	)


def _connections(connection: pymysql.Connection) -> list[dict[str, Any]] | None:
	try:
		with connection.cursor(DictCursor) as cursor:
			cursor.execute("SHOW ALL SLAVES STATUS")
			return list(cursor.fetchall())
	except pymysql.err.MySQLError as error:
		if error.args[0] != NOT_ALLOWED:
			raise
		return None


def _tables(connection: pymysql.Connection, database: str) -> dict[str, tuple]:
	rows(connection, "SET SESSION group_concat_max_len = 1000000")
	columns = dict(
		rows(
			connection,
			"SELECT table_name, MD5(GROUP_CONCAT(CONCAT_WS(' ', column_name, column_type, is_nullable,"
			" column_default, collation_name) ORDER BY column_name SEPARATOR ','))"
			" FROM information_schema.columns WHERE table_schema = %s GROUP BY table_name",
			(database,),
		)
	)
	found = rows(
		connection,
		"SELECT table_name, engine, table_collation FROM information_schema.tables"
		" WHERE table_schema = %s AND table_type = 'BASE TABLE'",
		(database,),
	)
	return {
		name: (engine, collation, columns.get(name))
		for name, engine, collation in found
		if name not in NO_PART_OF_THE_SCHEMA
	}


def _tables_without_key(connection: pymysql.Connection, database: str) -> list[str]:
	found = rows(
		connection,
		"SELECT table_name FROM information_schema.tables AS tables WHERE table_schema = %s"
		" AND table_type = 'BASE TABLE' AND NOT EXISTS (SELECT 1 FROM information_schema.statistics AS keys_of"
		" WHERE keys_of.table_schema = tables.table_schema AND keys_of.table_name = tables.table_name)",
		(database,),
	)
	return sorted(row[0] for row in found)
