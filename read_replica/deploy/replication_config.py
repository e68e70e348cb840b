# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Says which lines of my.cnf a primary and its new replica need, and which of them a server lacks."""

from read_replica.deploy.database_checks import MUST_BE_EQUAL, version
from read_replica.deploy.facts import Variables
from read_replica.deploy.replication_plan import Plan

SECONDS_TO_KEEP_LOGS = 7 * 24 * 3600
PARALLEL_THREADS = 4
SECTION = "[mariadb]"

# So that the server can write a binary log that loses nothing, whether it is the primary now or becomes it.
_LOG = {
	# Without a value, the files would be named after the host, and not be found after it is renamed.
	"log_bin": "mariadb-bin",
	"binlog_format": "ROW",
	"gtid_strict_mode": "1",
	"sync_binlog": "1",
	"binlog_expire_logs_seconds": str(SECONDS_TO_KEEP_LOGS),
	# Without it, a stored function is refused under log_bin (1418), and stops a replica that has one.
	"log_bin_trust_function_creators": "1",
}
# What a copied data folder can only be opened with.
_LAYOUT = ("innodb_page_size", "innodb_data_file_path", "innodb_undo_tablespaces", "lower_case_table_names")
# As on the primary: a replica with the default of 128M reads from its disk, and lags, and ends longer queries.
_SIZES = ("innodb_buffer_pool_size", "innodb_log_file_size", "max_connections", "max_allowed_packet")
_AT_LEAST = {*_SIZES, "slave_parallel_threads", "binlog_expire_logs_seconds"}
SEVERAL_ADDRESSES = (10, 11)
_NEEDS_RESTART = {"log_bin", "bind_address"}


def primary_lines(primary: Variables, plan: Plan) -> dict[str, str]:
	"""Returns the lines that the primary lacks, by their names."""
	wanted = {"server_id": primary["server_id"] if primary["server_id"] != "0" else "1", **_LOG}
	wanted["innodb_flush_log_at_trx_commit"] = "1"
	if is_closed(primary, plan):
		wanted["bind_address"] = _bound(primary, plan.primary_host)
	return _lacking(wanted, primary)


def is_closed(primary: Variables, plan: Plan) -> bool:
	"""Returns whether the primary answers to its own machine only, and the replica is another one."""
	bound = primary.of_server.get("bind_address", "")
	return bound in ("127.0.0.1", "localhost", "::1") and not plan.is_on_the_primarys_host


def replica_lines(primary: Variables, replica: Variables | None, plan: Plan) -> dict[str, str]:
	"""Returns the lines that the new replica lacks, by their names.

	:param replica: None if it cannot be asked: all lines then
	"""
	wanted = {
		"server_id": str(plan.server_id),
		"port": str(plan.replica_port),
		**_LOG,
		"log_slave_updates": "1",
		"read_only": "1",
		"relay_log_recovery": "1",
		"slave_parallel_threads": str(PARALLEL_THREADS),
	}
	if not plan.is_on_the_primarys_host:
		wanted["bind_address"] = _bound(primary, plan.replica_host)
	if primary.of_server.get("time_zone", "SYSTEM") != "SYSTEM":
		wanted["default_time_zone"] = primary["time_zone"]
	for name in (*_SIZES, *_LAYOUT, *MUST_BE_EQUAL, "innodb_snapshot_isolation"):
		if name in primary.of_server:
			wanted[name] = primary[name]
	return wanted if replica is None else _lacking(wanted, replica)


def _bound(server: Variables, host: str) -> str:
	"""Returns what a server is to listen on: the site's own processes may reach it at 127.0.0.1, and go on to do so.

	Before 10.11, it is one address or all of them (MDEV-6536).
	"""
	return f"127.0.0.1,{host}" if version(server["version"]) >= SEVERAL_ADDRESSES else "0.0.0.0"


def _lacking(wanted: dict[str, str], server: Variables) -> dict[str, str]:
	return {name: value for name, value in wanted.items() if not _has(server, name, value)}


def _has(server: Variables, name: str, value: str) -> bool:
	known = server.of_server.get("time_zone" if name == "default_time_zone" else name)
	if name == "log_bin":
		return server.is_on(name)
	if name == "bind_address":
		return known not in ("127.0.0.1", "localhost", "::1", None)
	if known is None:
		# The server does not know it, and would not start with it.
		return True
	if name in _AT_LEAST:
		return int(known) >= int(value)
	return known == value or (value == "1" and known.upper() == "ON")


def as_file(lines: dict[str, str]) -> list[str]:
	"""Returns lines as my.cnf has them, in their section; nothing if there are none."""
	return [SECTION, *(f"{name}={_value(value)}" for name, value in lines.items())] if lines else []


def _value(value: str) -> str:
	# What a file of options would read as more than one word, or as a comment.
	return f'"{value}"' if set(value) & set(" ;#,") or not value else value


def needs_restart(lines: dict[str, str]) -> bool:
	"""Returns whether a running primary takes these lines only when it is started again."""
	return bool(lines.keys() & _NEEDS_RESTART)
