# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Counters and timings of calls, by server, reason and method."""

from collections import Counter
from dataclasses import dataclass

from read_replica.engine.locks import Lock
from read_replica.engine.reasons import Reason
from read_replica.engine.shared.shared_state import CountKey

PRIMARY = "primary"

# While Redis is down, counters pile up here. From this many on, calls of further methods are counted without a name.
MOST_UNSHARED = 10_000


@dataclass(slots=True)
class Tally:
	"""How many calls there were, and how many seconds they took together."""

	count: int = 0
	seconds: float = 0.0


class Metrics:
	"""The counters of this process. Safe to share between threads."""

	def __init__(self) -> None:
		self._lock = Lock()
		self._counts: Counter[tuple[str, str]] = Counter()
		self._unshared: dict[CountKey, Tally] = {}

	def count(self, server: str, reason: Reason, method: str = "") -> None:
		"""Count one call that `server` answers; for a reason that is about a statement, one statement."""
		value = reason.value
		with self._lock:
			self._counts[server, value] += 1
			self._tally(server, value, method).count += 1

	def took(self, server: str, reason: Reason, method: str, seconds: float) -> None:
		"""Add the seconds that a counted call has taken."""
		with self._lock:
			self._tally(server, reason.value, method).seconds += seconds

	def _tally(self, server: str, reason: str, method: str) -> Tally:
		tally = self._unshared.get((server, reason, method))
		if tally is not None:
			return tally
		if len(self._unshared) >= MOST_UNSHARED:
			return self._unshared.setdefault((server, reason, ""), Tally())
		return self._unshared.setdefault((server, reason, method), Tally())

	def of(self, server: str, reason: Reason) -> int:
		"""Return how often this process has counted a reason for a server, whatever the method."""
		return self._counts[server, reason.value]

	def take_unshared(self) -> dict[CountKey, tuple[int, float]]:
		"""Take out what was counted since the last time, as (calls, seconds) by server, reason and method."""
		if not self._unshared:
			return {}
		with self._lock:
			taken, self._unshared = self._unshared, {}
			return {key: (tally.count, tally.seconds) for key, tally in taken.items()}

	def put_back(self, counts: dict[CountKey, tuple[int, float]]) -> None:
		"""Put back counts that were taken out and could not be shared."""
		with self._lock:
			for key, (count, seconds) in counts.items():
				tally = self._tally(*key)
				tally.count += count
				tally.seconds += seconds
