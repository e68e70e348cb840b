# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Where a job goes: to the server that its rule names, or, while that is gone, to the default server."""

from collections.abc import Mapping
from dataclasses import dataclass

from read_replica.jobs import queues
from read_replica.jobs.rules import DEFAULT_SERVER, Rule
from read_replica.jobs.servers import Server


@dataclass(frozen=True)
class Place:
	"""A server, and the way to it.

	:param queue: the server's own queue; None: it is this server, and the job goes where core puts it
	:param taken_from: the server that the rule names, if it is gone
	"""

	server_id: str
	queue: str | None = None
	taken_from: str | None = None


class Placement:
	"""What one tick, or one request, knows of the servers; it decides by that alone.

	:param here: the id of this server
	:param known: all servers that are known, by id
	:param read: the queues that somebody reads on this server's Redis
	"""

	def __init__(self, here: str, known: Mapping[str, Server], read: set[str]):
		self.this_server = here
		self.servers = known
		self.read_queues = read

	def is_gone(self, server_id: str, takeover_after: float) -> bool:
		server = self.servers.get(server_id)
		return bool(server and server.is_gone(takeover_after))

	def for_run(self, rule: Rule) -> Place | None:
		"""Where this server's scheduler puts a due run; None: nowhere, another's does, or a later tick."""
		server_id, taken_from = rule.server_id, None
		if server_id != DEFAULT_SERVER and self.is_gone(server_id, rule.takeover_after):
			server_id, taken_from = DEFAULT_SERVER, rule.server_id
		if not queues.has_own_queue(server_id):
			return Place(server_id, None, taken_from) if server_id == self.this_server else None
		if server_id in self.read_queues:
			return Place(server_id, server_id, taken_from)
		if server_id == self.this_server == DEFAULT_SERVER and self.is_gone(server_id, rule.takeover_after):
			# Nobody reads its own queue, and nobody would take its jobs over.
			return Place(server_id, None, taken_from)
		return None

	def for_enqueue(self, server_id: str, takeover_after: float) -> Place | None:
		"""Where a job for this server goes that is put into a queue now; None: there is no way to it.

		A server that does not answer just now may come back: its queue is watched, see `sweep`.
		"""
		taken_from = None
		if server_id != DEFAULT_SERVER and self.is_gone(server_id, takeover_after):
			server_id, taken_from = DEFAULT_SERVER, server_id
		if queues.has_own_queue(server_id):
			return Place(server_id, server_id, taken_from)
		return Place(server_id, None, taken_from) if server_id == self.this_server else None
