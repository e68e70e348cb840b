# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Changes of the databases of two servers that break something, and those that mend it."""

from collections.abc import Callable

import pytest

from support.two_servers.network import FIRST, SECOND
from support.two_servers.pair import AS_ROOT, SITE, Pair
from support.waiting import until

HOSTS = ("127.0.0.1", FIRST, SECOND)


class Line:
	"""Another line in the replica's my.cnf, for as long as something is broken."""

	def __init__(self, name: str, value: str):
		self._name, self._value = name, value
		self._before: str | None = None

	def write(self, pair: Pair) -> None:
		self._before = pair.replica.lines.get(self._name)
		pair.replica.lines[self._name] = self._value
		restart(pair)

	def take_out(self, pair: Pair) -> None:
		del pair.replica.lines[self._name]
		if self._before is not None:
			pair.replica.lines[self._name] = self._before
		restart(pair)


def restart(pair: Pair) -> None:
	pair.replica.write()
	pair.replica.restart()
	pair.replica.catch_up(pair.primary)


class Locked:
	"""A session that holds up all that the replica applies, as a long ALTER does."""

	def hold(self, pair: Pair) -> None:
		self.session = pair.replica.as_root()
		self.session.cursor().execute("FLUSH TABLES WITH READ LOCK")
		pair.write_something()

	def release(self, pair: Pair) -> None:
		[[number]] = pair.replica.query(
			"SELECT id FROM information_schema.processlist WHERE id = %s", (self.session.thread_id(),)
		)
		pair.replica.query(f"KILL {number}")


class FewConnections:
	"""A limit that the connections which were in use once come near to."""

	def set(self, pair: Pair) -> None:
		[[self.before]] = pair.replica.query("SELECT @@max_connections")
		sessions = [pair.replica.as_root() for _ in range(12)]
		[[_, used]] = pair.replica.query("SHOW GLOBAL STATUS LIKE 'Max_used_connections'")
		for session in sessions:
			session.close()
		pair.replica.set(max_connections=int(used))

	def raise_again(self, pair: Pair) -> None:
		pair.replica.set(max_connections=self.before)


def commit_a_stray_transaction(pair: Pair) -> None:
	session = pair.replica.as_root()
	with session.cursor() as cursor:
		# In a domain of its own, replication does not stop at it.
		cursor.execute("SET SESSION gtid_domain_id = 9")
		cursor.execute("CREATE DATABASE stray")
	session.close()


def make_anew(pair: Pair) -> None:
	"""Copy the primary over the replica, by the steps of the command."""
	pair.replica.query("STOP REPLICA")
	pair.replica.query("RESET REPLICA ALL")
	until(lambda: _is_forgotten(pair))
	pair.copy_replica()


def _is_forgotten(pair: Pair) -> bool:
	"""Whether the primary has noticed that nobody takes what it commits; a site that is used commits all the time."""
	pair.write_something()
	return not pair.primary.query("SHOW REPLICA HOSTS")


def grant_insert(pair: Pair) -> None:
	pair.primary.query(f"GRANT INSERT ON `{pair.database}`.* TO {_reader(pair, FIRST)}")
	pair.replica.catch_up(pair.primary)


def _reader(pair: Pair, host: str) -> str:
	return f"`{pair.database}_read`@'{host}'"


def drop_users(pair: Pair) -> None:
	for host in HOSTS:
		pair.primary.query(f"DROP USER IF EXISTS {_reader(pair, host)}")
	pair.replica.catch_up(pair.primary)


def drop_after_refusal(pair: Pair) -> None:
	"""What the printed command says of an account that may do more: drop it first."""
	done = pair.first.bench_command(f"--site {SITE} read-replica replica-user --run {AS_ROOT}")
	assert done.returncode == 1 and "drop that account first" in done.stderr, done
	drop_users(pair)
	pair.make_replica_user()


def named_as_replica(host: str) -> Callable[[Pair], None]:
	def name(pair: Pair) -> None:
		for machine in (pair.first, pair.second):
			machine.set_site(SITE, replica_host=host)
		pair.doctor(pair.second)

	return name


def without_tls(pair: Pair) -> None:
	pair.tls = {name: value for name, value in pair.site_config().items() if name.startswith("db_ssl_")}
	_set_tls(pair, dict.fromkeys(pair.tls))


def with_tls(pair: Pair) -> None:
	_set_tls(pair, pair.tls)


def _set_tls(pair: Pair, keys: dict) -> None:
	for machine in (pair.first, pair.second):
		machine.set_site(SITE, **keys)
	pair.doctor(pair.second)


def on_replicas_tables(*statements: str) -> Callable[[Pair], None]:
	"""Returns what changes the replica's tables, unseen by its binary log."""

	def change(pair: Pair) -> None:
		session = pair.replica.as_root()
		with session.cursor() as cursor:
			for statement in ("SET SESSION sql_log_bin = 0", f"USE `{pair.database}`", *statements):
				cursor.execute(statement)
		session.close()

	return change


def on_primarys_tables(*statements: str) -> Callable[[Pair], None]:
	def change(pair: Pair) -> None:
		with pair.primary.as_root() as session, session.cursor() as cursor:
			for statement in (f"USE `{pair.database}`", *statements):
				cursor.execute(statement)
		pair.replica.catch_up(pair.primary)

	return change


def stop_server(pair: Pair) -> None:
	pair.second.do("systemctl stop mariadb")


def start_server(pair: Pair) -> None:
	pair.second.do("systemctl start mariadb")
	pair.replica.wait()
	pair.replica.catch_up(pair.primary)


def toggle_snapshot_isolation(pair: Pair) -> None:
	if not pair.replica.query("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"):
		pytest.skip("this MariaDB has no innodb_snapshot_isolation")
	pair.replica.query("SET GLOBAL innodb_snapshot_isolation = NOT @@global.innodb_snapshot_isolation")
