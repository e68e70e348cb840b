# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""When the lag of the replicas is to be kept for the hour that people look at."""

import time
from collections.abc import Mapping

from read_replica.engine.health.verdict import Verdict
from read_replica.engine.shared.lag_history import SECONDS_BETWEEN_LAGS


class LagSamples:
	"""Takes a sample of verdicts every SECONDS_BETWEEN_LAGS. Used by one thread at a time."""

	def __init__(self) -> None:
		self._next_at = float("-inf")

	def take(self, verdicts: Mapping[str, Verdict]) -> dict[str, float | None] | None:
		"""Return the lag of each replica in seconds, by its name; None if the last sample is too new for another one."""
		now = time.monotonic()
		if now < self._next_at:
			return None
		self._next_at = now + SECONDS_BETWEEN_LAGS
		return {
			name: round(verdict.lag, 3) if verdict.state == "up" and verdict.lag is not None else None
			for name, verdict in verdicts.items()
		}
