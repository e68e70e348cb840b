# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which server is at the other end of a connection: an address may lead to one of several."""

from collections.abc import Sequence
from typing import Any

from read_replica.engine.dialect.connection import answer_within

# A server id may be given twice by mistake, and a name and a port stand for many containers: all of them
# together, and the id that newer servers compute for themselves, are hardly the same twice.
# Of the connection, @@pseudo_thread_id is the number that the server itself knows it by.
IDENTITY = "@@pseudo_thread_id, @@server_id, @@hostname, @@port /*M!110800 , @@server_uid */"


who_is_there = f"SELECT {IDENTITY}"


def server_of(connection: Any, patience: float) -> str:
	"""The server at the other end of a new connection; "" where each statement may go to another one.

	:raises TimeoutError: if it has not answered within `patience` seconds
	"""
	row = answer_within(connection, who_is_there, patience)
	return server_in(row) if is_direct(connection, row) else ""


def server_in(row: Sequence[Any]) -> str:
	"""The server in an answer to IDENTITY, as people read it: "2 (db-b:3306)", and what else tells it apart."""
	_, server_id, hostname, port, *others = (text(value) for value in row)
	return " ".join((server_id, f"({hostname}:{port})", *others))


def is_direct(connection: Any, row: Sequence[Any]) -> bool:
	"""Whether the server knows a connection by the number that its client was greeted with.

	It does so through load balancers that pass bytes on. A proxy that speaks the protocol itself (MaxScale,
	ProxySQL) greets with a number of its own, and may lead each statement to another server.
	"""
	return int(text(row[0])) % 2**32 == connection.thread_id() % 2**32


def text(value: Any) -> str:
	"""A value as text, whether a driver gives text, bytes, a number or None."""
	if value is None:
		return ""
	return value.decode() if isinstance(value, bytes) else str(value)
