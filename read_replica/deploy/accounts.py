# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes the SQL for a database account that may read one database, and no more."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

# MariaDB's longest names.
LONGEST_USER = 80
LONGEST_HOST = 255

BYTES_OF_A_PASSWORD = 24


@dataclass(frozen=True)
class Account:
	"""An account as MariaDB knows it: a user's name, and the host that the user logs in from.

	:param host: an address, a name, or a pattern such as `10.0.0.%`
	:raises ValueError: if MariaDB would cut off or refuse one of them
	"""

	user: str
	host: str

	def __post_init__(self) -> None:
		for what, text, longest in (("user", self.user, LONGEST_USER), ("host", self.host, LONGEST_HOST)):
			if not text or len(text) > longest or not text.isprintable():
				raise ValueError(
					f"{text!r} is no {what} of MariaDB's: write 1 to {longest} characters on one line"
				)

	def __str__(self) -> str:
		return f"{quoted(self.user)}@{quoted(self.host)}"


def quoted(text: str) -> str:
	"""Returns a text as a string of SQL, for a session without NO_BACKSLASH_ESCAPES."""
	return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
	"""Returns a name of a database or table in backticks."""
	return "`" + name.replace("`", "``") + "`"


def grant_identifier(database: str) -> str:
	"""Returns the name of a database as GRANT takes it, which reads `_` and `%` as wildcards."""
	for wildcard in ("\\", "_", "%"):
		database = database.replace(wildcard, f"\\{wildcard}")
	return identifier(database)


def new_password() -> str:
	"""Returns a password that needs no quoting anywhere."""
	return secrets.token_urlsafe(BYTES_OF_A_PASSWORD)


def password_hash(password: str) -> str:
	"""Returns what mysql_native_password keeps of a password, so that SQL need not have the password itself."""
	once = hashlib.sha1(password.encode()).digest()
	return "*" + hashlib.sha1(once).hexdigest().upper()


def create_reader(accounts: Iterable[Account], password: str, database: str) -> list[str]:
	"""Returns the statements that make accounts which may read a database; run again, they change nothing.

	`CREATE USER IF NOT EXISTS` alone would leave an account with the password of an earlier try.
	"""
	statements = []
	for account in accounts:
		how = f"IDENTIFIED VIA mysql_native_password USING {quoted(password_hash(password))}"
		statements += [
			f"CREATE USER IF NOT EXISTS {account} {how}",
			f"ALTER USER {account} {how}",
			f"GRANT SELECT ON {grant_identifier(database)}.* TO {account}",
		]
	return statements


def other_grants(grants: Iterable[str], database: str) -> list[str]:
	"""Returns those of an account's grants, as SHOW GRANTS gives them, that let it do more than read a database.

	What everybody may (`TO PUBLIC`, such as the database test) is not the account's own and no fault of it. A grant
	written by hand may have an `_` that is not escaped.
	"""
	names = {grant_identifier(database), identifier(database)}
	allowed = ("GRANT USAGE ON *.* TO ", *(f"GRANT SELECT ON {name}.* TO " for name in names))
	return [
		grant.partition(" IDENTIFIED ")[0]
		for grant in grants
		if not grant.endswith(" TO PUBLIC")
		and (not grant.startswith(allowed) or grant.endswith("WITH GRANT OPTION"))
	]
