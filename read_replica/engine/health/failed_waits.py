# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells whether it is worth waiting for a replica to reach a position, by the waits that have failed."""

import time
from typing import NamedTuple

from read_replica.engine.dialect import Position
from read_replica.engine.health.verdict import Verdict

# A replica whose lag is more than so many times the wait will not make it. More than once, as the lag was measured
# by the last health check, and may have shrunk since.
HOPELESS_LAG = 1.5

# If a replica was not seen at the position that it failed to reach, a call may wait for it again after so long.
SECONDS_A_FAILURE_COUNTS = 5.0

# A limit to memory, as servers may come and go behind an address.
MOST_FAILED_WAITS = 1000


class FailedWait(NamedTuple):
	"""A position that a replica did not reach in time, and when, by time.monotonic()."""

	position: Position
	at: float


class FailedWaits:
	"""The waits of this process that have failed. Safe to share between threads."""

	def __init__(self) -> None:
		# By the replica's name, and the server at its address.
		self._failures: dict[tuple[str, str], FailedWait] = {}

	def is_hopeless(self, verdict: Verdict, position: Position, patience: float) -> bool:
		"""Return whether the replica of this verdict will hardly reach a position within `patience` seconds.

		Either its lag is longer than that; or it failed a moment ago to reach a position that this one includes, and
		has not been seen there since.
		"""
		if patience <= 0 or (verdict.lag is not None and verdict.lag > HOPELESS_LAG * patience):
			return True
		failure = self._failures.get((verdict.name, verdict.server))
		if failure is None or verdict.position.covers(failure.position):
			return False
		return time.monotonic() - failure.at < SECONDS_A_FAILURE_COUNTS and position.covers(failure.position)

	def failed(self, verdict: Verdict, position: Position) -> None:
		"""Note that the replica of this verdict did not reach a position in time."""
		if len(self._failures) >= MOST_FAILED_WAITS:
			self._failures.clear()
		self._failures[verdict.name, verdict.server] = FailedWait(position, time.monotonic())
