# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Replication positions: MariaDB's global transaction ids (GTIDs), and the queries about them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from read_replica.engine.dialect.connection import answer_within
from read_replica.engine.dialect.identity import IDENTITY, server_in, text


class Position:
	"""The last transaction of each replication domain, such as "0-1-100": domain, server id, number.

	Only domain and number are compared: after a switchover the numbers continue under another server's id.
	"""

	__slots__ = ("_last",)

	def __init__(self, text: str | None = "") -> None:
		"""Parse a position, or several joined by commas.

		:raises ValueError: if it is no GTID position
		"""
		self._last: dict[int, tuple[int, int]] = {}
		if not text:
			return
		for gtid in filter(None, (part.strip() for part in text.split(","))):
			domain, server, number = (int(part) for part in gtid.split("-"))
			self._add(domain, number, server)

	def _add(self, domain: int, number: int, server: int) -> None:
		if domain not in self._last or self._last[domain][0] < number:
			self._last[domain] = (number, server)

	def covers(self, other: "Position") -> bool:
		"""Return whether a server at this position has all that one at the other position has."""
		for domain, (number, _) in other._last.items():
			if domain not in self._last or self._last[domain][0] < number:
				return False
		return True

	def is_ahead_of(self, other: "Position") -> bool:
		"""Return whether a server at this position has a transaction that one at the other position lacks.

		Domains that the other one does not know do not count: they may be those of an earlier primary.
		"""
		return any(
			domain in self._last and self._last[domain][0] > number
			for domain, (number, _) in other._last.items()
		)

	def joined(self, other: "Position") -> "Position":
		"""Return the position that has all that both have."""
		if not other:
			return self
		if not self:
			return other
		both = Position()
		both._last = dict(self._last)
		for domain, (number, server) in other._last.items():
			both._add(domain, number, server)
		return both

	def __bool__(self) -> bool:
		return bool(self._last)

	def __eq__(self, other: object) -> bool:
		return isinstance(other, Position) and self._last == other._last

	def __hash__(self) -> int:
		return hash(frozenset(self._last.items()))

	def __str__(self) -> str:
		return ",".join(
			f"{domain}-{server}-{number}" for domain, (number, server) in sorted(self._last.items())
		)

	def __repr__(self) -> str:
		return f"Position({str(self)!r})"


class HealthAnswer(NamedTuple):
	"""A replica's answer to `health_query`.

	:param reached: whether it has the position that it was asked for
	:param server: which server has answered, as `identity.server_in` names it
	"""

	reached: bool
	position: Position
	read_only: bool
	server: str


class PrimaryAnswer(NamedTuple):
	"""The primary's answer to `primary_health_query`.

	:param at: the time by its clock, in seconds since 1970
	:param read_only: whether it refuses writes from ordinary users, as one that was demoted does
	:param revision: the value of the host's expression
	:param server: which server has answered, as `identity.server_in` names it
	"""

	position: Position
	at: float
	read_only: bool
	revision: str
	server: str


# Asks for the time by the primary's own clock as well: the clocks of the servers that ask may differ. NOW() would
# not do, as it is set back at the end of daylight saving time.
PRIMARY_POSITION_QUERY = "SELECT @@gtid_binlog_pos, @@timestamp"

# The position of this session's last commit; the primary's position, for a session that was lost after the commit;
# and whether the primary has positions at all.
COMMITTED_POSITION_QUERY = "SELECT @@last_gtid, @@gtid_binlog_pos, @@log_bin"


def primary_health_query(revision: str) -> str:
	"""Return the query that asks the primary for its position and its time, and which server it is.

	After a failover, the address of the primary may lead to another one.

	:param revision: an SQL expression, as `Host.revision` is
	"""
	return f"SELECT @@gtid_binlog_pos, @@timestamp, @@global.read_only, {revision}, {IDENTITY}"


def health_query(position: Position, seconds: float) -> str:
	"""Return the query that asks a replica for its health, after waiting up to `seconds` for it to reach a position.

	It needs no privilege, unlike SHOW SLAVE STATUS, whose Seconds_Behind_Master is 0 while the link to the primary
	hangs. The variables are read before the wait begins.
	"""
	reached = f"MASTER_GTID_WAIT('{position}', {max(seconds, 0):.3f})" if position else "0"
	return f"SELECT @@gtid_slave_pos, @@global.read_only, {reached}, {IDENTITY}"


def read_health(row: Sequence[Any]) -> HealthAnswer:
	"""Parse a replica's answer to `health_query`."""
	position, read_only, reached, *identity = row
	return HealthAnswer(_is_zero(reached), Position(text(position)), is_on(read_only), server_in(identity))


def read_primary(row: Sequence[Any]) -> PrimaryAnswer:
	"""Parse the primary's answer to `primary_health_query`."""
	position, at, read_only, revision, *identity = row
	return PrimaryAnswer(
		Position(text(position)), float(at), is_on(read_only), text(revision), server_in(identity)
	)


def is_on(value: Any) -> bool:
	"""Return whether a switch such as @@read_only is on: 0 or 1, or a word from MariaDB 12 on (NO_LOCK, ...)."""
	return text(value).strip().upper() not in ("", "0", "OFF")


def _is_zero(value: Any) -> bool:
	"""Return whether the result of a function is 0, and not NULL, whatever type a driver or a proxy gives it."""
	return value is not None and text(value).strip() == "0"


def wait_for(connection: Any, position: Position, seconds: float, grace: float) -> bool:
	"""Wait until a replica has reached a position, and return whether it has within `seconds`.

	Called before the transaction opens its snapshot, as the snapshot would stay old.

	:raises TimeoutError: if the server has not even answered `grace` seconds later
	"""
	statement = f"SELECT MASTER_GTID_WAIT('{position}', {max(seconds, 0):.3f})"
	return _is_zero(answer_within(connection, statement, seconds + grace)[0])
