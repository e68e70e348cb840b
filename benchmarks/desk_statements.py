# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which statements stay on the primary, and for which request.

Each server logs all statements with the rows that they examine (the slow log, with a limit of 0 seconds). The web
server answers one request at a time and notes when; what a server was asked in that time was asked for that request.
"""

import bisect
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from support.servers import Cluster, MariaDB, run

# Statements of one request that are printed; the file has all.
MOST_PRINTED = 40
NOBODY = "(no request)"

# As in desk_counts.
_OWN = re.compile(r"@@global\.read_only")
_READS_TABLE = re.compile(r"^[\s(]*(?:select|with)\b.*\bfrom\b", re.IGNORECASE | re.DOTALL)
_VALUE = re.compile(r"'(?:[^'\\]|\\.|'')*'|\b\d+(?:\.\d+)?\b")
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")


def normalized(statement: str) -> str:
	"""The statement without its values, so that the same one is seen as the same."""
	return _LIST.sub("(?)", _VALUE.sub("?", " ".join(statement.split())))


@dataclass
class Asked:
	"""What one kind of request has asked of the servers, over all of its calls."""

	calls: int = 0
	selects: Counter = field(default_factory=Counter)
	rows: Counter = field(default_factory=Counter)
	# On the primary: statement to how often it came, and the rows it examined.
	stayed: Counter = field(default_factory=Counter)
	examined: Counter = field(default_factory=Counter)
	writes: Counter = field(default_factory=Counter)


@contextmanager
def recorded(servers: Cluster, requests: Path) -> Iterator["Record"]:
	"""Let all servers log from now on."""
	everyone = (servers.primary, *servers.replicas)
	for server in everyone:
		_log(server, begin=True)
	try:
		yield Record(servers, requests)
	finally:
		for server in everyone:
			_log(server, begin=False)


def _log(server: MariaDB, begin: bool) -> None:
	with server.admin() as connection:
		# Or the replicas would be sent it, where it is not theirs.
		run(connection, "SET SESSION sql_log_bin = 0")
		if begin:
			run(connection, "SET GLOBAL log_output = 'TABLE', GLOBAL long_query_time = 0")
			run(connection, "TRUNCATE TABLE mysql.slow_log")
		run(connection, f"SET GLOBAL slow_query_log = {int(begin)}")


class Record:
	"""What was asked during the walks, by request."""

	def __init__(self, servers: Cluster, requests: Path):
		self._servers = servers
		self._requests = requests
		self._walks: dict[str, dict[str, Asked]] = {}

	@contextmanager
	def walk(self, title: str) -> Iterator[None]:
		"""Keep what is asked meanwhile, under a title."""
		begun = time.time()
		yield
		self._note(title, begun, time.time())

	def _note(self, title: str, begun: float, ended: float) -> None:
		lines = [json.loads(line) for line in self._requests.read_text().splitlines()]
		requests = sorted(
			(line["begun"], line["ended"], line["name"]) for line in lines if begun <= line["begun"] <= ended
		)
		asked: dict[str, Asked] = defaultdict(Asked)
		for _, _, name in requests:
			asked[name].calls += 1
		for server in (self._servers.primary, *self._servers.replicas):
			self._note_server(server, requests, asked, begun, ended)
		self._walks[title] = asked

	def _note_server(
		self, server: MariaDB, requests: list, asked: dict[str, Asked], begun: float, ended: float
	) -> None:
		is_primary = server is self._servers.primary
		where = "primary" if is_primary else "replicas"
		starts = [request[0] for request in requests]
		logged = server.query(
			"select unix_timestamp(start_time), convert(sql_text using utf8mb4), rows_examined from mysql.slow_log"
			" where user_host not like 'root%%' and unix_timestamp(start_time) between %s and %s",
			(begun, ended),
		)
		for at, statement, rows in logged:
			place = bisect.bisect_right(starts, float(at)) - 1
			is_within = place >= 0 and float(at) <= requests[place][1]
			of = asked[requests[place][2] if is_within else NOBODY]
			if _OWN.search(statement):
				continue
			if _READS_TABLE.match(statement):
				of.selects[where] += 1
				of.rows[where] += rows
				if is_primary:
					of.stayed[normalized(statement)] += 1
					of.examined[normalized(statement)] += rows
			elif is_primary and re.match(r"\s*(insert|update|delete|replace)\b", statement, re.IGNORECASE):
				of.writes[normalized(statement)] += 1

	def tell(self, console: Console, output: Path) -> None:
		"""Print a table for each walk, and write all statements into files."""
		for title, asked in self._walks.items():
			_print(console, title, asked)
			name = f"desk_statements_{title.lower().replace(' ', '_')}.txt"
			(output / name).write_text(_text(asked))
			console.print(f"All statements: {output / name}\n")


def _in_order(asked: dict[str, Asked]) -> list[tuple[str, Asked]]:
	return sorted(asked.items(), key=lambda item: -item[1].selects["primary"])


def _print(console: Console, title: str, asked: dict[str, Asked]) -> None:
	table = Table(title=f"{title}: by request, those first that ask the primary most", title_justify="left")
	table.add_column("Request", overflow="fold")
	for column in ("calls", "SELECTs on primary", "rows", "SELECTs on replicas", "rows", "writes"):
		table.add_column(column, justify="right")
	for name, one in _in_order(asked)[:MOST_PRINTED]:
		table.add_row(name, *_numbers(one))
	whole = Asked()
	for one in asked.values():
		whole.calls += one.calls
		for counter in ("selects", "rows", "writes"):
			getattr(whole, counter).update(getattr(one, counter))
	table.add_section()
	table.add_row("All", *_numbers(whole), style="bold")
	console.print(table)


def _numbers(one: Asked) -> tuple[str, ...]:
	places = [f"{of[where]:,}" for where in ("primary", "replicas") for of in (one.selects, one.rows)]
	return (str(one.calls), *places, str(sum(one.writes.values())))


def _text(asked: dict[str, Asked]) -> str:
	lines = []
	for name, one in _in_order(asked):
		calls, selects, rows, on_replicas, _, _ = _numbers(one)
		lines.append(
			f"{name}: {calls} calls, {selects} SELECTs ({rows} rows) on the primary, {on_replicas} on replicas"
		)
		for statement, count in one.stayed.most_common():
			lines.append(f"\t{count} x, {one.examined[statement]:,} rows: {statement}")
		for statement, count in one.writes.most_common():
			lines.append(f"\t{count} x, write: {statement}")
		lines.append("")
	return "\n".join(lines)
