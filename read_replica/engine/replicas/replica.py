# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""One replica: its endpoint, its pool of connections, and its circuit breaker."""

from typing import Any

from read_replica.engine import dialect
from read_replica.engine.host import Host
from read_replica.engine.replicas.circuit_breaker import CircuitBreaker
from read_replica.engine.replicas.pool import ConnectionPool, Lease
from read_replica.engine.settings import Endpoint, Settings


class Replica:
	"""A replica that lends connections. Its circuit breaker says whether it may be tried."""

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
		"""Open a read-only connection to the replica, outside the pool."""
		connection = self._host.connect(self.endpoint, self._connect_timeout)
		try:
			dialect.prepare(connection, self._connect_timeout)
		except Exception:
			connection.close()
			raise
		return connection

	def servers(self, connections: int = 4) -> set[str]:
		"""Return the servers that new connections lead to; "" for a proxy that may change the server in between.

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
				# The server is silent, and would be on a new connection as well: wait for it once, not twice.
				raise
			# The server may have been restarted, which ends idle connections: a new one shows how it is now.
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
			# A connection through the proxy may seem direct, as its number and the server's may be equal by chance.
			lease.server = ""
