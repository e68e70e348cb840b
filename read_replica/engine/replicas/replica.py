# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""One replica: where it is, its connections, and whether it may be tried."""

from typing import Any

from read_replica.engine import dialect
from read_replica.engine.host import Host
from read_replica.engine.replicas.circuit_breaker import CircuitBreaker
from read_replica.engine.replicas.pool import ConnectionPool, Lease
from read_replica.engine.settings import Endpoint, Settings


class Replica:
	"""Lends connections of one endpoint and remembers, by its breaker, whether that went well."""

	def __init__(self, endpoint: Endpoint, settings: Settings, host: Host):
		self.endpoint = endpoint
		self.name = endpoint.name
		self.breaker = CircuitBreaker(claim=lambda seconds: host.shared.may_try(endpoint.name, seconds))
		# Whether its address is that of a proxy which may send each statement to another server.
		self.is_behind_proxy = False
		self._host = host
		self._connect_timeout = settings.connect_timeout
		self.pool = ConnectionPool(
			self.connect, settings.connections_per_replica, settings.connection_max_age
		)

	def connect(self) -> Any:
		"""Open a connection of its own to the replica, on which nothing can be written."""
		connection = self._host.connect(self.endpoint, self._connect_timeout)
		try:
			dialect.prepare(connection, self._connect_timeout)
		except Exception:
			connection.close()
			raise
		return connection

	def servers(self, connections: int = 4) -> set[str]:
		"""The servers that so many new connections lead to; "" where a proxy may change them in between.

		:raises Exception: what the driver raises if one cannot be opened
		"""
		found, opened = set(), []
		try:
			for _ in range(connections):
				opened.append(self.connect())
				found.add(dialect.server_of(opened[-1], self._connect_timeout))
			return found
		finally:
			for connection in opened:
				connection.close()

	def lend(self, timeout: float) -> Lease:
		"""Lend a connection on which the server ends statements after `timeout` seconds.

		:raises PoolTimeout: if all connections are in use
		:raises Exception: what the driver raises if the replica cannot be reached
		"""
		lease = self.pool.lend()
		try:
			self._make_ready(lease, timeout)
		except Exception as error:
			if not dialect.is_driver_error(error):
				raise
			self.pool.close_idle()
			if isinstance(error, TimeoutError):
				# It is silent, and would be so on a new connection: that is waited for once, not twice.
				raise
			# Idle connections die with a restart that we did not see; a new one tells what is so now.
			lease = self.pool.lend()
			self._make_ready(lease, timeout)
		return lease

	def _make_ready(self, lease: Lease, timeout: float) -> None:
		try:
			lease.make_ready(timeout, self._connect_timeout)
		except BaseException:
			lease.throw_away()
			raise
		self.is_behind_proxy = self.is_behind_proxy or not lease.server
		if self.is_behind_proxy:
			# Another connection through it may seem direct, as both count theirs: by chance, the numbers meet.
			lease.server = ""
