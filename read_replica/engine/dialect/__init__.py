# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is MariaDB's own: its error numbers, its positions, its statements, how its drivers are spoken to.

Uses nothing else; used by all of the engine, and by the rooms that speak to a server. Offers what stands in
`__all__`: another database gets a package with the same names, and nothing outside knows a number of MariaDB's.
"""

from read_replica.engine.dialect.connection import (
	PING,
	NotEncrypted,
	abandon,
	answer_within,
	commit_each,
	connect_timeouts,
	cut,
	end_later,
	ended,
	execute,
	is_ready,
	may_be_in_use,
	note_no_use,
	prepare,
	receive,
	require_tls,
	send,
	set_timeout,
	stay_in_transaction,
)
from read_replica.engine.dialect.errors import (
	ErrorKind,
	is_driver_error,
	is_server_error,
	kind_of,
	number_of,
	summary_of,
)
from read_replica.engine.dialect.identity import IDENTITY_QUERY, server_in, server_of, text
from read_replica.engine.dialect.positions import (
	COMMITTED_POSITION_QUERY,
	PRIMARY_POSITION_QUERY,
	HealthAnswer,
	Position,
	PrimaryAnswer,
	health_query,
	is_on,
	primary_health_query,
	read_health,
	read_primary,
	wait_for,
)
from read_replica.engine.dialect.statements import (
	closes_transaction,
	commits,
	commits_implicitly,
	first_column_of,
	is_logged_always,
	leaves_state,
	opens_transaction,
	table_of,
	writes,
)

DEFAULT_PORT = 3306

__all__ = [
	"COMMITTED_POSITION_QUERY",
	"DEFAULT_PORT",
	"IDENTITY_QUERY",
	"PING",
	"PRIMARY_POSITION_QUERY",
	"ErrorKind",
	"HealthAnswer",
	"NotEncrypted",
	"Position",
	"PrimaryAnswer",
	"abandon",
	"answer_within",
	"closes_transaction",
	"commit_each",
	"commits",
	"commits_implicitly",
	"connect_timeouts",
	"cut",
	"end_later",
	"ended",
	"execute",
	"first_column_of",
	"health_query",
	"is_driver_error",
	"is_logged_always",
	"is_on",
	"is_ready",
	"is_server_error",
	"kind_of",
	"leaves_state",
	"may_be_in_use",
	"note_no_use",
	"number_of",
	"opens_transaction",
	"prepare",
	"primary_health_query",
	"read_health",
	"read_primary",
	"receive",
	"require_tls",
	"send",
	"server_in",
	"server_of",
	"set_timeout",
	"stay_in_transaction",
	"summary_of",
	"table_of",
	"text",
	"wait_for",
	"writes",
]
