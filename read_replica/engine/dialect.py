# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is MariaDB's own: its error numbers, its session statements, the words that write.

Another database gets a module with the same names; nothing outside knows a number of MariaDB's.
"""

import re
from enum import Enum
from typing import Any

DEFAULT_PORT = 3306


class ErrorKind(str, Enum):
	"""What an error of a replica means for the call that ran into it."""

	WRITE = "write"  # the server refused a write, or a read for update
	DENIED = "denied"  # the replica's user may not read what the primary's user may
	LOST = "lost"  # the connection or the server is gone
	OTHER = "other"  # the statement's own fault: it would fail on the primary, too


# 1290 --read-only, 1792 read-only transaction; the others are what a user that may only SELECT gets.
_READ_ONLY = frozenset((1290, 1792))
_PRIVILEGE = frozenset((1044, 1142, 1143, 1227, 1370))
# 1053 shutting down, 1927 killed, 2002/2003 refused, 2006 gone away, 2013 lost in a query,
# 2055 lost by the system, 4031 closed for inactivity, 115x and 116x network errors.
_LOST = frozenset((1053, 1152, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2006, 2013, 2055, 4031))


def kind_of(error: BaseException) -> ErrorKind:
	"""Classify an error of PyMySQL or mysqlclient by the server's number, never by the statement."""
	number = error.args[0] if error.args else None
	message = str(error.args[1]) if len(error.args) > 1 else ""
	if number in _READ_ONLY:
		return ErrorKind.WRITE if number == 1792 or "read-only" in message else ErrorKind.OTHER
	if number in _PRIVILEGE:
		return ErrorKind.DENIED if message.startswith("SELECT ") else ErrorKind.WRITE
	# Drivers report a connection that is closed on their side as InterfaceError(0, "").
	if number in _LOST or type(error).__name__ == "InterfaceError":
		return ErrorKind.LOST
	return ErrorKind.OTHER


def is_servers(error: BaseException) -> bool:
	"""Whether an error is the server's answer to a statement, so that the connection is still sound."""
	return bool(error.args) and isinstance(error.args[0], int)


def prepare(connection: Any) -> None:
	"""Make every transaction of a new replica connection read-only, whatever the server allows.

	Needed also where the server runs with read_only: that lets temporary tables pass, and lets an
	administrator write, and one stray row stops replication (error 1950).
	"""
	execute(connection, "SET SESSION TRANSACTION READ ONLY")


def set_timeout(connection: Any, seconds: float) -> None:
	"""Let the server end every statement that takes longer than `seconds`."""
	execute(connection, f"SET SESSION max_statement_time = {float(seconds)}")


def execute(connection: Any, statement: str) -> Any:
	"""Run one statement and return its first row, if any."""
	cursor = connection.cursor()
	try:
		cursor.execute(statement)
		return cursor.fetchone() if cursor.description else None
	finally:
		cursor.close()


_SESSION_STATE = re.compile(
	r"^\s*(?:set|use|lock|prepare|execute|call|handler|do)\b|get_lock\s*\(|:=|\binto\s+@", re.IGNORECASE
)


def leaves_state(statement: str) -> bool:
	"""Whether a statement may leave something behind in its session (a variable, a lock, a USE).

	Says yes when in doubt: the cost is one connection that is not used again.
	"""
	return bool(_SESSION_STATE.search(statement))


_COMMENTS = r"^(?:\s|/\*.*?\*/|--[^\n]*\n|\()*"
_OPENS_TRANSACTION = re.compile(
	_COMMENTS + r"(?:insert|update|delete|replace|load|call|create|alter|drop|rename|truncate|lock|savepoint"
	r"|with\b.*\b(?:update|delete))\b|\bfor\s+update\b|\block\s+in\s+share\s+mode\b|\bnextval\b|get_lock\s*\(",
	re.IGNORECASE | re.DOTALL,
)
_CLOSES_TRANSACTION = re.compile(r"^\s*(?:commit|rollback(?!\s+(?:work\s+)?to\b))", re.IGNORECASE)


def opens_transaction(statement: str) -> bool:
	"""Whether a statement on the primary leaves a write, a row lock or a savepoint that must be kept."""
	return bool(_OPENS_TRANSACTION.search(statement))


def closes_transaction(statement: str) -> bool:
	"""Whether a statement ends the transaction, unlike `rollback to savepoint`."""
	return bool(_CLOSES_TRANSACTION.match(statement))


_TARGET = re.compile(
	_COMMENTS + r"(?:insert\s+(?:ignore\s+)?into|replace\s+into|update|delete\s+from|truncate(?:\s+table)?"
	r"|(?:create|alter|drop)\s+(?:temporary\s+)?table(?:\s+if\s+(?:not\s+)?exists)?)\s+([`\"]?)(?P<table>.+?)\1(?:[\s(]|$)",
	re.IGNORECASE | re.DOTALL,
)
_SEQUENCE = re.compile(r"\bnextval\s*\(\s*[`\"']?(?P<table>\w+)", re.IGNORECASE)
_FROM = re.compile(r"\bfrom\s+([`\"]?)(?P<table>.+?)\1(?:[\s,(]|$)", re.IGNORECASE)
_FIRST_COLUMN = re.compile(r"\bset\s+(?:[`\"]?\w[\w ]*[`\"]?\.)?[`\"]?(?P<column>\w+)", re.IGNORECASE)


def table_of(statement: str) -> str:
	"""The table that a refused statement wanted to write, as far as it can be named; else ""."""
	for pattern in (_TARGET, _SEQUENCE, _FROM):
		if found := pattern.search(statement):
			return found["table"]
	return ""


def first_column_of(statement: str) -> str:
	"""The first column that an UPDATE sets, or ""."""
	found = _FIRST_COLUMN.search(statement)
	return found["column"].lower() if found else ""


def is_read_only(connection: Any) -> bool:
	"""Whether a server refuses writes from ordinary users."""
	return bool(execute(connection, "SELECT @@global.read_only")[0])
