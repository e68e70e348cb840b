# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""How far replicas are behind, from sampled positions.

Every second the primary is asked for its position and its time. A replica that has that
position has all that was committed until then; so the newest sample that it has tells its lag, also
while its threads are stopped, its link hangs, or it is told to be late. While nothing is written the
position stays, and so the replica stays fresh. Seconds_Behind_Master tells none of these.
"""

from read_replica.engine.dialect import Position
from read_replica.engine.locks import Lock

LONGEST_HISTORY = 64


class PositionHistory:
	"""Samples of the primary's position. Safe to share between threads."""

	def __init__(self):
		self._lock = Lock()
		# Position and the primary's time when it was last seen there, oldest first.
		self._samples: list[tuple[Position, float]] = []

	def sample(self, position: Position, at: float) -> None:
		"""Note where the primary was at a time."""
		with self._lock:
			if self._samples and (at < self._samples[-1][1] or not position.covers(self._samples[-1][0])):
				# Another primary, or one that was set back, or its clock: the old samples tell nothing now.
				self._samples.clear()
			if self._samples and self._samples[-1][0] == position:
				self._samples.pop()
			self._samples.append((position, at))
			if len(self._samples) > LONGEST_HISTORY:
				# Fewer old ones: a replica that is far behind is then said to be a little further.
				half = LONGEST_HISTORY // 2
				self._samples = self._samples[:half:2] + self._samples[half:]

	def forget_since(self, at: float) -> None:
		"""Drop the samples since a time: another server than the primary may have told them."""
		with self._lock:
			self._samples = [sample for sample in self._samples if sample[1] < at]

	def as_of(self, position: Position) -> float | None:
		"""The time up to which a replica at this position has all that was committed, if known."""
		with self._lock:
			for sample, at in reversed(self._samples):
				if position.covers(sample):
					return at
		return None

	def is_behind(self, position: Position) -> bool:
		"""Whether a position has what the primary did not have yet when it was sampled last."""
		with self._lock:
			return bool(self._samples) and position.is_ahead_of(self._samples[-1][0])

	@property
	def newest(self) -> float:
		"""The time of the newest sample; 0 without any."""
		with self._lock:
			return self._samples[-1][1] if self._samples else 0.0

	@property
	def history(self) -> list[tuple[str, float]]:
		"""The samples as plain values, to hand to another process."""
		with self._lock:
			return [(str(position), at) for position, at in self._samples]

	def begin_with(self, history: list) -> None:
		"""Take over another process's samples, if there are none yet or only older ones."""
		with self._lock:
			if history and (not self._samples or self._samples[-1][1] < history[-1][1]):
				self._samples = [(Position(text), float(at)) for text, at in history]
