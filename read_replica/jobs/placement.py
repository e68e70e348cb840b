# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Decides where a job goes: to its rule's server, or to the default server while that is gone."""

from collections.abc import Mapping
from dataclasses import dataclass

from read_replica.jobs import queues
from read_replica.jobs.rule_set import Rule
from read_replica.jobs.rules import DEFAULT_SERVER
from read_replica.jobs.servers import Server


@dataclass(frozen=True)
class Place:
	"""The server that gets a job, and the queue by which it gets it.

	:param queue: the server's own queue; None: it is this server, and core's queue is used
	:param taken_from: the server that the rule names, if it is gone and this one takes over
	"""

	server_id: str
	queue: str | None = None
	taken_from: str | None = None


class Placement:
	"""Places jobs by what one tick, or one request, knows of the servers; it asks for nothing itself.

	:param this_server: the id of this server
	:param servers: the servers that are known, by id
	:param read_queues: the queues that have a worker on this server's Redis
	"""

	def __init__(self, this_server: str, servers: Mapping[str, Server], read_queues: set[str]):
		self.this_server = this_server
		self.servers = servers
		self.read_queues = read_queues

	def is_gone(self, server_id: str, takeover_after: float) -> bool:
		"""Whether a server is known and not seen for so many seconds; never where `takeover_after` is 0."""
		server = self.servers.get(server_id)
		return bool(server and server.is_gone(takeover_after))

	def for_run(self, rule: Rule) -> Place | None:
		"""Returns where this server's scheduler enqueues a run; None if another's does, or a later tick."""
		server_id, taken_from = rule.server_id, None
		if server_id != DEFAULT_SERVER and self.is_gone(server_id, rule.takeover_after):
			server_id, taken_from = DEFAULT_SERVER, rule.server_id
		if not queues.has_own_queue(server_id):
			return Place(server_id, None, taken_from) if server_id == self.this_server else None
		if server_id in self.read_queues:
			return Place(server_id, server_id, taken_from)
		if server_id == self.this_server == DEFAULT_SERVER and self.is_gone(server_id, rule.takeover_after):
			# No worker reads its own queue, and no other server takes over from the default server.
			return Place(server_id, None, taken_from)
		return None

	def for_enqueue(self, server_id: str, takeover_after: float) -> Place | None:
		"""Returns where frappe.enqueue puts a job for a server; None if it cannot reach that server's queue.

		A server that is silent but not gone yet gets the job; `orphaned_jobs` moves it on if need be.
		"""
		taken_from = None
		if server_id != DEFAULT_SERVER and self.is_gone(server_id, takeover_after):
			server_id, taken_from = DEFAULT_SERVER, server_id
		if queues.has_own_queue(server_id):
			return Place(server_id, server_id, taken_from)
		return Place(server_id, None, taken_from) if server_id == self.this_server else None
