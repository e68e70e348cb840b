# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The steps on the primary: its lines of my.cnf, and the account of the new replica."""

from collections.abc import Callable
from typing import Any

from read_replica.deploy.accounts import password_hash
from read_replica.deploy.facts import Databases
from read_replica.deploy.replication_account import create_replicator, what_is_wrong
from read_replica.deploy.replication_config import as_file, is_closed, needs_restart, primary_lines
from read_replica.deploy.replication_plan import Plan
from read_replica.deploy.replication_steps import Pair, Seen, Step, primary_of, troubles
from read_replica.deploy.servers import rows

HIDDEN = "…"
# What the doctor only warns of, and without which a new replica will not do.
NEEDED = ("functions-under-log-bin",)
OF_PRIMARY = (
	"binary-log",
	"server-ids",
	"binlog-format",
	"read-only",
	"functions-under-log-bin",
	"gtid-strict-mode",
	"binlog-expiry",
	"primary-keeps-commits",
)
# An empty one gets its first transaction with the account of the replica.
EMPTY_LOG = ("binary-log", "warn")


def primary_steps(
	pair: Pair, servers: Databases, plan: Plan, is_admin: bool, shows_password: bool
) -> list[Step]:
	"""Returns the steps on the primary.

	:param servers: as they are now, for what the steps are made of
	:param is_admin: whether the login on the primary may look at accounts and make them
	"""
	lines = primary_lines(servers.primary.variables, plan)
	sql = create_replicator(plan.account, plan.password, plan.has_tls)
	return [
		Step(
			"primary-config",
			"lets the primary write a binary log that a replica can follow and that loses nothing",
			"primary",
			lambda servers: _config(servers, plan),
			config=as_file(lines),
			shell=["systemctl restart mariadb"] if needs_restart(lines) else [],
			sql=[]
			if needs_restart(lines)
			else [f"SET GLOBAL {name} = {_value(lines[name])}" for name in lines],
		),
		Step(
			"replication-user",
			"makes the account that this replica alone logs in with on the primary",
			"primary",
			lambda servers: _account(pair, plan, is_admin),
			sql=sql if shows_password else [hidden(statement, plan) for statement in sql],
			run=_make_account(pair, plan, sql) if is_admin else None,
		),
	]


def hidden(statement: str, plan: Plan) -> str:
	"""Returns a statement without the account's password and its hash."""
	return statement.replace(password_hash(plan.password), HIDDEN).replace(plan.password, HIDDEN)


def _config(servers: Databases, plan: Plan) -> Seen:
	found = [
		(id, trouble)
		for id, trouble in troubles(primary_of(servers), OF_PRIMARY)
		if (id, trouble.status) != EMPTY_LOG
	]
	needed = [trouble.seen for id, trouble in found if trouble.status == "fail" or id in NEEDED]
	if is_closed(servers.primary.variables, plan):
		needed.append(
			f"bind_address is {servers.primary.variables['bind_address']}: no replica reaches the primary"
		)
	needed += _left_out(servers)
	better = [trouble.seen for id, trouble in found if trouble.status == "warn" and id not in NEEDED]
	return Seen("to do", "; ".join(needed)) if needed else Seen("done", "; ".join(better))


def _left_out(servers: Databases) -> list[str]:
	"""Returns what the primary keeps out of its binary log, as far as the login may see that."""
	if not any(
		"BINLOG MONITOR" in grant or "ALL PRIVILEGES ON *.*" in grant
		for grant in servers.primary.variables.grants
	):
		return []
	connection = servers.primary.login.connect()
	try:
		found = rows(connection, "SHOW MASTER STATUS")
	finally:
		connection.close()
	return [
		f"the primary keeps databases out of its binary log by {name} = {value}: take that line out of its my.cnf"
		for row in found
		for name, value in zip(("binlog_do_db", "binlog_ignore_db"), row[2:4], strict=True)
		if value
	]


def _account(pair: Pair, plan: Plan, is_admin: bool) -> Seen:
	if not is_admin:
		return Seen("unknown", "only an administrator of the primary sees its accounts: --db-root-password")
	connection = pair.primary.connect()
	try:
		is_anothers, why = what_is_wrong(connection, plan.account, plan.has_tls)
	finally:
		connection.close()
	if not why:
		return Seen("done")
	return Seen("in the way" if is_anothers else "to do", why)


def _make_account(pair: Pair, plan: Plan, sql: list[str]) -> Callable[[], list[str]]:
	def run() -> list[str]:
		connection = pair.primary.connect()
		try:
			return [run_hidden(connection, statement, plan) for statement in sql]
		finally:
			connection.close()

	return run


def run_hidden(connection: Any, statement: str, plan: Plan) -> str:
	"""Run a statement; returns it without secrets."""
	rows(connection, statement)
	return hidden(statement, plan)


def _value(value: str) -> str:
	return value if value.isdigit() else f"'{value}'"
