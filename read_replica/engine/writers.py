# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The methods that were caught writing inside a read-only scope: they stay on the primary for a day."""

import time

from read_replica.engine.host import Host

A_DAY = 24 * 60 * 60

# How old this process's copy of the list may be, in seconds, so that few calls have to ask Redis for it.
COPY_MAX_AGE = 5.0


class Writers:
	"""This process's copy of the list of writers, which all processes of a site share in Redis.

	`method in writers` says whether a method is to stay on the primary now.
	"""

	def __init__(self, host: Host) -> None:
		self._host = host
		self._until: dict[str, float] = {}
		self._loaded_at = float("-inf")

	def __contains__(self, method: str) -> bool:
		if time.monotonic() - self._loaded_at > COPY_MAX_AGE:
			self._loaded_at = time.monotonic()
			self._until = self._host.shared.load_writers()
		return self._until.get(method, 0) > time.time()

	def add(self, method: str, table: str = "") -> bool:
		"""Keep a method on the primary for a day; True if it was not on the list yet.

		:param table: the one that it was caught writing
		"""
		if method in self:
			return False
		self._until[method] = time.time() + A_DAY
		self._host.shared.add_writer(method, self._until[method], table)
		return True
