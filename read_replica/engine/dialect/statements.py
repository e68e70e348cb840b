# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a statement does, as far as its words tell. The server judges what is a write."""

import re

_COMMENTS = r"^(?:\s|/\*.*?\*/|--[^\n]*\n|\()*"
_CHANGES_SESSION = re.compile(
	_COMMENTS + r"(?:set|use|lock|prepare|execute|call|handler|do|analyze|flush)\b", re.IGNORECASE | re.DOTALL
)
_SESSION_STATE = re.compile(r"get_lock\s*\(|:=|\binto\s+@", re.IGNORECASE)


def leaves_state(statement: str) -> bool:
	"""Whether a statement may leave something behind in its session (a variable, a lock, a USE).

	Says yes when in doubt: the cost is one connection that is not used again.
	"""
	if _CHANGES_SESSION.match(statement):
		return True
	# Each call asks this of each statement, and a search through it takes ten times as long as `in`.
	if "@" in statement or ":=" in statement or "_lock" in statement.lower():
		return bool(_SESSION_STATE.search(statement))
	return False


_IS_LOGGED_ALWAYS = re.compile(
	_COMMENTS + r"(?:analyze\s+(?:(?:local|no_write_to_binlog)\s+)?table|flush)\b", re.IGNORECASE | re.DOTALL
)


def is_logged_always(statement: str) -> bool:
	"""Whether a server writes a statement to its binary log even when it is told to be read-only.

	On a replica, that transaction of its own stops replication (error 1950). Each of these is one that
	`leaves_state` says yes to.
	"""
	return bool(_IS_LOGGED_ALWAYS.match(statement))


_OPENS_TRANSACTION = re.compile(
	_COMMENTS + r"(?:insert|update|delete|replace|load|call|create|alter|drop|rename|truncate|lock|savepoint"
	r"|set\s+statement\b|with\b.*\b(?:update|delete))\b|\bfor\s+update\b|\block\s+in\s+share\s+mode\b|\bnextval\b|get_lock\s*\(",
	re.IGNORECASE | re.DOTALL,
)
# Comments, texts and quoted names, in which any word may stand.
_QUOTED = re.compile(
	r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`|/\*.*?\*/|--\s[^\n]*|#[^\n]*", re.DOTALL
)
_CHANGES_ROWS = "insert|update|delete|replace|load|truncate"
_WRITES = re.compile(
	rf"^[\s(]*(?:(?:{_CHANGES_ROWS}|create|alter|drop|rename|grant|revoke|optimize|repair|flush|install|uninstall)\b"
	rf"|analyze\s+(?:(?:local|no_write_to_binlog)\s+)?table\b|lock\s+tables?\b.*\bwrite\b"
	rf"|set\s+statement\b.*\bfor\s+(?:{_CHANGES_ROWS})\b|with\b.*\b(?:update|delete)\b)"
	r"|\bfor\s+update\b|\b(?:nextval|setval)\s*\(|\bnext\s+value\s+for\b",
	re.IGNORECASE | re.DOTALL,
)


def writes(statement: str) -> bool:
	"""Whether a statement is, by its words, one that a replica would refuse: a write, DDL, a read for update.

	For where no replica is asked. What a stored routine does is not known; a savepoint, a named lock and a
	read in share mode are no writes, as a replica lets them pass.
	"""
	return bool(_WRITES.search(_QUOTED.sub(" ", statement)))


_CLOSES_TRANSACTION = re.compile(r"^\s*(?:commit|rollback(?!\s+(?:work\s+)?to\b))", re.IGNORECASE)


def opens_transaction(statement: str) -> bool:
	"""Whether a statement on the primary leaves a write, a row lock or a savepoint that must be kept."""
	return bool(_OPENS_TRANSACTION.search(statement))


def closes_transaction(statement: str) -> bool:
	"""Whether a statement ends the transaction, unlike `rollback to savepoint`."""
	return bool(_CLOSES_TRANSACTION.match(statement))


_COMMITS = re.compile(r"^\s*(?:commit|begin|start\s+transaction)\b", re.IGNORECASE)


def commits(statement: str) -> bool:
	"""Whether a statement commits what is open, as the beginning of another transaction does, too."""
	return bool(_COMMITS.match(statement))


_COMMITS_BY_ITSELF = re.compile(
	_COMMENTS
	+ r"(?:create(?!\s+(?:or\s+replace\s+)?temporary)|alter|drop(?!\s+temporary)|rename|truncate)\b",
	re.IGNORECASE | re.DOTALL,
)


def commits_by_itself(statement: str) -> bool:
	"""Whether a statement ends the transaction before and after itself, as DDL does."""
	return bool(_COMMITS_BY_ITSELF.match(statement))


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
