# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tries whether this machine can read a site's database on a replica, and finds the SQL that mends it if not."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import pymysql

from read_replica.deploy.accounts import Account, grant_identifier, identifier
from read_replica.deploy.servers import Login, rows, what_failed

Found = Literal[
	"works",
	"unreachable",
	"tls",
	"host_refused",
	"login_refused",
	"not_granted",
	"no_database",
	"primary_itself",
]

# 2026 is what the driver says of TLS; 1130 a host that no account is for, 1045 no such account or another password;
# 1044 and 1142 no grant on a database or table; 1049 and 1146 no such database or table.
FOUND_BY_ERROR: dict[int, Found] = {
	2026: "tls",
	1130: "host_refused",
	1045: "login_refused",
	1044: "not_granted",
	1142: "not_granted",
	1049: "no_database",
	1146: "no_database",
}

# As a server names who was refused; or, with 1130, the host alone.
REFUSED_ACCOUNT = re.compile(r"'[^']*'@'(?P<host>[^']+)'|Host '(?P<only_host>[^']+)'")

ONE_SERVER = "SELECT @@hostname, @@port, @@server_id, @@datadir"


@dataclass(frozen=True)
class ConnectionTest:
	"""What a test has found.

	:param said: an error, as the server or the driver has said it
	:param sql: what mends it, to be run on the primary; it has `…` for the password
	"""

	found: Found
	said: str = ""
	sql: tuple[str, ...] = ()


def try_connection(replica: Login, primary: Login, database: str, table: str) -> ConnectionTest:
	"""Log in to a replica as the site does, and read one row; nothing is changed.

	:param primary: the site's own login
	:param database: the site's
	:param table: one of the site's tables
	"""
	try:
		connection = replica.connect()
	except (pymysql.err.MySQLError, OSError, RuntimeError) as error:
		return ConnectionTest(
			_found_by(error), what_failed(error), _account_for(error, replica, primary, database)
		)
	try:
		rows(connection, f"SELECT 1 FROM {identifier(database)}.{identifier(table)} LIMIT 1")
		return ConnectionTest("primary_itself" if _is_primary(connection, primary) else "works")
	except pymysql.err.MySQLError as error:
		found = _found_by(error)
		sql = (_grant(_account_of(connection), database),) if found == "not_granted" else ()
		return ConnectionTest(found, what_failed(error), sql)
	finally:
		connection.close()


def _found_by(error: Exception) -> Found:
	return FOUND_BY_ERROR.get(error.args[0] if error.args else 0, "unreachable")


def _is_primary(replica: Any, primary: Login) -> bool:
	connection = primary.connect()
	try:
		return rows(connection, ONE_SERVER) == rows(replica, ONE_SERVER)
	finally:
		connection.close()


def _account_of(connection: Any) -> Account:
	[[account]] = rows(connection, "SELECT CURRENT_USER()")
	user, _, host = account.rpartition("@")
	return Account(user, host)


def _account_for(error: Exception, replica: Login, primary: Login, database: str) -> tuple[str, ...]:
	"""Returns the SQL that makes the account that was refused; none for the site's own user.

	That user writes on the primary. An account for this host that may only read would be taken there before the one
	that it has, and refuse its writes.
	"""
	host = REFUSED_ACCOUNT.search(str(error.args[-1])) if error.args else None
	if _found_by(error) not in ("host_refused", "login_refused") or not host or replica.user == primary.user:
		return ()
	account = Account(replica.user, host["host"] or host["only_host"])
	return (
		f"CREATE USER IF NOT EXISTS {account}",
		f"ALTER USER {account} IDENTIFIED BY '…'",
		_grant(account, database),
	)


def _grant(account: Account, database: str) -> str:
	return f"GRANT SELECT ON {grant_identifier(database)}.* TO {account}"
