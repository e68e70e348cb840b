# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a site has read from each of its servers, by the servers' own counters.

Rows are those that its user has read from tables (USER_STATISTICS), and so neither those of replication nor
those of temporary tables. SELECTs are counted by their digests. Those of this app's own health and position checks
are left out, as nobody would make them without it: they read no table, but for one, which reads a row every few
seconds. That row is counted.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from support.servers import Cluster, run

# For MariaDB.command: the digests keep whole statements, so that the end of a long one still shows its table.
OPTIONS = (
	"--performance-schema=ON",
	"--performance-schema-digests-size=20000",
	"--performance-schema-max-digest-length=8192",
	"--max-digest-length=8192",
	"--userstat=1",
)

# A question about the site's Redises, which this app asks of a table of its own every few seconds.
_IS_OWN = "digest_text like '%%@@GLOBAL . `read_only`%%'"
_SELECTS = f"""
	select
		coalesce(sum(if({_IS_OWN}, 0, count_star)), 0),
		coalesce(sum(digest is null), 0)
	from performance_schema.events_statements_summary_by_digest
	where schema_name = %s
		and (digest is null or digest_text regexp '^[( ]*(SELECT|WITH)' and digest_text like '%%FROM%%')
"""
_ROWS = "select coalesce(sum(rows_read), 0) from information_schema.user_statistics where user = %s"


@dataclass(frozen=True)
class Read:
	"""How much was read from one server, or from several."""

	selects: int = 0
	rows: int = 0

	def __add__(self, other: "Read") -> "Read":
		return Read(self.selects + other.selects, self.rows + other.rows)

	def __sub__(self, other: "Read") -> "Read":
		return Read(self.selects - other.selects, self.rows - other.rows)


class Counts:
	"""Reads the counters of the primary and of each replica, in this order."""

	def __init__(self, connections: list[Any], database: str):
		self._connections = connections
		self._database = database

	def now(self) -> list[Read]:
		return [self._of(connection) for connection in self._connections]

	def _of(self, connection: Any) -> Read:
		[(selects, lost)] = run(connection, _SELECTS, (self._database,))
		if lost:
			raise RuntimeError("There were more kinds of statements than performance_schema has counters for")
		# The site's user is named as its database.
		[(rows,)] = run(connection, _ROWS, (self._database,))
		return Read(int(selects), int(rows))


@contextmanager
def counts(servers: Cluster, database: str) -> Iterator[Counts]:
	with ExitStack() as stack:
		opened = [stack.enter_context(server.admin()) for server in (servers.primary, *servers.replicas)]
		yield Counts(opened, database)
