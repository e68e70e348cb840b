# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is broken in turn with what the databases of two servers are and hold."""

from collections.abc import Sequence

from support.two_servers.broken import Breakage, by_person, printed_sql, sql
from support.two_servers.database_changes import (
	FewConnections,
	drop_after_refusal,
	drop_users,
	grant_insert,
	make_anew,
	on_primarys_tables,
	on_replicas_tables,
	restart,
	start_server,
	stop_server,
	toggle_snapshot_isolation,
	with_tls,
	without_tls,
)
from support.two_servers.pair import Pair

_few = FewConnections()

BREAKAGES: Sequence[Breakage] = (
	Breakage(
		"database-reachable",
		"the replica is stopped",
		stop_server,
		by_person(start_server, says="Start the server"),
	),
	Breakage(
		"database-reachable",
		"the replica's user is gone",
		drop_users,
		by_person(Pair.make_replica_user, says="correct host, user and password"),
	),
	Breakage(
		"equal-settings",
		"the replica has another collation",
		sql("SET GLOBAL collation_server = 'utf8mb4_general_ci'"),
		by_person(restart, says="restart it"),
	),
	Breakage(
		"time-zones",
		"the replica is in another one",
		sql("SET GLOBAL time_zone = '+05:30'"),
		by_person(restart, says="restart it"),
	),
	Breakage(
		"schema",
		"the replica has a column of its own",
		on_replicas_tables("ALTER TABLE tabNote ADD COLUMN stray INT"),
		by_person(make_anew, says="make it anew"),
	),
	Breakage(
		"tables-without-key",
		"a table without any",
		on_primarys_tables("CREATE TABLE tabKeyless (number INT)"),
		by_person(on_primarys_tables("ALTER TABLE tabKeyless ADD INDEX (number)"), says="ADD INDEX"),
	),
	Breakage(
		"functions-under-log-bin",
		"off on the primary",
		sql("SET GLOBAL log_bin_trust_function_creators = 0", on="primary"),
		printed_sql("primary"),
	),
	Breakage(
		"snapshot-isolation",
		"another one on the replica",
		toggle_snapshot_isolation,
		by_person(toggle_snapshot_isolation, says="to the primary's value"),
	),
	Breakage(
		"max-connections",
		"nearly used up",
		_few.set,
		by_person(_few.raise_again, says="Raise max_connections"),
	),
	Breakage("keepalive", "off on the replica", sql("SET GLOBAL tcp_keepalive_time = 0"), printed_sql()),
	Breakage("tls", "no certificate is asked for", without_tls, by_person(with_tls, says='"tls"')),
	Breakage(
		"replica-user",
		"it may insert",
		grant_insert,
		by_person(drop_after_refusal, says="replica-user --run"),
	),
)
