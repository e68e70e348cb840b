# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Makes the database user that this site reads its replicas with, and proves that it can read and do nothing else.

It is made on the primary, and replicated: on a replica it would be a transaction that the primary lacks, which
stops the next switchover. On the primary it does no harm, as it may only read there as well.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import pymysql

from read_replica.deploy.accounts import (
	Account,
	create_reader,
	identifier,
	other_grants,
	password_hash,
)
from read_replica.deploy.servers import Login, rows, what_failed

SECONDS_TO_ARRIVE = 10

# What a server says to an account that may not: 1044 no such database for it, 1142 no such command on a table,
# 1227 a privilege is missing, 1370 no such routine for it.
REFUSED_BY_GRANTS = (1044, 1142, 1227, 1370)
# A replica is asked second: it refuses writes before it looks at grants.
REFUSED_AS_READ_ONLY = (1290, 1792, 1836)
NO_SUCH_LOGIN = 1045
NO_SUCH_ACCOUNT = 1141


class AccountDiffers(Exception):
	"""Raised when an account of that name is there, and may do more than it should or has another password."""


@dataclass(frozen=True)
class Proof:
	"""What was tried as the new user, and how that went."""

	server: str
	tried: str
	passed: bool
	seen: str


def create(
	primary: Login, accounts: Sequence[Account], password: str, database: str, resets_password: bool = False
) -> list[str]:
	"""Make the accounts on the primary; returns the statements that were run, none if all is as it should be.

	:param primary: with a user who may create users
	:param resets_password: whether an account that is there gets this password in place of its own
	:raises AccountDiffers: if one of them is there already, and may do more than read the database or has another
		password: another app server may read its replicas with it. Nothing is changed then
	:raises pymysql.err.MySQLError: if the server refuses a statement
	"""
	connection = primary.connect()
	try:
		rows(connection, "SET SESSION sql_mode = ''")
		wrong = [
			account
			for account in accounts
			if not _is_right(connection, account, password, database, resets_password)
		]
		needed = create_reader(wrong, password, database)
		for statement in needed:
			rows(connection, statement)
		return needed
	finally:
		connection.close()


def _is_right(
	connection: pymysql.Connection, account: Account, password: str, database: str, resets_password: bool
) -> bool:
	"""Returns whether an account is there with this password and its grant."""
	try:
		grants = [row[0] for row in rows(connection, f"SHOW GRANTS FOR {account}")]
	except pymysql.err.MySQLError as error:
		if error.args[0] != NO_SUCH_ACCOUNT:
			raise
		return False
	if more := other_grants(grants, database):
		raise AccountDiffers(
			f"The account {account} is there already and may do more than read {database}: {'; '.join(more)}."
			" Take another name (--user), or drop that account first."
		)
	has_password = any(password_hash(password) in grant for grant in grants)
	if not has_password and not resets_password:
		raise AccountDiffers(
			f"The account {account} is there already with another password; another app server of the site may"
			" read its replicas with it. Give that password to --take, take another name (--user), or give the"
			" account a new password with --reset-password and write it on all app servers."
		)
	return has_password and len(grants) > 1


def prove(
	primary: Login, replicas: Sequence[Login], user: str, password: str, database: str, table: str
) -> list[Proof]:
	"""Try on the primary and on each replica what the user may do and what it may not.

	Nothing is written, whatever the servers allow: what is tried would change no row, or is undone.

	:param table: a table of the site
	"""
	proofs, position = [], ""
	for server in (primary, *replicas):
		try:
			connection = _log_in(server, user, password, position)
			position = position or rows(connection, "SELECT @@gtid_binlog_pos")[0][0]
		except pymysql.err.MySQLError as error:
			proofs.append(Proof(server.name, "log in", False, _why_no_login(server, primary, error)))
			continue
		try:
			proofs += _prove_on(connection, server, database, table)
		finally:
			connection.close()
	return proofs


def _log_in(server: Login, user: str, password: str, position: str) -> pymysql.Connection:
	"""Returns a connection as the new user, which may take a moment to arrive on a replica, and its grants another one.

	:param position: what a replica must have, as far as it has it within SECONDS_TO_ARRIVE
	"""
	deadline = time.monotonic() + SECONDS_TO_ARRIVE
	while True:
		try:
			connection = server.connect(user, password)
			break
		except pymysql.err.OperationalError as error:
			if error.args[0] != NO_SUCH_LOGIN or time.monotonic() > deadline:
				raise
			time.sleep(0.2)
	if not position:
		return connection
	try:
		rows(connection, "SELECT MASTER_GTID_WAIT(%s, %s)", (position, SECONDS_TO_ARRIVE))
	finally:
		connection.close()
	# A session keeps the grants that it has begun with.
	return server.connect(user, password)


def _why_no_login(server: Login, primary: Login, error: Exception) -> str:
	said = what_failed(error)
	if server is primary or error.args[0] != NO_SUCH_LOGIN:
		return said
	return (
		f"{said}. After {SECONDS_TO_ARRIVE} s the user has not arrived there, or not for this address: look at"
		" SHOW REPLICA STATUS, and whether the replica leaves out the database mysql (replicate_do_db and the like)"
	)


def _prove_on(connection: pymysql.Connection, server: Login, database: str, table: str) -> list[Proof]:
	at = f"{identifier(database)}.{identifier(table)}"
	probe = f"{identifier(database)}.`__read_replica_probe`"
	grants = [row[0] for row in rows(connection, "SHOW GRANTS")]
	more = other_grants(grants, database)
	return [
		_passes(connection, server, "read a table", f"SELECT 1 FROM {at} LIMIT 1"),
		Proof(
			server.name, "hold no other grant", not more, "; ".join(more) or "SELECT on the site's database"
		),
		_is_refused(connection, server, "change a row", f"DELETE FROM {at} WHERE 1 = 0"),
		_is_refused(
			connection, server, "make a temporary table", f"CREATE TEMPORARY TABLE {probe} (number INT)"
		),
		_is_refused(connection, server, "make a table", f"CREATE TABLE IF NOT EXISTS {at} (number INT)"),
		_is_refused(connection, server, "read another database", "SELECT 1 FROM mysql.global_priv LIMIT 1"),
	]


def _passes(connection: pymysql.Connection, server: Login, tried: str, statement: str) -> Proof:
	try:
		rows(connection, statement)
	except pymysql.err.MySQLError as error:
		return Proof(server.name, tried, False, what_failed(error))
	return Proof(server.name, tried, True, "done")


def _is_refused(connection: pymysql.Connection, server: Login, tried: str, statement: str) -> Proof:
	try:
		rows(connection, statement)
	except pymysql.err.MySQLError as error:
		right = error.args[0] in (*REFUSED_BY_GRANTS, *REFUSED_AS_READ_ONLY)
		return Proof(server.name, f"be refused to {tried}", right, what_failed(error))
	return Proof(server.name, f"be refused to {tried}", False, "the server did it")
