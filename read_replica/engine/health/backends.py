# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The servers (backends) that have answered at a replica's address, and how late each of them was.

An address may be that of a load balancer, a reader endpoint, or a name with several addresses. Then the answer of a
probe there says nothing about the server that another connection leads to.
"""

import time
from typing import NamedTuple

from read_replica.engine.health.verdict import Verdict

# A server that has not answered for so long is no longer behind the address, as after a failover.
SECONDS_REMEMBERED = 600.0

# How long an answer of a server holds for this process's next calls.
SECONDS_AN_ANSWER_HOLDS = 1.0

# How often this process looks for other servers at an address, if the one that is known cannot answer a call.
SECONDS_BETWEEN_LOOKS = 10.0


class Backend(NamedTuple):
	"""A server behind an address: the verdict on its last answer, and when that came, by time.monotonic()."""

	verdict: Verdict
	at: float

	@property
	def is_fresh(self) -> bool:
		"""Return whether the answer still holds for a call."""
		return time.monotonic() - self.at < SECONDS_AN_ANSWER_HOLDS


class Backends:
	"""The servers behind each address that this process has met. Safe to share between threads."""

	def __init__(self) -> None:
		self._known: dict[str, dict[str, Backend]] = {}
		self._looked_at: dict[str, float] = {}

	def note(self, verdict: Verdict) -> None:
		"""Note a server that is another one than the probe of the address has reached."""
		known = self._known.get(verdict.name, {})
		now = time.monotonic()
		kept = {server: backend for server, backend in known.items() if now - backend.at < SECONDS_REMEMBERED}
		self._known[verdict.name] = kept | {verdict.server: Backend(verdict, now)}

	def get(self, replica: str, server: str) -> Backend | None:
		"""Return what is known of a server at a replica's address."""
		return self._known.get(replica, {}).get(server)

	def are_several(self, replica: str) -> bool:
		"""Return whether connections to an address lead to servers that its probe has not reached."""
		known = self._known.get(replica, {}).values()
		return any(time.monotonic() - backend.at < SECONDS_REMEMBERED for backend in known)

	def may_look_for_others(self, replica: str) -> bool:
		"""Return whether a call may look for other servers at an address: one call in SECONDS_BETWEEN_LOOKS."""
		if time.monotonic() - self._looked_at.get(replica, float("-inf")) < SECONDS_BETWEEN_LOOKS:
			return False
		self._looked_at[replica] = time.monotonic()
		return True
