# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The step that lets a copied server follow its primary: the copy's position, CHANGE MASTER, START REPLICA."""

import time
from typing import Any

import pymysql

from read_replica.deploy.accounts import quoted
from read_replica.deploy.doctor import Skipped
from read_replica.deploy.facts import Databases, Variables
from read_replica.deploy.replication_account import create_replicator, other_followers
from read_replica.deploy.replication_plan import Plan
from read_replica.deploy.replication_primary import hidden, run_hidden
from read_replica.deploy.replication_replica import IN_THE_WAY
from read_replica.deploy.replication_steps import Pair, Seen, Step, troubles
from read_replica.engine.dialect import Position

SECONDS_TO_CONNECT = 10
START = "START REPLICA"
UNFIT = (*IN_THE_WAY[:1], "server-ids", "replication-filters", "read-only")


def follow(pair: Pair, plan: Plan, is_admin: bool, shows_password: bool) -> Step:
	"""Returns the step.

	:param is_admin: whether the logins may give the account a password and begin replication
	"""
	statements = _statements(plan)
	return Step(
		"follow",
		"tells the copy up to where it has everything, and lets it follow the primary from there",
		"new replica",
		lambda servers: _look(servers, plan),
		sql=statements if shows_password else [hidden(statement, plan) for statement in statements],
		run=(lambda: _run(pair, plan, statements)) if is_admin else None,
	)


def _statements(plan: Plan) -> list[str]:
	position = plan.position or "the third field of the copy's binlog_info"
	options = [
		f"MASTER_HOST={quoted(plan.primary_host)}",
		f"MASTER_PORT={plan.primary_port}",
		f"MASTER_USER={quoted(plan.account.user)}",
		f"MASTER_PASSWORD={quoted(plan.password)}",
		f"MASTER_SSL={int(plan.has_tls)}",
		"MASTER_USE_GTID=slave_pos",
	]
	# Without it, the password proves the certificate from 11.4 on, and before that nothing does.
	if plan.ssl_ca:
		options += [f"MASTER_SSL_CA={quoted(plan.ssl_ca)}", "MASTER_SSL_VERIFY_SERVER_CERT=1"]
	return [
		f"SET GLOBAL gtid_slave_pos = {quoted(position)}",
		f"CHANGE MASTER TO {', '.join(options)}",
		START,
	]


def _look(servers: Databases, plan: Plan) -> Seen:
	[replica] = servers.replicas
	known = replica.variables
	if unfit := troubles(servers, UNFIT):
		return Seen("in the way", "; ".join(trouble.seen for _, trouble in unfit))
	if known.connections is None:
		return _unseen(known, replica.name)
	if known.connections:
		return _connected(servers, known.connections, plan)
	if strays := troubles(servers, ["errant-transactions"]):
		return Seen("in the way", f"{strays[0][1].seen}. Make the copy anew, over these data")
	return where_it_ends(servers, plan)


def _unseen(known: Variables, name: str) -> Seen:
	if known.status.get("Slave_running") == "ON":
		return Seen("done", "whom it follows was not seen: that takes an administrator's login")
	raise Skipped(f"the login on {name} may not see whom it follows: --replica-root-password")


def _connected(servers: Databases, connections: list[dict[str, Any]], plan: Plan) -> Seen:
	"""Returns how it stands with a server that has been told to follow one already."""
	name = servers.replicas[0].name
	for connection in connections:
		address = (connection["Master_Host"], int(connection["Master_Port"]))
		if address != (plan.primary_host, plan.primary_port):
			return Seen(
				"in the way",
				f"{name} follows {address[0]}:{address[1]}. If that is this primary, give it to --primary-host;"
				" if not, RESET REPLICA ALL there ends that, and the copy has to be made anew",
			)
	[connection, *_] = connections
	if connection["Using_Gtid"] == "No":
		return Seen("in the way", "; ".join(trouble.seen for _, trouble in troubles(servers, ["gtid"])))
	stopped = troubles(servers, ["replication-running"])
	if not stopped:
		return Seen("done")
	if connection["Last_IO_Errno"] or connection["Last_SQL_Errno"]:
		return Seen("in the way", "; ".join(trouble.seen for _, trouble in stopped))
	return Seen("to do", stopped[0][1].seen)


def where_it_ends(servers: Databases, plan: Plan) -> Seen:
	"""Returns whether it is known where the copy ends."""
	primary, known = servers.primary.variables, servers.replicas[0].variables
	position = plan.position or known["gtid_slave_pos"]
	if not position or (not plan.position and position == primary["gtid_slave_pos"]):
		# One that the primary has as well was copied: it is where that once followed another server.
		return Seen("in the way", "the copy's position is not known: give it to --position")
	if Position(position).is_ahead_of(Position(primary["gtid_binlog_pos"])):
		return Seen("in the way", f"the primary has not come to {position}: that is a copy of another server")
	return Seen("to do", f"{servers.replicas[0].name} follows no server")


def _run(pair: Pair, plan: Plan, statements: list[str]) -> list[str]:
	replica = pair.replica.connect()
	try:
		if pair.ask().replicas[0].variables.connections:
			ran = [run_hidden(replica, START, plan)]
		else:
			ran = give_password(pair, plan)
			needed = statements if plan.position else statements[1:]
			ran += [run_hidden(replica, statement, plan) for statement in needed]
	finally:
		replica.close()
	_wait(pair)
	return ran


def give_password(pair: Pair, plan: Plan) -> list[str]:
	"""Give the account the password that CHANGE MASTER is given: so it need not be kept anywhere between the steps.

	:raises pymysql.err.OperationalError: if another replica follows with this account
	"""
	primary = pair.primary.connect()
	try:
		if others := _others_after_a_while(primary, plan):
			raise pymysql.err.OperationalError(
				0,
				f"a replica at {', '.join(others)} follows as {plan.account} already: take another name (--user)",
			)
		_, change, _ = create_replicator(plan.account, plan.password, plan.has_tls)
		return [run_hidden(primary, change, plan)]
	finally:
		primary.close()


def _others_after_a_while(primary: Any, plan: Plan) -> list[str]:
	"""Returns which replicas follow with the account.

	The primary goes on sending to one that was stopped, such as this one before it was made anew, until it notices with
	the next commits that nobody takes them.
	"""
	deadline = time.monotonic() + SECONDS_TO_CONNECT
	while (others := other_followers(primary, plan.account, plan.server_id)) and time.monotonic() < deadline:
		time.sleep(0.5)
	return others


def _wait(pair: Pair) -> None:
	"""Return once replication runs, or says why it does not."""
	deadline = time.monotonic() + SECONDS_TO_CONNECT
	while time.monotonic() < deadline:
		servers = pair.ask()
		connections = servers.replicas[0].variables.connections or []
		failed = any(each["Last_IO_Errno"] or each["Last_SQL_Errno"] for each in connections)
		if failed or not troubles(servers, ["replication-running"]):
			return
		time.sleep(0.2)
