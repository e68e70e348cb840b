# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whether a server still answers that a call is waiting for, where its address leads to several.

The probe of the address may be with another one. So while such a call takes long, connections are opened
until one leads to its server, and that is asked; a connection that nobody greets counts as its silence.
"""

import time
from collections.abc import Collection

from read_replica.engine import dialect
from read_replica.engine.health.probe import Probe
from read_replica.engine.locks import after_fork, leave_to_parent
from read_replica.engine.replicas.replica import Replica

# How long a server has to answer, and how long its answer counts.
SECONDS_TO_SHOW_LIFE = 0.5
SECONDS_BETWEEN_SIGNS = 10.0


class ServerProbes:
	"""One connection for each server that a call is waiting for. Used by one thread at a time."""

	def __init__(self):
		self._begin()
		after_fork(self, ServerProbes._begin_in_child)

	def _begin(self) -> None:
		self._probes: dict[tuple[str, str], Probe] = {}
		self._heard_at: dict[tuple[str, str], float] = {}

	def _begin_in_child(self) -> None:
		leave_to_parent(self._probes)
		self._begin()

	def shows_life(self, replica: Replica, server: str) -> bool:
		"""Whether a server still answers, as far as that is known now; asks it, for the next time."""
		key = replica.name, server
		probe = self._probes.setdefault(key, Probe(replica.connect))
		if row := probe.answer():
			if dialect.server_in(row) == server:
				self._heard_at[key] = time.monotonic()
			else:
				probe.close()
		if probe.silent_for > SECONDS_TO_SHOW_LIFE:
			return False
		if time.monotonic() - self._heard_at.get(key, float("-inf")) > SECONDS_BETWEEN_SIGNS:
			probe.open_meanwhile()
			probe.ask(dialect.who_is_there)
		return True

	def close_all_but(self, wanted: Collection[tuple[str, str]]) -> None:
		"""Close the connections to servers that no call is waiting for any more."""
		for key in self._probes.keys() - set(wanted):
			self._probes.pop(key).close()
			self._heard_at.pop(key, None)
