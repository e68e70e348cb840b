# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Logs in to a database server, for what is set up or proved there."""

from dataclasses import dataclass, field
from typing import Any

import pymysql

from read_replica.engine.sentence import Sentence

SECONDS_TO_CONNECT = 5
SECONDS_TO_ANSWER = 20


@dataclass(frozen=True)
class Login:
	"""A server's address, and who logs in there.

	:param tls: PyMySQL's `ssl`: `ca`, `cert`, `key`, `check_hostname`; empty: as the driver does by itself
	:param socket: the path of its socket, if that is used in place of host and port
	"""

	name: str
	host: str
	port: int
	user: str
	password: str = field(repr=False)
	tls: dict[str, Any] | None = None
	socket: str | None = None

	def connect(self, user: str | None = None, password: str | None = None) -> Any:
		"""Returns an autocommit connection, as this user or as another one.

		:raises pymysql.err.MySQLError: if that is not possible
		"""
		return pymysql.connect(
			host=self.host,
			port=self.port,
			user=self.user if user is None else user,
			password=self.password if password is None else password,
			unix_socket=self.socket,
			ssl=self.tls or None,
			charset="utf8mb4",
			connect_timeout=SECONDS_TO_CONNECT,
			read_timeout=SECONDS_TO_ANSWER,
			write_timeout=SECONDS_TO_ANSWER,
			autocommit=True,
		)


def rows(connection: Any, statement: str, values: tuple | None = None) -> list[tuple]:
	"""Runs a statement and returns its rows.

	:raises pymysql.err.MySQLError: if the server refuses it
	"""
	with connection.cursor() as cursor:
		cursor.execute(statement, values)
		return list(cursor.fetchall())


def address_seen_by(login: Login) -> str:
	"""Returns the address or name by which a server knows this machine, as accounts have it.

	:raises pymysql.err.MySQLError: if it cannot be asked
	"""
	connection = login.connect()
	try:
		[[user]] = rows(connection, "SELECT USER()")
	finally:
		connection.close()
	return user.rpartition("@")[2]


def what_failed(error: Exception) -> str:
	"""Returns an error of the driver in a line, as the server has said it."""
	number, *rest = error.args or ("",)
	return Sentence("error {0}: {1}", number, rest[0]) if rest else str(error)
