# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells what a statement does, as far as its words show. What is a write, the server decides."""

import re

_COMMENTS = r"^(?:\s|/\*.*?\*/|--[^\n]*\n|\()*"
_CHANGES_SESSION = re.compile(
	_COMMENTS + r"(?:set|use|lock|prepare|execute|call|handler|do|analyze|flush)\b", re.IGNORECASE | re.DOTALL
)
_SESSION_STATE = re.compile(r"get_lock\s*\(|:=|\binto\s+@", re.IGNORECASE)


def leaves_state(statement: str) -> bool:
	"""Return whether a statement may leave something in its session (a variable, a lock, a USE).

	True when in doubt: that costs one connection, which is not used again.
	"""
	if _CHANGES_SESSION.match(statement):
		return True
	# This is asked for each statement of each call, and a search by a pattern takes ten times as long as `in`.
	if "@" in statement or ":=" in statement or "_lock" in statement.lower():
		return bool(_SESSION_STATE.search(statement))
	return False


_IS_LOGGED_ALWAYS = re.compile(
	_COMMENTS + r"(?:analyze\s+(?:(?:local|no_write_to_binlog)\s+)?table|flush)\b", re.IGNORECASE | re.DOTALL
)


def is_logged_always(statement: str) -> bool:
	"""Return whether a server writes a statement to its binary log even if it is read-only.

	On a replica, such a transaction of its own stops replication (error 1950). `leaves_state` is true for each of
	these statements as well.
	"""
	return bool(_IS_LOGGED_ALWAYS.match(statement))


_OPENS_TRANSACTION = re.compile(
	_COMMENTS + r"(?:insert|update|delete|replace|load|call|create|alter|drop|rename|truncate|lock|savepoint"
	r"|set\s+statement\b|with\b.*\b(?:update|delete))\b|\bfor\s+update\b|\block\s+in\s+share\s+mode\b|\bnextval\b|get_lock\s*\(",
	re.IGNORECASE | re.DOTALL,
)
# Without one of these, a SELECT locks nothing.
_WORDS_OF_LOCKS = ("update", "share", "nextval", "get_lock")

# Comments, texts and quoted names, which may contain any word.
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
	"""Return whether a replica would refuse a statement, by its words: a write, DDL, or a read for update.

	Used where no replica is asked. What a stored routine does is not known. A savepoint, a named lock and a read in
	share mode are no writes, as a replica permits them.
	"""
	return bool(_WRITES.search(_QUOTED.sub(" ", statement)))


_CLOSES_TRANSACTION = re.compile(r"^\s*(?:commit|rollback(?!\s+(?:work\s+)?to\b))", re.IGNORECASE)


def opens_transaction(statement: str) -> bool:
	"""Return whether a statement on the primary leaves a write, a row lock or a savepoint in its transaction."""
	if statement[:6].lower() == "select":
		# Asked for each statement on the primary, and a search by the pattern takes twenty times as long as `in`.
		lower = statement.lower()
		if not any(word in lower for word in _WORDS_OF_LOCKS):
			return False
	return bool(_OPENS_TRANSACTION.search(statement))


def closes_transaction(statement: str) -> bool:
	"""Return whether a statement ends the transaction; `rollback to savepoint` does not."""
	return bool(_CLOSES_TRANSACTION.match(statement))


def rolls_back(statement: str) -> bool:
	"""Return whether a statement undoes writes of the open transaction: all of them, or those since a savepoint."""
	return statement.lstrip()[:8].lower() == "rollback"


_READS = re.compile(_COMMENTS + r"(?:select|with)\b", re.IGNORECASE | re.DOTALL)


def reads(statement: str) -> bool:
	"""Return whether a statement is a SELECT by its first word, also one with a WITH clause or one that locks rows."""
	# Asked for each statement of each request, and nearly all of them begin like this.
	return statement[:6].lower() == "select" or bool(_READS.match(statement))


_COMMITS = re.compile(r"^\s*(?:commit|begin|start\s+transaction)\b", re.IGNORECASE)


def commits(statement: str) -> bool:
	"""Return whether a statement commits the open transaction, as the beginning of another one does, too."""
	return bool(_COMMITS.match(statement))


_COMMITS_IMPLICITLY = re.compile(
	_COMMENTS
	+ r"(?:create(?!\s+(?:or\s+replace\s+)?temporary)|alter|drop(?!\s+temporary)|rename|truncate)\b",
	re.IGNORECASE | re.DOTALL,
)


def commits_implicitly(statement: str) -> bool:
	"""Return whether a statement commits implicitly, before and after itself, as DDL does."""
	return bool(_COMMITS_IMPLICITLY.match(statement))


_TARGET = re.compile(
	_COMMENTS + r"(?:insert\s+(?:ignore\s+)?into|replace\s+into|update|delete\s+from|truncate(?:\s+table)?"
	r"|(?:create|alter|drop)\s+(?:temporary\s+)?table(?:\s+if\s+(?:not\s+)?exists)?)\s+([`\"]?)(?P<table>.+?)\1(?:[\s(]|$)",
	re.IGNORECASE | re.DOTALL,
)
_SEQUENCE = re.compile(r"\bnextval\s*\(\s*[`\"']?(?P<table>\w+)", re.IGNORECASE)
_FROM = re.compile(r"\bfrom\s+([`\"]?)(?P<table>.+?)\1(?:[\s,(]|$)", re.IGNORECASE)
_FIRST_COLUMN = re.compile(r"\bset\s+(?:[`\"]?\w[\w ]*[`\"]?\.)?[`\"]?(?P<column>\w+)", re.IGNORECASE)


def table_of(statement: str) -> str:
	"""Return the table that a refused statement was to write, as far as its words tell; else ""."""
	for pattern in (_TARGET, _SEQUENCE, _FROM):
		if found := pattern.search(statement):
			return found["table"]
	return ""


def first_column_of(statement: str) -> str:
	"""Return the first column that an UPDATE sets, or ""."""
	found = _FIRST_COLUMN.search(statement)
	return found["column"].lower() if found else ""


def target_of(statement: str) -> tuple[str, str] | None:
	"""Return the table that a statement writes, and the first column that an UPDATE sets; None if it writes nothing."""
	# Asked for each write, and the patterns of the functions that it spares search all of a long INSERT.
	word = statement[:6].lower()
	if word not in ("insert", "update", "delete") and not writes(statement):
		return None
	return table_of(statement), first_column_of(statement) if word == "update" else ""
