# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is said to a server on a raw connection of PyMySQL or mysqlclient."""

import contextlib
import os
import select
import socket
from typing import Any, Literal

COM_QUERY = 3

# How long the other end's kernel may leave what it is sent unacknowledged.
SECONDS_OF_SILENCE = 5

ping = "SELECT 1"


def prepare(connection: Any, seconds: float) -> None:
	"""Make every transaction of a new replica connection read-only, whatever the server allows.

	Needed also where the server runs with read_only: that lets temporary tables pass, and lets an
	administrator write, and one stray row stops replication (error 1950).

	:raises TimeoutError: if the server has not answered within `seconds`
	"""
	# While it was opened, the driver limited each read; a report may take longer.
	if _is_pymysql(connection):
		connection._read_timeout = None
	_notice_silence(connection)
	answer_within(connection, "SET SESSION TRANSACTION READ ONLY", seconds)


def _notice_silence(connection: Any) -> None:
	"""Let the kernel give up a connection that a firewall has dropped, which no server will ever answer.

	A server that works, or hangs, acknowledges what it is sent, and is left in peace.
	"""
	with socket.socket(fileno=os.dup(_fileno(connection))) as duplicate:
		duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
		if hasattr(socket, "TCP_USER_TIMEOUT"):
			duplicate.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SECONDS_OF_SILENCE)
			duplicate.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
			duplicate.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SECONDS_OF_SILENCE * 1000)


class NotEncrypted(ConnectionError):
	"""A server that was to be read over TLS, and offers none."""


def require_tls(connection: Any, seconds: float) -> None:
	"""See to it that a new connection is encrypted: drivers go on without, where a server offers none.

	:raises NotEncrypted: if it is not
	:raises TimeoutError: if the server has not answered within `seconds`
	"""
	_, cipher = answer_within(connection, "SHOW SESSION STATUS LIKE 'Ssl_cipher'", seconds)
	if not cipher:
		raise NotEncrypted("TLS: the server offers none")


def limits_of_connecting(seconds: float, driver: Literal["pymysql", "mysqlclient"]) -> dict[str, Any]:
	"""A driver's settings against a server that accepts a connection and does not answer.

	mysqlclient's one limit covers the greeting, and takes whole seconds; PyMySQL waits for it without
	an end unless reads are limited, which `prepare` takes back.
	"""
	if driver == "mysqlclient":
		return {"connect_timeout": max(1, round(seconds))}
	return {"connect_timeout": seconds, "read_timeout": seconds}


def set_timeout(connection: Any, seconds: float, patience: float) -> None:
	"""Let the server end every statement that takes longer than `seconds`.

	:raises TimeoutError: if the server has not answered within `patience` seconds
	"""
	answer_within(connection, f"SET SESSION max_statement_time = {float(seconds)}", patience)


def stay_in_transaction(connection: Any, patience: float) -> None:
	"""Begin a read-only transaction: proxies send all of one to the same server. It opens no snapshot yet.

	:raises TimeoutError: if the server has not answered within `patience` seconds
	"""
	answer_within(connection, "START TRANSACTION READ ONLY", patience)


def execute(connection: Any, statement: str) -> Any:
	"""Run one statement and return its first row, if any."""
	cursor = connection.cursor()
	try:
		cursor.execute(statement)
		return cursor.fetchone() if cursor.description else None
	finally:
		cursor.close()


def send(connection: Any, statement: str) -> None:
	"""Send a statement and do not wait for its answer."""
	if _is_pymysql(connection):
		connection._execute_command(COM_QUERY, statement)
	else:
		connection.send_query(statement.encode())


def is_ready(connection: Any, seconds: float = 0) -> bool:
	"""Whether the answer to a statement that was sent arrives within `seconds`; so does an error."""
	poll = select.poll()
	poll.register(_fileno(connection), select.POLLIN)
	return bool(poll.poll(seconds * 1000))


def receive(connection: Any) -> tuple | None:
	"""The first row of the answer to a statement that was sent, waiting for it if need be."""
	if _is_pymysql(connection):
		connection._read_query_result()
		rows = connection._result.rows
	else:
		connection.read_query_result()
		result = connection.store_result()
		rows = result.fetch_row(0) if result else None
	return rows[0] if rows else None


def answer_within(connection: Any, statement: str, seconds: float) -> Any:
	"""The first row of a statement's answer.

	:raises TimeoutError: if there is none within `seconds`; the connection is of no use afterwards
	"""
	send(connection, statement)
	if not is_ready(connection, seconds):
		raise TimeoutError(f"no answer within {seconds:.1f} s")
	return receive(connection)


def end_later(connection: Any) -> None:
	"""End the transaction without waiting for the server to say so; `ended` must be called before any use.

	The round trip of a rollback costs as much as a small query, and nobody needs its answer yet.
	"""
	send(connection, "ROLLBACK")


def ended(connection: Any, seconds: float) -> bool:
	"""Whether what `end_later` began is done; waits up to `seconds`."""
	if not is_ready(connection, seconds):
		return False
	if _is_pymysql(connection):
		# That it is no error is all there is to know; PyMySQL's reading of a result takes twice as long.
		connection._read_packet()
	else:
		receive(connection)
	return True


def note_no_use(connection: Any) -> None:
	"""From now on, let `may_be_in_use` tell whether a statement was sent."""
	if _is_pymysql(connection):
		connection._result = None


def may_be_in_use(connection: Any) -> bool:
	"""Whether a statement may have been sent since `note_no_use`, and so a transaction be open.

	PyMySQL keeps the result of the last statement; mysqlclient does not tell.
	"""
	return not _is_pymysql(connection) or connection._result is not None


def cut(connection: Any, port: int) -> bool:
	"""Let a thread that waits for this connection's server get an error at once.

	By the socket, which works from any thread and while a driver waits in C. `port` is the server's:
	the number of a socket that was closed meanwhile may already be another's.
	"""
	with contextlib.suppress(Exception):
		duplicate = socket.socket(fileno=os.dup(_fileno(connection)))
		with duplicate:
			if duplicate.getpeername()[1] == port:
				duplicate.shutdown(socket.SHUT_RDWR)
				return True
	return False


def abandon(connection: Any, port: int) -> None:
	"""Let nobody wait for the rest of a result on a connection that is going to be closed.

	Drivers read a result to its end before they close its cursor.
	"""
	cut(connection, port)
	if _is_pymysql(connection) and connection._result is not None:
		connection._result.unbuffered_active = False


def _is_pymysql(connection: Any) -> bool:
	return hasattr(connection, "_execute_command")


def _fileno(connection: Any) -> int:
	return connection._sock.fileno() if _is_pymysql(connection) else connection.fileno()
