# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Counters and timings by server, reason and method."""

from collections import Counter

from read_replica.engine.locks import Lock
from read_replica.engine.reasons import Reason
from read_replica.engine.shared.shared_state import CountKey

PRIMARY = "primary"

# While Redis is down, as many are kept apart; calls of further methods are counted under no name.
MOST_UNSHARED = 10_000


class Metrics:
	"""Counts of this process; safe to share between threads."""

	def __init__(self):
		self._lock = Lock()
		self._counts: Counter[tuple[str, str]] = Counter()
		self._unshared: dict[CountKey, list] = {}

	def count(self, server: str, reason: Reason, method: str = "") -> None:
		"""Count one call (or, for what befalls a statement, one statement) that `server` answers."""
		value = reason.value
		with self._lock:
			self._counts[server, value] += 1
			self._entry(server, value, method)[0] += 1

	def took(self, server: str, reason: Reason, method: str, seconds: float) -> None:
		"""Add the time of a call that was counted."""
		with self._lock:
			self._entry(server, reason.value, method)[1] += seconds

	def _entry(self, server: str, reason: str, method: str) -> list:
		entry = self._unshared.get((server, reason, method))
		if entry is not None:
			return entry
		if len(self._unshared) >= MOST_UNSHARED:
			return self._unshared.setdefault((server, reason, ""), [0, 0.0])
		return self._unshared.setdefault((server, reason, method), [0, 0.0])

	def of(self, server: str, reason: Reason) -> int:
		return self._counts[server, reason.value]

	def take_unshared(self) -> dict[CountKey, tuple[int, float]]:
		"""What was counted since the last time that this was asked."""
		if not self._unshared:
			return {}
		with self._lock:
			taken, self._unshared = self._unshared, {}
			return {key: (count, seconds) for key, (count, seconds) in taken.items()}

	def put_back(self, counts: dict[CountKey, tuple[int, float]]) -> None:
		"""Return what was taken and could not be shared."""
		with self._lock:
			for key, (count, seconds) in counts.items():
				entry = self._entry(*key)
				entry[0] += count
				entry[1] += seconds
