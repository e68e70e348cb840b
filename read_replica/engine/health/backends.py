# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which servers have answered at a replica's address, and how late each of them was.

An address may be that of a load balancer, a reader endpoint, or a name with several addresses: then what a
probe has seen there says nothing of the server that another connection leads to.
"""

import time
from typing import NamedTuple

from read_replica.engine.health.verdict import Verdict

# A server that has not answered for so long is not behind the address any more, as after a failover.
SECONDS_REMEMBERED = 600.0

# How long what a server has said of itself holds for this process's next calls.
SECONDS_AN_ANSWER_HOLDS = 1.0

# Where the one server that is known will not do, how often this process looks for others.
SECONDS_BETWEEN_LOOKS = 10.0


class Seen(NamedTuple):
	"""What a server has said of itself, and when, by time.monotonic()."""

	verdict: Verdict
	at: float

	@property
	def holds(self) -> bool:
		"""Whether that was a moment ago."""
		return time.monotonic() - self.at < SECONDS_AN_ANSWER_HOLDS


class Backends:
	"""The servers behind each address, as far as this process has met them. Safe to share between threads."""

	def __init__(self):
		self._seen: dict[str, dict[str, Seen]] = {}
		self._looked_at: dict[str, float] = {}

	def note(self, verdict: Verdict) -> None:
		"""Note a server that is not the one that the probe has reached."""
		known = self._seen.get(verdict.name, {})
		now = time.monotonic()
		kept = {server: seen for server, seen in known.items() if now - seen.at < SECONDS_REMEMBERED}
		self._seen[verdict.name] = kept | {verdict.server: Seen(verdict, now)}

	def answer_of(self, replica: str, server: str) -> Seen | None:
		"""What a server has said of itself the last time."""
		return self._seen.get(replica, {}).get(server)

	def are_several(self, replica: str) -> bool:
		"""Whether connections to an address lead to servers that its probe has not reached."""
		seen = self._seen.get(replica, {}).values()
		return any(time.monotonic() - one.at < SECONDS_REMEMBERED for one in seen)

	def is_time_to_look(self, replica: str) -> bool:
		"""Whether this call looks for other servers at an address; each time for one call."""
		if time.monotonic() - self._looked_at.get(replica, float("-inf")) < SECONDS_BETWEEN_LOOKS:
			return False
		self._looked_at[replica] = time.monotonic()
		return True
