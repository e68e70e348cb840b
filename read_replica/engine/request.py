# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The state of one request, job or thread: its open scopes, and the positions that it must be shown."""

import os
from typing import Any, NamedTuple

from read_replica.engine.dialect import Position
from read_replica.engine.shared.user_positions import UserPosition


class AsOf(NamedTuple):
	"""The freshness of data: it has everything that was committed up to a time, and up to a position.

	:param time: seconds since 1970 by the primary's clock
	"""

	time: float
	position: Position


class RequestState:
	"""The open scopes of a request, and what routing has learned during it. Kept by the host."""

	__slots__ = (
		"as_of",
		"asked_by",
		"began",
		"called",
		"carried",
		"committed",
		"committed_to",
		"frames",
		"kept",
		"kept_at",
		"own",
		"pid",
		"reader",
		"replica_statements",
		"rows",
		"seconds",
		"servers",
		"timeout_at_least",
		"users",
		"written",
		"written_at",
		"written_for",
	)

	def __init__(self) -> None:
		# A forked process must not close the scopes of its parent.
		self.pid = os.getpid()
		self.frames: list[Any] = []
		# Whether writes were committed whose position has not been read yet.
		self.committed = False
		# The position of what this request has committed; of a job, of what its method has.
		self.own = Position()
		# Of a job: the position that the request which queued it had to be shown. None: no job, or not known.
		self.carried: UserPosition | None = None
		# The name whose commits it must be shown, if that is not the host's reader().
		self.reader: str | None = None
		# How much of `own` other processes know, and since when, by time.monotonic().
		self.kept = Position()
		self.kept_at = float("-inf")
		# Who made the request or queued the job, and for whom it has committed: all of them must see it.
		self.asked_by: str | None = None
		self.users: set[str] = set()
		# The position of what a user had written before; None until it is read from Redis.
		self.written: UserPosition | None = None
		self.written_for = ""
		self.written_at = 0.0
		# The freshness of the oldest data that a replica has shown it; None if none has.
		self.as_of: AsOf | None = None
		self.servers: set[str] = set()
		# Of a job: the seconds that it may take, which a statement of its may take as well.
		self.timeout_at_least = 0.0
		# The name under which it is counted; None: only its statements are.
		self.called: str | None = None
		# When it began, by time.monotonic(), and how long it took; None: it is not counted, or has not ended yet.
		self.began: float | None = None
		self.seconds: float | None = None
		# How many statements that read each replica has answered, with how many rows.
		self.replica_statements: dict[str, int] = {}
		self.rows = 0
		# What it has committed writes to: tables, each with the first column that was set.
		self.committed_to: set[tuple[str, str]] = set()

	def note_read(self, server: str, result: object) -> None:
		"""Note that a replica has answered a statement that reads."""
		self.replica_statements[server] = self.replica_statements.get(server, 0) + 1
		if isinstance(result, list | tuple):
			self.rows += len(result)

	def note_use(self, server: str, as_of: AsOf) -> None:
		"""Note that a replica has shown data of this freshness."""
		self.servers.add(server)
		if self.as_of is None or as_of.time < self.as_of.time:
			self.as_of = as_of
