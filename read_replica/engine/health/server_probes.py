# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Probes of single servers behind an address that leads to several.

They tell whether the server still answers that a long call is waiting for: the probe of the address may have reached
another server. While the call runs, connections are opened until one leads to its server, and that is asked. A
connection that is opened and not answered counts as that server's silence.
"""

import time
from collections.abc import Collection

from read_replica.engine import dialect
from read_replica.engine.health.probe import Probe
from read_replica.engine.locks import after_fork, leave_to_parent
from read_replica.engine.replicas.replica import Replica

# How long a server has to answer, and how long the answer counts.
SECONDS_TO_ANSWER_PING = 0.5
SECONDS_BETWEEN_PINGS = 10.0


class ServerProbes:
	"""One connection for each server that a call is waiting for. Used by one thread at a time."""

	def __init__(self) -> None:
		self._begin()
		after_fork(self, ServerProbes._begin_in_child)

	def _begin(self) -> None:
		self._probes: dict[tuple[str, str], Probe] = {}
		self._heard_at: dict[tuple[str, str], float] = {}

	def _begin_in_child(self) -> None:
		leave_to_parent(self._probes)
		self._begin()

	def still_answers(self, replica: Replica, server: str) -> bool:
		"""Return whether a server still answers, as far as is known now; asks it again for the next time."""
		key = replica.name, server
		probe = self._probes.setdefault(key, Probe(replica.connect))
		if row := probe.answer():
			if dialect.server_in(row) == server:
				self._heard_at[key] = time.monotonic()
			else:
				probe.close()
		if probe.silent_for > SECONDS_TO_ANSWER_PING:
			return False
		if time.monotonic() - self._heard_at.get(key, float("-inf")) > SECONDS_BETWEEN_PINGS:
			probe.open_in_background()
			probe.ask(dialect.IDENTITY_QUERY)
		return True

	def close_all_but(self, wanted: Collection[tuple[str, str]]) -> None:
		"""Close the probes of all other servers than these, as no call is waiting for them any more."""
		for key in self._probes.keys() - set(wanted):
			self._probes.pop(key).close()
			self._heard_at.pop(key, None)
