# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is MariaDB's own: its error numbers, its positions, its statements, how its drivers are spoken to.

Uses nothing else; used by all of the engine, and by the rooms that speak to a server. Offers what stands in
`__all__`: another database gets a package with the same names, and nothing outside knows a number of MariaDB's.
"""

from read_replica.engine.dialect.connection import (
	NotEncrypted,
	abandon,
	answer_within,
	cut,
	end_later,
	ended,
	execute,
	is_ready,
	limits_of_connecting,
	may_be_in_use,
	note_no_use,
	ping,
	prepare,
	receive,
	require_tls,
	send,
	set_timeout,
	stay_in_transaction,
)
from read_replica.engine.dialect.errors import (
	ErrorKind,
	is_of_connection,
	is_servers,
	kind_of,
	number_of,
	summary_of,
)
from read_replica.engine.dialect.identity import server_in, server_of, text, who_is_there
from read_replica.engine.dialect.positions import (
	HealthAnswer,
	Position,
	PrimaryAnswer,
	committed_position,
	is_on,
	position_of_primary,
	question_of_health,
	question_of_primary,
	read_health,
	read_primary,
	wait_for,
)
from read_replica.engine.dialect.statements import (
	closes_transaction,
	commits,
	commits_by_itself,
	first_column_of,
	is_logged_always,
	leaves_state,
	opens_transaction,
	table_of,
	writes,
)

DEFAULT_PORT = 3306

__all__ = [
	"DEFAULT_PORT",
	"ErrorKind",
	"HealthAnswer",
	"NotEncrypted",
	"Position",
	"PrimaryAnswer",
	"abandon",
	"answer_within",
	"closes_transaction",
	"commits",
	"commits_by_itself",
	"committed_position",
	"cut",
	"end_later",
	"ended",
	"execute",
	"first_column_of",
	"is_logged_always",
	"is_of_connection",
	"is_on",
	"is_ready",
	"is_servers",
	"kind_of",
	"leaves_state",
	"limits_of_connecting",
	"may_be_in_use",
	"note_no_use",
	"number_of",
	"opens_transaction",
	"ping",
	"position_of_primary",
	"prepare",
	"question_of_health",
	"question_of_primary",
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
	"who_is_there",
	"writes",
]
