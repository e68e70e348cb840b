# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Log lines that do not repeat themselves: outages once per site, and what happens to calls every ten seconds."""

import time

from read_replica.engine.host import Host
from read_replica.engine.locks import Lock

SECONDS_BETWEEN_LINES = 10.0
LONGEST_OUTAGE = 24 * 3600

# How many different lines are kept in mind; their fields hold names that requests make up.
MOST_KEPT = 1000


class Events:
	"""Writes the log lines of one router. Safe to share between threads."""

	def __init__(self, host: Host) -> None:
		self._host = host
		self._lock = Lock()
		self._due: dict[tuple[object, ...], float] = {}
		self._held_back: dict[tuple[object, ...], int] = {}

	def down(self, replica: str, error: str) -> None:
		"""Log that a replica does not answer, if no other process of the site has done so."""
		if self._host.shared.is_first_to_log("down", replica, LONGEST_OUTAGE):
			self._host.log("replica_down", replica=replica, error=error)

	def back(self, replica: str) -> None:
		"""Log that a replica answers again, if its outage was logged and no other process has done so."""
		if self._host.shared.clear_logged("down", replica):
			self._host.log("replica_back", replica=replica)

	def log_throttled(self, event: str, **fields: object) -> None:
		"""Log a line at most every ten seconds for the same fields; its field `times` says how often it happened."""
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
