# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The statements that a server is working on for the user of a connection, and how one of them is ended."""

import json
import re
from typing import Any, NamedTuple

from read_replica.engine.dialect.connection import answer_within

LONGEST_TEXT = 500

# One row, so that it can be waited for like any short answer. Query ids are never used again, unlike those of threads.
_OWN_PROCESSES = (
	"SELECT JSON_ARRAYAGG(JSON_OBJECT('id', query_id, 'seconds', time_ms / 1000, 'command', command,"
	f" 'state', state, 'statement', LEFT(info, {LONGEST_TEXT}))) FROM information_schema.processlist"
	" WHERE id <> CONNECTION_ID() AND db = DATABASE() AND user = SUBSTRING_INDEX(USER(), '@', 1)"
)
_AT_WORK = ("Query", "Execute")

# A name in backticks, which stays; a string, which may be cut off; a number.
_LITERAL = re.compile(
	r"`[^`]*`|'(?:[^'\\]|\\.)*(?:'|\\?$)|\"(?:[^\"\\]|\\.)*(?:\"|\\?$)|\b\d[\w.]*", re.DOTALL
)


class RunningStatement(NamedTuple):
	"""A statement that a server is working on.

	:param statement: its text without values, and cut off if it is long
	"""

	id: int
	seconds: float
	state: str
	statement: str


class OwnProcesses(NamedTuple):
	"""What a server does for one user in one database, without the connection that asks."""

	connections: int
	running: list[RunningStatement]


def own_processes(connection: Any, seconds: float) -> OwnProcesses:
	"""Return what the server does for the user and in the database of a connection.

	:raises TimeoutError: if the server has not answered within `seconds`
	"""
	(text,) = answer_within(connection, _OWN_PROCESSES, seconds)
	found = json.loads(text or "[]")
	running = [
		RunningStatement(
			int(one["id"]),
			float(one["seconds"] or 0),
			one["state"] or "",
			without_values(one["statement"] or ""),
		)
		for one in found
		if one["command"] in _AT_WORK
	]
	return OwnProcesses(len(found), sorted(running, key=lambda one: -one.seconds))


def end_statement(connection: Any, id: int, seconds: float) -> None:
	"""Have the server end a statement, and leave its connection open; one that has ended meanwhile is an error.

	:raises TimeoutError: if the server has not answered within `seconds`
	"""
	answer_within(connection, f"KILL QUERY ID {int(id)}", seconds)


def without_values(statement: str) -> str:
	"""Return a statement in one line, with `?` in the place of each string and number."""
	masked = _LITERAL.sub(lambda found: found[0] if found[0].startswith("`") else "?", statement)
	return " ".join(masked.split())
