# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whether it is worth waiting for a replica to reach a position."""

import time
from typing import NamedTuple

from read_replica.engine.dialect import Position
from read_replica.engine.health.verdict import Verdict

# A lag is known from the last look, and may have shrunk since.
LAG_TO_PATIENCE = 1.5

# After so long without news of the replica, one call may wait again.
SECONDS_A_FAILURE_COUNTS = 5.0

# Servers may come and go behind an address.
MOST_FAILURES = 1000


class Failure(NamedTuple):
	"""A position that a replica did not reach in time, and when, by time.monotonic()."""

	position: Position
	at: float


class Waits:
	"""What one process has learned by waiting. Safe to share between threads."""

	def __init__(self):
		# By the replica's name, and the server at its address.
		self._failures: dict[tuple[str, str], Failure] = {}

	def is_hopeless(self, verdict: Verdict, position: Position, patience: float) -> bool:
		"""Whether the replica of this verdict will hardly reach a position within `patience` seconds.

		It is known to be later than that, or has not reached a position a moment ago that this one is not
		before, and was not seen there since.
		"""
		if patience <= 0 or (verdict.lag is not None and verdict.lag > LAG_TO_PATIENCE * patience):
			return True
		failure = self._failures.get((verdict.name, verdict.server))
		if failure is None or verdict.position.covers(failure.position):
			return False
		return time.monotonic() - failure.at < SECONDS_A_FAILURE_COUNTS and position.covers(failure.position)

	def failed(self, verdict: Verdict, position: Position) -> None:
		"""Note that the replica of this verdict did not reach a position in time."""
		if len(self._failures) >= MOST_FAILURES:
			self._failures.clear()
		self._failures[verdict.name, verdict.server] = Failure(position, time.monotonic())
