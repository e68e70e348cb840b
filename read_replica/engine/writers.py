# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Methods that were caught writing, and stay on the primary for a day."""

import time

from read_replica.engine.host import Host

A_DAY = 24 * 60 * 60

# How old this process's copy of the shared list may be, so that a call seldom asks for it.
COPY_MAX_AGE = 5.0


class Writers:
	"""A process's view of the list that all processes of a site share through the host."""

	def __init__(self, host: Host):
		self._host = host
		self._until: dict[str, float] = {}
		self._loaded_at = float("-inf")

	def __contains__(self, method: str) -> bool:
		if time.monotonic() - self._loaded_at > COPY_MAX_AGE:
			self._loaded_at = time.monotonic()
			self._until = self._host.shared.load_writers()
		return self._until.get(method, 0) > time.time()

	def add(self, method: str) -> bool:
		"""Keep a method on the primary for a day; True if it was not kept there already."""
		if method in self:
			return False
		self._until[method] = time.time() + A_DAY
		self._host.shared.add_writer(method, self._until[method])
		return True
