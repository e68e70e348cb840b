# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is kept for the length of one request, job or thread."""

import os
from typing import Any, NamedTuple

from read_replica.engine.dialect import Position
from read_replica.engine.shared.user_positions import UserPosition


class AsOf(NamedTuple):
	"""How fresh data is: it has all that was committed up to a time, and up to a position.

	:param time: seconds since 1970 by the primary's clock
	"""

	time: float
	position: Position


class RequestState:
	"""The open scopes of a request, and what its routing has learned. Kept by the host."""

	__slots__ = (
		"as_of",
		"asked_by",
		"carried",
		"committed",
		"frames",
		"kept",
		"kept_at",
		"own",
		"pid",
		"reader",
		"servers",
		"timeout_at_least",
		"users",
		"written",
		"written_at",
		"written_for",
	)

	def __init__(self) -> None:
		# In a forked process, the scopes of its parent are not its own.
		self.pid = os.getpid()
		self.frames: list[Any] = []
		# Whether there was a commit of writes whose position has not been asked for.
		self.committed = False
		# What this request has committed; of a job, what its method has.
		self.own = Position()
		# Of a job: what the request that queued it had to be shown. None: not a job, or that is not known.
		self.carried: UserPosition | None = None
		# Whose commits it must be shown, where it is not whoever the host works for.
		self.reader: str | None = None
		# How much of `own` the other processes have been told, and when, by time.monotonic().
		self.kept = Position()
		self.kept_at = float("-inf")
		# Who made the request, or queued the job, and on whose behalf it has committed: they are to see it.
		self.asked_by: str | None = None
		self.users: set[str] = set()
		# What a user had written before; None until it is asked for.
		self.written: UserPosition | None = None
		self.written_for = ""
		self.written_at = 0.0
		# The oldest data that it has been shown, if a replica showed it any.
		self.as_of: AsOf | None = None
		self.servers: set[str] = set()
		# Of a job: the seconds that it may take, which a statement of its may take as well.
		self.timeout_at_least = 0.0

	def note_use(self, server: str, as_of: AsOf) -> None:
		"""Note that a replica has shown data that is so fresh."""
		self.servers.add(server)
		if self.as_of is None or as_of.time < self.as_of.time:
			self.as_of = as_of
