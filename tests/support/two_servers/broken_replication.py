# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is broken in turn with the replication of two servers."""

from collections.abc import Sequence

from support.two_servers.broken import Breakage, by_person, printed_sql, sql
from support.two_servers.database_changes import (
	Line,
	Locked,
	commit_a_stray_transaction,
	make_anew,
	named_as_replica,
	restart,
)
from support.two_servers.network import FIRST, SECOND

_locked = Locked()
_skips, _recovery, _chain = (
	Line("slave_skip_errors", "1062"),
	Line("relay_log_recovery", "0"),
	Line("log_slave_updates", "0"),
)

BREAKAGES: Sequence[Breakage] = (
	Breakage(
		"replication-running", "the SQL thread is stopped", sql("STOP REPLICA SQL_THREAD"), printed_sql()
	),
	Breakage("replication-running", "the IO thread is stopped", sql("STOP REPLICA IO_THREAD"), printed_sql()),
	Breakage(
		"replication-lag",
		"a session holds a lock",
		_locked.hold,
		by_person(_locked.release, says="SHOW PROCESSLIST"),
	),
	Breakage(
		"replica-is-another-server",
		"its address is the primary's",
		named_as_replica(FIRST),
		by_person(named_as_replica(SECOND), says="Correct the replica's host"),
	),
	Breakage(
		"server-ids",
		"both have the same",
		sql("SET GLOBAL server_id = 1"),
		by_person(restart, says="my.cnf, and restart"),
	),
	Breakage(
		"binlog-format",
		"MIXED",
		sql("SET GLOBAL binlog_format = MIXED", on="primary"),
		printed_sql("primary"),
	),
	Breakage("gtid-strict-mode", "off on the replica", sql("SET GLOBAL gtid_strict_mode = 0"), printed_sql()),
	Breakage(
		"replication-filters",
		"a table is left out",
		sql("STOP REPLICA", "SET GLOBAL replicate_ignore_table = 'a.b'", "START REPLICA"),
		by_person(restart, says="restart it"),
	),
	Breakage(
		"skipped-errors", "1062 is skipped", _skips.write, by_person(_skips.take_out, says="restart it")
	),
	Breakage("read-only", "off on the replica", sql("SET GLOBAL read_only = 0"), printed_sql()),
	Breakage(
		"ready-to-be-promoted",
		"log_slave_updates is off",
		_chain.write,
		by_person(_chain.take_out, says="log_slave_updates"),
	),
	Breakage(
		"relay-log-recovery",
		"off",
		_recovery.write,
		by_person(_recovery.take_out, says="relay_log_recovery=1"),
	),
	Breakage(
		"binlog-expiry",
		"logs are kept for ever",
		sql("SET GLOBAL binlog_expire_logs_seconds = 0", on="primary"),
		printed_sql("primary"),
	),
	Breakage(
		"primary-keeps-commits",
		"sync_binlog is 0",
		sql("SET GLOBAL sync_binlog = 0", on="primary"),
		printed_sql("primary"),
	),
	Breakage(
		"errant-transactions",
		"the replica has one of its own",
		commit_a_stray_transaction,
		by_person(make_anew, says="Make the replica anew"),
	),
)
