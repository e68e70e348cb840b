# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Classifies the errors of servers and drivers by what they mean for a call."""

import re
from enum import Enum
from typing import Any

from read_replica.engine.dialect.connection import NotEncrypted
from read_replica.engine.sentence import Sentence


class ErrorKind(str, Enum):
	"""What an error of a replica means for the call that got it."""

	WRITE = "write"  # the server refused a write, or a read for update
	DENIED = "denied"  # the replica's user may not read it; the primary's user may be allowed to
	LOST = "lost"  # the connection or the server is gone
	MISSING = "missing"  # a database, table or column that the primary may have, or have whole
	TROUBLE = "trouble"  # the server is out of disk, memory or connections; the primary may not be
	OTHER = "other"  # the statement's own fault: it would fail on the primary, too


# 1290 --read-only (--read-only=ON and the like from 12.0 on), 1792 read-only transaction, 1036 and 1874 InnoDB
# without writes, 1836 a server without writes; those of _PRIVILEGE are what a user that may only SELECT gets.
_READ_ONLY = frozenset((1036, 1290, 1792, 1836, 1874))
_PRIVILEGE = frozenset((1044, 1142, 1143, 1227, 1370))
# 1053 shutting down, 1927 killed, 2002/2003 refused, 2006 gone away, 2013 lost in a query,
# 2055 lost by the system, 4031 closed for inactivity, 115x and 116x network errors.
_LOST = frozenset((1053, 1152, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2006, 2013, 2055, 4031))
# 1049 database, 1051 and 1146 table, 1054 column, 1305 routine; 1932 a table without its file; 127, 144, 145, 1034,
# 1194, 1195 and 1712 one that is crashed, as those of MyISAM are where a replica was killed.
_MISSING = frozenset((127, 144, 145, 1034, 1049, 1051, 1054, 1146, 1194, 1195, 1305, 1712, 1932))
# 1 cannot create a file, 3 cannot write it, 126 crashed temporary table, 1021 disk full, 1030 storage engine, 1037 and
# 1038 memory, 1040 too many connections, 1041 memory, 1114 table full, 1203 and 1226 a user's limits.
_TROUBLE = frozenset((1, 3, 126, 1021, 1030, 1037, 1038, 1040, 1041, 1114, 1203, 1226))

_OFFERS_NONE = re.compile("does not support|not supported by the server|doesn't support", re.IGNORECASE)
_OF_CERTIFICATES = re.compile(r"\bSSL\b|CERTIFICATE_VERIFY_FAILED|\bTLS\b")

_NAMES_READ_ONLY = re.compile("read[-_]only", re.IGNORECASE)

# The modules of the exceptions that drivers raise; some of Python's own are among them.
_MODULES_OF_DRIVER_ERRORS = frozenset(("builtins", "pymysql", "MySQLdb", "struct"))


def kind_of(error: BaseException) -> ErrorKind:
	"""Return what an error of PyMySQL or mysqlclient means, by the server's error number, never by the statement."""
	number = number_of(error)
	message = str(error.args[1]) if len(error.args) > 1 else ""
	if number in _READ_ONLY:
		# 1290 is also the number for statements that other options forbid.
		return ErrorKind.OTHER if number == 1290 and not _NAMES_READ_ONLY.search(message) else ErrorKind.WRITE
	if number in _PRIVILEGE:
		return ErrorKind.DENIED if message.startswith("SELECT ") else ErrorKind.WRITE
	# Drivers report a connection that is closed on their side as InterfaceError(0, "").
	if number in _LOST or type(error).__name__ == "InterfaceError":
		return ErrorKind.LOST
	if isinstance(error, TimeoutError):
		return ErrorKind.LOST
	if number in _MISSING:
		return ErrorKind.MISSING
	if number in _TROUBLE:
		return ErrorKind.TROUBLE
	return ErrorKind.OTHER


def number_of(error: BaseException) -> Any:
	"""Return the number of an error, or whatever its first argument is; None without any."""
	return error.args[0] if error.args else None


def is_server_error(error: BaseException) -> bool:
	"""Return whether an error is the server's answer to a statement, so that the connection is still usable."""
	return bool(error.args) and isinstance(error.args[0], int)


def _is_of_tls(error: BaseException) -> bool:
	"""Return whether TLS is the cause: mysqlclient has a number for it; PyMySQL passes on the text of Python's ssl."""
	return number_of(error) == 2026 or bool(_OF_CERTIFICATES.search(str(error)))


def is_driver_error(error: BaseException) -> bool:
	"""Return whether an error came from a server, its driver or the network.

	Any other was raised from outside while the program waited for them, such as the timeout of a job, and says
	nothing about the server.
	"""
	if not isinstance(error, Exception):
		return False
	return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _MODULES_OF_DRIVER_ERRORS


def summary_of(error: Exception) -> str:
	"""Return an error in words that people may see; its own text may hold a user's name.

	In plain words if TLS is the cause, else its type and number, such as "OperationalError 2003".
	"""
	if isinstance(error, NotEncrypted) or _is_of_tls(error):
		no_tls = isinstance(error, NotEncrypted) or _OFFERS_NONE.search(str(error))
		return (
			Sentence("TLS: the server offers none") if no_tls else Sentence("TLS: certificate not accepted")
		)
	return f"{type(error).__name__} {number_of(error)}"
