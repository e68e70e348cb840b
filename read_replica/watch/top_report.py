# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What `top` says, as plain data."""

from dataclasses import dataclass
from typing import Literal

from read_replica.watch.report import Report


@dataclass(frozen=True)
class BusyReplica:
	"""A replica, and how many connections the site's user has to it.

	:param error: why it is down or was not asked, or why its lag is not known
	"""

	name: str
	state: Literal["up", "down"] | None
	lag_seconds: float | None
	connections: int | None
	error: str | None


@dataclass(frozen=True)
class Rate:
	"""How often a method was answered by a server for a reason, between two looks."""

	server: str
	reason: str
	method: str
	per_second: float


@dataclass(frozen=True)
class Running:
	"""A statement that a replica is working on.

	:param id: by which it can be ended: its number, and the name of the replica
	:param statement: without values
	"""

	id: str
	replica: str
	seconds: float
	state: str
	statement: str


@dataclass(frozen=True)
class Top(Report):
	"""What `top` says.

	:param seconds: between the two looks that rates are counted from
	:param rates: the highest first; what was not called is left out
	:param running: what runs for the site's own user, the longest first
	:param ended: the id of the statement that the command has ended
	"""

	seconds: float
	replicas: list[BusyReplica]
	rates: list[Rate]
	running: list[Running]
	ended: str | None
