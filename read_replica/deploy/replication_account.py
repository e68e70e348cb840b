# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes and looks at the account that one replica logs in with on its primary."""

from typing import Any

import pymysql

from read_replica.deploy.accounts import Account, password_hash, quoted
from read_replica.deploy.replica_user import NO_SUCH_ACCOUNT
from read_replica.deploy.servers import Login, rows

GRANT = "GRANT REPLICATION SLAVE ON *.* TO "


def create_replicator(account: Account, password: str, has_tls: bool) -> list[str]:
	"""Returns the statements that make the account, with the password's hash; run again, they change nothing.

	:param has_tls: whether the account may only log in over TLS
	"""
	how = f"IDENTIFIED VIA mysql_native_password USING {quoted(password_hash(password))}"
	how += " REQUIRE SSL" if has_tls else " REQUIRE NONE"
	return [
		f"CREATE USER IF NOT EXISTS {account} {how}",
		f"ALTER USER {account} {how}",
		f"{GRANT}{account}",
	]


def what_is_wrong(connection: Any, account: Account, has_tls: bool) -> tuple[bool, str]:
	"""Returns whether something else has the account's name, and what is to be done; "" if it is as it should be.

	:raises pymysql.err.MySQLError: if the server may not be asked
	"""
	try:
		grants = [row[0] for row in rows(connection, f"SHOW GRANTS FOR {account}")]
	except pymysql.err.MySQLError as error:
		if error.args[0] != NO_SUCH_ACCOUNT:
			raise
		return False, f"the account {account} is not there"
	own = [grant for grant in grants if not grant.endswith(" TO PUBLIC")]
	more = [grant for grant in own if not grant.startswith((GRANT, "GRANT USAGE ON *.* TO "))]
	if more or any(grant.endswith("WITH GRANT OPTION") for grant in own):
		found = "; ".join(grant.partition(" IDENTIFIED ")[0] for grant in more or own)
		return True, f"the account {account} may do more than replicate: {found}. Take another name (--user)"
	if not any(grant.startswith(GRANT) for grant in own):
		return False, f"the account {account} may not replicate"
	if has_tls and not any(" REQUIRE " in grant for grant in own):
		return False, f"the account {account} may log in without TLS"
	return False, ""


def other_followers(connection: Any, account: Account, server_id: int) -> list[str]:
	"""Returns the addresses of the replicas that follow with an account, unless that is only the one of a server_id.

	What the primary sends to a replica that was stopped goes on until it notices that nobody listens, so the
	replica may be among them itself.

	:raises pymysql.err.MySQLError: if the server may not be asked
	"""
	found = rows(
		connection,
		"SELECT host FROM information_schema.processlist WHERE user = %s AND command LIKE 'Binlog Dump%%'",
		(account.user,),
	)
	known = [int(row[0]) for row in rows(connection, "SHOW REPLICA HOSTS")]
	# Each replica tells its id: where only this one is known, what is sent goes to nobody any more.
	if len(found) <= known.count(server_id) or not set(known) - {server_id}:
		return []
	return sorted({host.rpartition(":")[0] or host for [host] in found})


def ids_of_replicas(primary: Login) -> list[int]:
	"""Returns the server_ids of the replicas that the primary knows; none if the login may not see them."""
	connection = primary.connect()
	try:
		return [int(row[0]) for row in rows(connection, "SHOW REPLICA HOSTS")]
	except pymysql.err.MySQLError:
		return []
	finally:
		connection.close()


def missing_accounts(primary: Any, replica: Any) -> list[str]:
	"""Returns the accounts of the primary that the replica lacks: the next GRANT to one of them would stop it.

	:raises pymysql.err.MySQLError: if one of the servers may not be asked
	"""
	asked = "SELECT user, host FROM mysql.global_priv"
	there = set(rows(replica, asked))
	return [f"{user}@{host}" for user, host in sorted(set(rows(primary, asked)) - there)]
