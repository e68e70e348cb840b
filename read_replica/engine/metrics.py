# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Counters by server and reason."""

from collections import Counter

from read_replica.engine.choice import Reason
from read_replica.engine.locks import Lock

PRIMARY = "primary"


class Metrics:
	"""Counts of this process; safe to share between threads."""

	def __init__(self):
		self._lock = Lock()
		self._counts: Counter[tuple[str, str]] = Counter()
		self._unshared: Counter[tuple[str, str]] = Counter()

	def count(self, server: str, reason: Reason) -> None:
		"""Count one call (or, for WROTE, DENIED and LOST, one statement) that `server` answers."""
		with self._lock:
			self._counts[server, reason.value] += 1
			self._unshared[server, reason.value] += 1

	def of(self, server: str, reason: Reason) -> int:
		return self._counts[server, reason.value]

	def take_unshared(self) -> dict[tuple[str, str], int]:
		"""What was counted since the last time that this was asked."""
		with self._lock:
			taken, self._unshared = self._unshared, Counter()
			return dict(taken)
