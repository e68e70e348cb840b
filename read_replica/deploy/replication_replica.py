# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The steps on the new replica: its lines of my.cnf, the copy, and that it holds what the primary has."""

import pymysql

from read_replica.deploy.facts import Databases
from read_replica.deploy.replication_account import missing_accounts
from read_replica.deploy.replication_config import as_file, replica_lines
from read_replica.deploy.replication_copy import copy_commands
from read_replica.deploy.replication_plan import Plan, is_a_replica
from read_replica.deploy.replication_primary import NEEDED
from read_replica.deploy.replication_steps import Seen, Step, primary_of, troubles

# What no line of my.cnf mends.
IN_THE_WAY = ("replica-is-another-server", "versions")
OF_REPLICA = (
	*IN_THE_WAY,
	"server-ids",
	"read-only",
	"replication-filters",
	"skipped-errors",
	"functions-under-log-bin",
	"time-zones",
	"ready-to-be-promoted",
	"relay-log-recovery",
	"gtid-strict-mode",
	"equal-settings",
	"snapshot-isolation",
	"clocks",
)
EQUAL = ("replication-running", "gtid", "errant-transactions", "replication-lag", "schema")
MOST_NAMED = 5


def config_and_copy(servers: Databases, plan: Plan) -> list[Step]:
	"""Returns the steps that make a server a copy of the primary.

	:param servers: as they are now, for what the steps are made of
	"""
	primary, [replica] = servers.primary.variables, servers.replicas
	known = None if replica.error else replica.variables
	return [
		Step(
			"replica-config",
			"lets the new server keep what it is sent, refuse other writes, and have the primary's sizes",
			"new replica",
			_config,
			config=as_file(replica_lines(primary, known, plan)),
		),
		Step(
			"copy",
			"copies the running primary over the data that the new server has, which is kept in a folder beside it",
			"primary",
			_copy,
			shell=copy_commands(primary, known, plan),
		),
	]


def equal(is_admin: bool) -> Step:
	"""Returns the step that only looks: whether the replica has what the primary has.

	:param is_admin: whether the logins may look at accounts
	"""
	return Step(
		"equal",
		"looks whether the replica has the primary's tables and accounts, nothing of its own, and keeps up",
		"this machine",
		lambda servers: _equal(servers, is_admin),
	)


def _config(servers: Databases) -> Seen:
	of_primary = troubles(primary_of(servers), OF_REPLICA)
	[replica] = servers.replicas
	if replica.error:
		return Seen("unknown", replica.error)
	found = [each for each in troubles(servers, OF_REPLICA) if each not in of_primary]
	blocking = [trouble.seen for id, trouble in found if id in IN_THE_WAY]
	if blocking:
		return Seen("in the way", "; ".join(blocking))
	needed = [trouble.seen for id, trouble in found if trouble.status == "fail" or id in NEEDED]
	better = [trouble.seen for _, trouble in found]
	return Seen("to do", "; ".join(needed)) if needed else Seen("done", "; ".join(better))


def _copy(servers: Databases) -> Seen:
	[replica] = servers.replicas
	if replica.error:
		return Seen("to do", replica.error)
	if found := troubles(servers, IN_THE_WAY[:1]):
		return Seen("in the way", found[0][1].seen)
	missing = servers.primary.tables.keys() - replica.tables.keys()
	if not replica.tables:
		no_dump = [trouble.seen for _, trouble in troubles(servers, ["other-engines"])]
		return Seen("to do", "; ".join([f"{replica.name} has no table of {servers.database}", *no_dump]))
	if missing and not is_a_replica(replica.variables):
		return Seen("to do", f"{replica.name} lacks {len(missing)} tables of {servers.database}")
	return Seen("done")


def _equal(servers: Databases, is_admin: bool) -> Seen:
	if found := troubles(servers, EQUAL):
		return Seen("in the way", "; ".join(trouble.seen for _, trouble in found))
	if not is_admin:
		return Seen("done", "accounts were not compared: that takes the administrators' logins")
	if missing := _missing_accounts(servers):
		named = ", ".join(missing[:MOST_NAMED]) + (" and more" if len(missing) > MOST_NAMED else "")
		return Seen(
			"in the way",
			f"{servers.replicas[0].name} lacks the accounts {named}, and the next GRANT to one of them stops it:"
			" it was not copied whole. Make the copy anew",
		)
	return Seen("done")


def _missing_accounts(servers: Databases) -> list[str]:
	connections: list[pymysql.Connection] = []
	try:
		for server in servers.all:
			connections.append(server.login.connect())
		return missing_accounts(*connections)
	finally:
		for connection in connections:
			connection.close()
