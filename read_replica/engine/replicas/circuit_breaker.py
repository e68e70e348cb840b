# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A circuit breaker: decides how long a replica that has failed is left alone.

After M. Nygard, "Release It!": closed while all is well, open after a failure, and half open for one try when its
pause is over. Each process of a site has its own breakers, and asks Redis before a try, so that one process tries
for all.
"""

import random
import time
from collections.abc import Callable
from typing import Literal

from read_replica.engine.locks import Lock

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class CircuitBreaker:
	"""Decides whether a replica may be tried. Safe to share between threads.

	The pause doubles from 1 s to 30 s while failures go on, each with up to 20 % of jitter, so that many processes
	do not come back in the same moment.

	:param claim: called before a try with the seconds of the pause; False if another process tries in that time
	:param clock: seconds that never go back
	"""

	def __init__(
		self,
		claim: Callable[[float], bool] = lambda seconds: True,
		clock: Callable[[], float] = time.monotonic,
	) -> None:
		self._claim = claim
		self._clock = clock
		self._lock = Lock()
		self._pause = 0.0
		self._retry_at = 0.0
		self._is_tried = False

	@property
	def is_open(self) -> bool:
		"""Return whether the replica has failed and has not recovered yet."""
		return self._pause > 0

	def allows(self) -> bool:
		"""Return whether the replica may be tried. While the breaker is open, one caller per pause may."""
		if not self._pause:
			return True
		with self._lock:
			pause = self._pause
			if pause and self._clock() < self._retry_at:
				return False
			# The half-open try belongs to this caller; the others wait for its outcome.
			self._retry_at = self._clock() + pause
		is_ours = not pause or self._claim(pause)
		with self._lock:
			if not is_ours:
				# Another process tries. Ask again soon how it went.
				self._retry_at = min(self._retry_at, self._clock() + FIRST_PAUSE)
				return False
			self._is_tried = self._pause > 0
			return True

	def failed(self) -> Literal["opened", "still_open"]:
		"""Note a failure; "opened" means that it is the first one of an outage."""
		with self._lock:
			if self._pause and not self._is_tried:
				# A call that began before the first failure. Many of them at once do not make the outage longer.
				return "still_open"
			self._is_tried = False
			outcome: Literal["opened", "still_open"] = "still_open" if self._pause else "opened"
			self._pause = min(self._pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
			self._retry_at = self._clock() + self._pause * random.uniform(1, 1.2)
			return outcome

	def succeeded(self) -> Literal["closed", "still_closed"]:
		"""Note a success; "closed" means that it ends an outage."""
		if not self._pause:
			return "still_closed"
		with self._lock:
			outcome: Literal["closed", "still_closed"] = "closed" if self._pause else "still_closed"
			self._pause = 0.0
			self._is_tried = False
			return outcome
