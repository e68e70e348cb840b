# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Raw connections of PyMySQL or mysqlclient: how they are prepared, asked, cut off and reused."""

import contextlib
import os
import select
import socket
from typing import Any, Literal

COM_QUERY = 3

# How long the kernel of the server's host may leave packets unacknowledged.
SECONDS_OF_SILENCE = 5

PING = "SELECT 1"


def prepare(connection: Any, seconds: float) -> None:
	"""Make every transaction of a new connection to a replica read-only, whatever the server allows.

	A server that runs with read_only needs it too: that option still permits temporary tables, and all writes of an
	administrator, and one stray row stops replication (error 1950).

	:raises TimeoutError: if the server has not answered within `seconds`
	"""
	# connect_timeouts has limited each read to a second or so; a report may take longer.
	if _is_pymysql(connection):
		connection._read_timeout = None
	_notice_silence(connection)
	answer_within(connection, "SET SESSION TRANSACTION READ ONLY", seconds)


def commit_each(connection: Any) -> None:
	"""Let each statement of a new connection be a transaction, as a later one would read in the first one's snapshot."""
	connection.autocommit(True)


def _notice_silence(connection: Any) -> None:
	"""Have the kernel give up a connection that a firewall has dropped, as no answer will ever come on it.

	The host of a server that works, or hangs, still acknowledges packets: such a connection stays open.
	"""
	with socket.socket(fileno=os.dup(_fileno(connection))) as duplicate:
		duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
		if hasattr(socket, "TCP_USER_TIMEOUT"):
			duplicate.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SECONDS_OF_SILENCE)
			duplicate.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
			duplicate.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SECONDS_OF_SILENCE * 1000)


class NotEncrypted(ConnectionError):
	"""Raised when a server is to be read over TLS and offers none."""


def require_tls(connection: Any, seconds: float) -> None:
	"""Check that a new connection is encrypted; drivers go on without TLS if a server offers none.

	:raises NotEncrypted: if it is not encrypted
	:raises TimeoutError: if the server has not answered within `seconds`
	"""
	_, cipher = answer_within(connection, "SHOW SESSION STATUS LIKE 'Ssl_cipher'", seconds)
	if not cipher:
		raise NotEncrypted("TLS: the server offers none")


def connect_timeouts(seconds: float, driver: Literal["pymysql", "mysqlclient"]) -> dict[str, Any]:
	"""Return a driver's settings that limit how long opening a connection may take, in seconds.

	They hold also for a server that accepts the connection and does not answer. mysqlclient has one limit, in whole
	seconds, that covers the server's greeting; PyMySQL waits for the greeting without end unless reads are limited
	as well, which `prepare` undoes.
	"""
	if driver == "mysqlclient":
		return {"connect_timeout": max(1, round(seconds))}
	return {"connect_timeout": seconds, "read_timeout": seconds}


def set_timeout(connection: Any, seconds: float, patience: float) -> None:
	"""Have the server end every statement that takes longer than `seconds`.

	:raises TimeoutError: if the server has not answered within `patience` seconds
	"""
	answer_within(connection, f"SET SESSION max_statement_time = {float(seconds)}", patience)


def stay_in_transaction(connection: Any, patience: float) -> None:
	"""Begin a read-only transaction, so that a proxy sends all further statements to one server.

	It opens no snapshot yet.

	:raises TimeoutError: if the server has not answered within `patience` seconds
	"""
	answer_within(connection, "START TRANSACTION READ ONLY", patience)


def execute(connection: Any, statement: str) -> Any:
	"""Run one statement and return its first row, or None."""
	cursor = connection.cursor()
	try:
		cursor.execute(statement)
		return cursor.fetchone() if cursor.description else None
	finally:
		cursor.close()


def send(connection: Any, statement: str) -> None:
	"""Send a statement without waiting for its answer; `receive` reads that."""
	if _is_pymysql(connection):
		connection._execute_command(COM_QUERY, statement)
	else:
		connection.send_query(statement.encode())


def is_ready(connection: Any, seconds: float = 0) -> bool:
	"""Return whether the answer to a statement that was sent, or an error, arrives within `seconds`."""
	poll = select.poll()
	poll.register(_fileno(connection), select.POLLIN)
	return bool(poll.poll(seconds * 1000))


def receive(connection: Any) -> tuple[Any, ...] | None:
	"""Wait for the answer to a statement that was sent, and return its first row, or None."""
	if _is_pymysql(connection):
		connection._read_query_result()
		rows = connection._result.rows
	else:
		connection.read_query_result()
		result = connection.store_result()
		rows = result.fetch_row(0) if result else None
	return rows[0] if rows else None


def answer_within(connection: Any, statement: str, seconds: float) -> Any:
	"""Run a statement and return the first row of its answer, or None.

	:raises TimeoutError: if there is no answer within `seconds`; the connection cannot be used any more then
	"""
	send(connection, statement)
	if not is_ready(connection, seconds):
		raise TimeoutError(f"no answer within {seconds:.1f} s")
	return receive(connection)


def end_later(connection: Any) -> None:
	"""Roll back without waiting for the answer; `ended` must be called before the connection is used again.

	The round trip of a rollback takes as long as a small query, and its answer is not needed yet.
	"""
	send(connection, "ROLLBACK")


def ended(connection: Any, seconds: float) -> bool:
	"""Return whether the rollback of `end_later` is done, after waiting up to `seconds` for it."""
	if not is_ready(connection, seconds):
		return False
	if _is_pymysql(connection):
		# Raises an error, if it is one. PyMySQL's reading of a whole result takes twice as long.
		connection._read_packet()
	else:
		receive(connection)
	return True


class _NotUsed:
	"""Stands where PyMySQL keeps the result of the last statement, and says that there is none.

	PyMySQL takes it away as it sends the next command, also one that the server refuses: that may leave a
	transaction open, and locks of its tables.
	"""

	unbuffered_active = False
	has_next = False

	def __bool__(self) -> bool:
		return False


_NOT_USED = _NotUsed()


def note_no_use(connection: Any) -> None:
	"""From now on, let `may_be_in_use` tell whether a command was sent."""
	if _is_pymysql(connection):
		connection._result = _NOT_USED


def may_be_in_use(connection: Any) -> bool:
	"""Whether a command may have been sent since `note_no_use`, and so a transaction be open.

	mysqlclient does not tell.
	"""
	return not _is_pymysql(connection) or connection._result is not _NOT_USED


def cut(connection: Any, port: int) -> bool:
	"""Shut down a connection's socket, so that a thread that waits for its server gets an error at once.

	That works from any thread, also while a driver waits in C.

	:param port: the server's; if the connection was closed meanwhile, its socket's number may be another socket's
	:returns: whether it was shut down
	"""
	with contextlib.suppress(Exception):
		duplicate = socket.socket(fileno=os.dup(_fileno(connection)))
		with duplicate:
			if duplicate.getpeername()[1] == port:
				duplicate.shutdown(socket.SHUT_RDWR)
				return True
	return False


def abandon(connection: Any, port: int) -> None:
	"""Leave the rest of a result unread, on a connection that is to be closed.

	Without this, drivers read a result to its end before they close its cursor.
	"""
	cut(connection, port)
	if _is_pymysql(connection) and connection._result:
		connection._result.unbuffered_active = False


def _is_pymysql(connection: Any) -> bool:
	return hasattr(connection, "_execute_command")


def _fileno(connection: Any) -> int:
	number: int = connection._sock.fileno() if _is_pymysql(connection) else connection.fileno()
	return number
