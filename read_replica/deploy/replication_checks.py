# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Checks of replication: that it runs, loses nothing, and will go on after the next restart or switchover."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from read_replica.deploy.doctor import Check, Skipped, Trouble
from read_replica.deploy.facts import Databases
from read_replica.engine.dialect import Position
from read_replica.engine.sentence import Sentence

TAGS = ("database", "replication")

FILTERS = (
	"replicate_do_db",
	"replicate_do_table",
	"replicate_ignore_db",
	"replicate_ignore_table",
	"replicate_wild_do_table",
	"replicate_wild_ignore_table",
)
# Named connections have theirs only here, and no variable shows what domains are left out.
FILTERS_OF_A_CONNECTION = (
	"Replicate_Do_DB",
	"Replicate_Ignore_DB",
	"Replicate_Do_Table",
	"Replicate_Ignore_Table",
	"Replicate_Wild_Do_Table",
	"Replicate_Wild_Ignore_Table",
	"Replicate_Do_Domain_Ids",
	"Replicate_Ignore_Domain_Ids",
)
SECONDS_TO_CATCH_UP = 10
# What the primary is found to be as a replica is nothing to mend.
IS_ANOTHER = ("replica-is-another-server",)


def _reachable(servers: Databases) -> Iterator[Trouble]:
	for server in servers.all:
		if server.error:
			yield Trouble("fail", server.error)


def _is_another_server(servers: Databases) -> Iterator[Trouble]:
	primary = servers.primary.variables
	for replica in servers.replicas:
		known = replica.variables
		if (known["hostname"], known["port"], known["server_id"], known["datadir"]) == (
			primary["hostname"],
			primary["port"],
			primary["server_id"],
			primary["datadir"],
		):
			yield Trouble("fail", Sentence("{0} is the primary itself", replica.name))


def _binary_log(servers: Databases) -> Iterator[Trouble]:
	if not servers.primary.variables.is_on("log_bin"):
		yield Trouble("fail", Sentence("the primary has no binary log (log_bin is off)"))
	elif not servers.primary.variables["gtid_binlog_pos"]:
		seen = Sentence("the primary's binary log is empty: nothing was committed since it was begun")
		yield Trouble("warn", seen)


def _running(servers: Databases) -> Iterator[Trouble]:
	for replica in servers.replicas:
		known = replica.variables
		if known.connections:
			for connection in known.connections:
				if why := _why_stopped(connection):
					seen = Sentence("replication on {0} does not run: {1}", replica.name, why)
					yield Trouble("fail", seen)
		elif not _is_running(known.status):
			yield Trouble("fail", Sentence("replication on {0} does not run", replica.name))


def _is_running(status: dict[str, str]) -> bool:
	"""Returns whether replication runs, by what any user is told.

	Slave_running knows only the connection without a name, and both of its threads; Slave_heartbeat_period is 0 where
	there is none. Slaves_running counts those with a name too, and their SQL threads alone.
	"""
	if float(status.get("Slave_heartbeat_period") or 0):
		return status.get("Slave_running") == "ON"
	return status.get("Slave_running") == "ON" or status.get("Slaves_running", "0") != "0"


def _why_stopped(connection: dict[str, Any]) -> str | None:
	"""Returns what stands still of a replication connection, with its last error; None if it runs."""
	stopped = [
		Sentence("{0} is {1}", thread, connection[thread])
		for thread in ("Slave_IO_Running", "Slave_SQL_Running")
		if connection[thread] != "Yes"
	]
	if not stopped:
		return None
	errors = [connection[name] for name in ("Last_IO_Error", "Last_SQL_Error") if connection[name]]
	said = Sentence("{0} and {1}", *stopped) if len(stopped) > 1 else stopped[0]
	if name := connection["Connection_name"]:
		said = Sentence("of connection {0} {1}", name, said)
	return Sentence.joined(", ", [said, *errors])


def _lag(servers: Databases) -> Iterator[Trouble]:
	position = servers.primary.variables["gtid_binlog_pos"]
	if not position:
		raise Skipped("the primary's binary log is empty")
	if list(_running(servers)):
		raise Skipped("replication does not run")
	for replica in servers.replicas:
		if not replica.has_within(position, SECONDS_TO_CATCH_UP):
			seen = Sentence(
				"{0} had not applied after {1} s what the primary had committed",
				replica.name,
				SECONDS_TO_CATCH_UP,
			)
			yield Trouble("warn", seen)


def _gtid(servers: Databases) -> Iterator[Trouble]:
	for replica in servers.replicas:
		if not replica.variables["gtid_slave_pos"]:
			seen = Sentence("{0} has no position: gtid_slave_pos is empty", replica.name)
			yield Trouble("fail", seen)
		for connection in replica.variables.connections or ():
			if connection["Using_Gtid"] == "No":
				seen = Sentence("{0} follows by file and offset (Using_Gtid: No)", replica.name)
				yield Trouble("fail", seen)


def _strict(servers: Databases) -> Iterator[Trouble]:
	for server in servers.all:
		if not server.variables.is_on("gtid_strict_mode"):
			yield Trouble("warn", Sentence("{0} is off on {1}", "gtid_strict_mode", server.name))


def _errant(servers: Databases) -> Iterator[Trouble]:
	for replica in servers.replicas:
		if replica.variables["server_id"] == servers.primary.variables["server_id"]:
			raise Skipped(f"{replica.name} has the primary's server_id")
		own = f"-{replica.variables['server_id']}-"
		# After a switchover, the primary has what it committed as a replica, and its replicas have it from there.
		known = _last_numbers(servers.primary.variables.of_server.get("gtid_binlog_state", ""))
		there = _last_numbers(replica.variables.of_server.get("gtid_binlog_state", ""))
		strays = [
			f"{origin}{number}"
			for origin, number in there.items()
			if origin.endswith(own) and number > known.get(origin, 0)
		]
		if strays and Position(replica.variables["gtid_binlog_pos"]).is_ahead_of(
			Position(servers.primary.variables["gtid_binlog_pos"])
		):
			seen = Sentence("{0} has transactions of its own: {1}", replica.name, ", ".join(strays))
			yield Trouble("fail", seen)
		elif strays:
			seen = Sentence(
				"{0} has committed {1} by itself: before it was a replica, or a stray write",
				replica.name,
				", ".join(strays),
			)
			yield Trouble("warn", seen)


def _last_numbers(state: str) -> dict[str, int]:
	"""Returns the last number of each domain and server in a gtid_binlog_state, by `domain-server-`."""
	gtids = [gtid.strip().rpartition("-") for gtid in state.split(",") if gtid.strip()]
	return {f"{origin}-": int(number) for origin, _, number in gtids}


def _server_ids(servers: Databases) -> Iterator[Trouble]:
	by_id = defaultdict(list)
	for server in servers.all:
		by_id[server.variables["server_id"]].append(server.name)
	for server_id, names in by_id.items():
		if len(names) > 1:
			yield Trouble("fail", Sentence("{0} have server_id {1}", _in_a_row(names), server_id))
		elif server_id == "0":
			yield Trouble("fail", Sentence("{0} has server_id 0", names[0]))


def _in_a_row(names: list[str]) -> str:
	"""Returns names with `and` between each two of them."""
	first, *others = names
	return Sentence("{0} and {1}", first, _in_a_row(others)) if others else first


def _format(servers: Databases) -> Iterator[Trouble]:
	found = servers.primary.variables["binlog_format"]
	if found == "STATEMENT":
		yield Trouble("fail", _of_primary("binlog_format", found))
	elif found != "ROW":
		yield Trouble("warn", _of_primary("binlog_format", found))


def _of_primary(variable: str, value: str) -> Sentence:
	return Sentence("{0} is {1} on the primary", variable, value)


def _filters(servers: Databases) -> Iterator[Trouble]:
	for replica in servers.replicas:
		for name, value in replica.variables.of_server.items():
			# A connection with a name has filters of its own: name.replicate_do_db.
			if value and name.rpartition(".")[2] in FILTERS:
				yield Trouble("fail", _left_out(replica.name, name, value))
		for connection in replica.variables.connections or ():
			for name in FILTERS_OF_A_CONNECTION:
				if value := connection.get(name):
					yield Trouble("fail", _left_out(replica.name, name, value))


def _left_out(replica: str, filter: str, value: str) -> Sentence:
	return Sentence("{0} leaves out rows by {1} = {2}", replica, filter, value)


def _skipped_errors(servers: Databases) -> Iterator[Trouble]:
	for replica in servers.replicas:
		value = replica.variables.of_server.get("slave_skip_errors", "OFF")
		if value.upper() not in ("OFF", ""):
			seen = Sentence("{0} skips errors {1}: its rows may differ without a word", replica.name, value)
			yield Trouble("fail", seen)


def _read_only(servers: Databases) -> Iterator[Trouble]:
	for replica in servers.replicas:
		if not replica.variables.is_on("read_only"):
			yield Trouble("fail", Sentence("{0} is off on {1}", "read_only", replica.name))
	if servers.primary.variables.is_on("read_only"):
		yield Trouble("fail", Sentence("read_only is on on the primary"))


def _chain(servers: Databases) -> Iterator[Trouble]:
	for replica in servers.replicas:
		for name in ("log_bin", "log_slave_updates"):
			if not replica.variables.is_on(name):
				yield Trouble("warn", Sentence("{0} is off on {1}", name, replica.name))


def _crash(servers: Databases) -> Iterator[Trouble]:
	for replica in servers.replicas:
		if not replica.variables.is_on("relay_log_recovery"):
			yield Trouble("warn", Sentence("{0} is off on {1}", "relay_log_recovery", replica.name))


def _expiry(servers: Databases) -> Iterator[Trouble]:
	primary = servers.primary.variables
	if not primary.is_on("log_bin"):
		raise Skipped("the primary has no binary log")
	seconds = float(primary.of_server.get("binlog_expire_logs_seconds") or 0)
	if not seconds and not float(primary.of_server.get("expire_logs_days") or 0):
		seen = Sentence("the primary's binary logs are never deleted, and will fill its disk")
		yield Trouble("warn", seen)
	elif 0 < seconds < 24 * 3600:
		seen = Sentence("the primary's binary logs are deleted after {0} s", f"{seconds:g}")
		yield Trouble("warn", seen)


def _safe(servers: Databases) -> Iterator[Trouble]:
	for name in ("sync_binlog", "innodb_flush_log_at_trx_commit"):
		value = servers.primary.variables[name]
		if value != "1":
			yield Trouble("warn", _of_primary(name, value))


CHECKS = (
	Check(
		"database-reachable",
		"the primary and each replica answer, and let this site log in",
		TAGS,
		_reachable,
		"Start the server, open its port to this machine, or correct host, user and password in site_config.json",
	),
	Check(
		"replica-is-another-server",
		"each replica is another server than the primary",
		TAGS,
		_is_another_server,
		"Correct the replica's host and port in site_config.json",
	),
	Check(
		"binary-log",
		"the primary writes a binary log",
		TAGS,
		_binary_log,
		"In the primary's my.cnf under [mariadb]: log_bin, server_id=1; then restart it",
	),
	Check(
		"replication-running",
		"replication runs on each replica",
		TAGS,
		_running,
		"On the replica: SHOW REPLICA STATUS\\G shows Last_IO_Error or Last_SQL_Error; mend it, then START REPLICA",
		IS_ANOTHER,
	),
	Check(
		"replication-lag",
		f"each replica applies within {SECONDS_TO_CATCH_UP} s what the primary has committed",
		TAGS,
		_lag,
		"See what the replica is busy with: SHOW PROCESSLIST; a long ALTER, a table without any key, a slow disk,"
		" or too few slave_parallel_threads",
	),
	Check(
		"gtid",
		"each replica follows by GTID, so that positions can be compared",
		TAGS,
		_gtid,
		"On the replica: STOP REPLICA; CHANGE MASTER TO MASTER_USE_GTID=slave_pos; START REPLICA",
		IS_ANOTHER,
	),
	Check(
		"gtid-strict-mode",
		"gtid_strict_mode is on everywhere, so that a stray write is refused before it does harm",
		TAGS,
		_strict,
		"SET GLOBAL gtid_strict_mode=1, and the same line in my.cnf",
	),
	Check(
		"errant-transactions",
		"no replica has committed something that the primary does not have",
		TAGS,
		_errant,
		"Make the replica anew from the primary; a stray write in its log stops the next switchover",
	),
	Check(
		"server-ids",
		"each server has a server_id of its own",
		TAGS,
		_server_ids,
		"Give each server its own server_id in my.cnf, and restart it",
		IS_ANOTHER,
	),
	Check(
		"binlog-format",
		"the primary's binlog_format is ROW",
		TAGS,
		_format,
		"SET GLOBAL binlog_format='ROW', and the same line in my.cnf; it holds for new connections",
	),
	Check(
		"replication-filters",
		"no replica leaves out databases or tables",
		TAGS,
		_filters,
		"Take the replicate_* lines out of the replica's my.cnf, restart it, and make it anew: rows are missing",
	),
	Check(
		"skipped-errors",
		"no replica skips errors",
		TAGS,
		_skipped_errors,
		"Take slave_skip_errors out of the replica's my.cnf, restart it, and make it anew",
	),
	Check(
		"read-only",
		"replicas are read_only, and the primary is not",
		TAGS,
		_read_only,
		"On the replica: SET GLOBAL read_only=1, and the same line in my.cnf; on the primary, 0",
		IS_ANOTHER,
	),
	Check(
		"ready-to-be-promoted",
		"each replica keeps a binary log of what it applies, so that it can take the primary's place",
		TAGS,
		_chain,
		"In the replica's my.cnf: log_bin, log_slave_updates; then restart it",
		IS_ANOTHER,
	),
	Check(
		"relay-log-recovery",
		"each replica fetches again after a crash what its relay log may have lost",
		TAGS,
		_crash,
		"In the replica's my.cnf: relay_log_recovery=1; then restart it",
		IS_ANOTHER,
	),
	Check(
		"binlog-expiry",
		"binary logs are kept for a day or more, and not for ever",
		TAGS,
		_expiry,
		"SET GLOBAL binlog_expire_logs_seconds=604800, and the same line in my.cnf",
	),
	Check(
		"primary-keeps-commits",
		"a crash of the primary loses no commit that replicas may have",
		TAGS,
		_safe,
		"SET GLOBAL sync_binlog=1, innodb_flush_log_at_trx_commit=1, and the same lines in my.cnf",
	),
)
