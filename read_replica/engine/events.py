# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Log lines that say a thing once: outages once per site, and what happens to calls now and then."""

import time

from read_replica.engine.host import Host
from read_replica.engine.locks import Lock

SECONDS_BETWEEN_LINES = 10.0
LONGEST_OUTAGE = 24 * 3600

# Of different lines; their fields hold names that requests give.
MOST_KEPT = 1000


class Events:
	"""The log lines of one router. Safe to share between threads."""

	def __init__(self, host: Host):
		self._host = host
		self._lock = Lock()
		self._due: dict[tuple, float] = {}
		self._held_back: dict[tuple, int] = {}

	def down(self, replica: str, error: str) -> None:
		"""A replica does not answer; logged by the first process that notices."""
		if self._host.shared.is_first_to_say("down", replica, LONGEST_OUTAGE):
			self._host.log("replica_down", replica=replica, error=error)

	def back(self, replica: str) -> None:
		"""A replica answers again; logged by the first process that notices."""
		if self._host.shared.take_back("down", replica):
			self._host.log("replica_back", replica=replica)

	def now_and_then(self, event: str, **fields: object) -> None:
		"""Log a line at most every ten seconds for the same fields, with how often it would have come."""
		key = (event, *fields.values())
		with self._lock:
			times = self._held_back.get(key, 0) + 1
			if time.monotonic() < self._due.get(key, 0):
				self._held_back[key] = times
				return
			if len(self._due) > MOST_KEPT:
				self._due.clear()
				self._held_back.clear()
			self._due[key] = time.monotonic() + SECONDS_BETWEEN_LINES
			self._held_back.pop(key, None)
		self._host.log(event, **fields, times=times)
