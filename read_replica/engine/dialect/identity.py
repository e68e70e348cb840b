# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells which server is at the other end of a connection, as one address may lead to several servers."""

from collections.abc import Sequence
from typing import Any

from read_replica.engine.dialect.connection import answer_within

# The same server id may be given twice by mistake, and many containers have the same name and port. All of these
# together, with the id that newer servers compute for themselves, are hardly the same on two servers.
# @@pseudo_thread_id is the number by which the server itself knows the connection.
IDENTITY = "@@pseudo_thread_id, @@server_id, @@hostname, @@port /*M!110800 , @@server_uid */"


IDENTITY_QUERY = f"SELECT {IDENTITY}"


def server_of(connection: Any, patience: float) -> str:
	"""Ask a new connection which server it leads to; "" if each statement may go to another one.

	:raises TimeoutError: if the server has not answered within `patience` seconds
	"""
	row = answer_within(connection, IDENTITY_QUERY, patience)
	return server_in(row) if is_direct(connection, row) else ""


def server_in(row: Sequence[Any]) -> str:
	"""Return the server that an answer to IDENTITY names, such as "2 (db-b:3306)".

	The id that newer servers compute for themselves follows.
	"""
	_, server_id, hostname, port, *others = (text(value) for value in row)
	return " ".join((server_id, f"({hostname}:{port})", *others))


def is_direct(connection: Any, row: Sequence[Any]) -> bool:
	"""Return whether a connection leads to one server: that knows it by the number its client was greeted with.

	This is so through load balancers that pass bytes on. A proxy that speaks the protocol itself (MaxScale,
	ProxySQL) greets with a number of its own, and may send each statement to another server.
	"""
	greeted_with: int = connection.thread_id()
	return int(text(row[0])) % 2**32 == greeted_with % 2**32


def text(value: Any) -> str:
	"""Return a value as text, whether a driver gives text, bytes, a number or None."""
	if value is None:
		return ""
	return value.decode() if isinstance(value, bytes) else str(value)
