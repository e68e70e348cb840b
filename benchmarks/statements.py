# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a server is asked, by its own general log."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.servers import MariaDB, run


@contextmanager
def recorded(server: MariaDB) -> Iterator[list[tuple[int, str]]]:
	"""All statements that reach a server meanwhile, each with its connection's id; filled at the end."""
	statements: list[tuple[int, str]] = []
	with server.admin() as connection:
		own = connection.thread_id()
		# Or the replicas would be sent it, where it is not theirs.
		run(connection, "SET SESSION sql_log_bin = 0")
		run(connection, "SET GLOBAL log_output = 'TABLE'")
		run(connection, "TRUNCATE TABLE mysql.general_log")
		run(connection, "SET GLOBAL general_log = 1")
		try:
			yield statements
		finally:
			run(connection, "SET GLOBAL general_log = 0")
			statements += run(
				connection,
				"SELECT thread_id, CONVERT(argument USING utf8mb4) FROM mysql.general_log"
				" WHERE command_type = 'Query' AND thread_id <> %s",
				(own,),
			)
