# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Measures the lag of replicas by sampled positions of the primary.

Every second the primary is asked for its position and its time. A replica that has reached that position has all
that was committed until then, so the newest sample that it has reached tells its lag: also while its replication
threads are stopped, its link to the primary hangs, or it is delayed on purpose. While nothing is written, the
position stays the same, and the replica stays up to date. Seconds_Behind_Master gets all of these wrong.
"""

from read_replica.engine.dialect import Position
from read_replica.engine.health.verdict import Sample
from read_replica.engine.locks import Lock

MOST_SAMPLES = 64


class PositionHistory:
	"""Samples of the primary's position over time. Safe to share between threads."""

	def __init__(self) -> None:
		self._lock = Lock()
		# Positions, each with the primary's time when it was seen there last; the oldest first.
		self._samples: list[tuple[Position, float]] = []

	def sample(self, position: Position, at: float) -> None:
		"""Note the primary's position at a time, by its clock, in seconds since 1970."""
		with self._lock:
			if self._samples and (at < self._samples[-1][1] or not position.covers(self._samples[-1][0])):
				# Another primary, or the primary or its clock was set back: the old samples are worth nothing.
				self._samples.clear()
			if self._samples and self._samples[-1][0] == position:
				self._samples.pop()
			self._samples.append((position, at))
			if len(self._samples) > MOST_SAMPLES:
				# Drop every other old one: the lag of a replica that is far behind is then a little overstated.
				half = MOST_SAMPLES // 2
				self._samples = self._samples[:half:2] + self._samples[half:]

	def forget_since(self, at: float) -> None:
		"""Drop the samples since a time, as they may be those of a server that was no longer the primary."""
		with self._lock:
			self._samples = [sample for sample in self._samples if sample[1] < at]

	def as_of(self, position: Position) -> float | None:
		"""Return the time up to which a replica at this position has all that was committed; None if not known."""
		with self._lock:
			for sample, at in reversed(self._samples):
				if position.covers(sample):
					return at
		return None

	def is_behind(self, position: Position) -> bool:
		"""Return whether the newest sample lacks a transaction that a server at this position has."""
		with self._lock:
			return bool(self._samples) and position.is_ahead_of(self._samples[-1][0])

	@property
	def sampled_at(self) -> float:
		"""Return the time of the newest sample, by the primary's clock; 0 without any."""
		with self._lock:
			return self._samples[-1][1] if self._samples else 0.0

	@property
	def samples(self) -> list[Sample]:
		"""Return the samples as plain values, to publish to other processes."""
		with self._lock:
			return [(str(position), at) for position, at in self._samples]

	def adopt(self, samples: list[Sample]) -> None:
		"""Take over the samples of another process, if this one has none or only older ones."""
		with self._lock:
			if samples and (not self._samples or self._samples[-1][1] < samples[-1][1]):
				self._samples = [(Position(text), at) for text, at in samples]
