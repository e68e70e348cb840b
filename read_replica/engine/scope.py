# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The scope itself: one call's use of a replica, from its choice to the primary's return.

The server judges what is a write. Each statement is sent to the replica first; what the server
refuses there is carried out on the primary, and what comes after a write stays there.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from read_replica.engine import dialect
from read_replica.engine.choice import Reason
from read_replica.engine.connections import Lease
from read_replica.engine.dialect import ErrorKind
from read_replica.engine.errors import ScopeError, WriteInReadOnlyScope
from read_replica.engine.metrics import PRIMARY
from read_replica.engine.settings import Need

if TYPE_CHECKING:
	from read_replica.engine.replica import Replica
	from read_replica.engine.router import Router

T = TypeVar("T")


class PrimaryBlock:
	"""A stretch of code that works on the primary, whatever scope it stands in."""

	def __init__(self, primary: Any, previous: Any):
		self.primary = primary
		self.previous = previous

	def end(self) -> None:
		"""Nothing to give back."""


class Scope:
	"""A call that reads from a replica. Used by the thread that opened it, and by no other."""

	def __init__(
		self, router: "Router", primary: Any, need: Need, method: str, replica: "Replica", lease: Lease
	):
		self.primary = primary
		self.previous = router.host.current()
		self.need = need
		self.method = method
		self.replica = replica
		self.ended = False
		self.pinned = False
		self.statements = 0
		self._router = router
		self._lease: Lease | None = lease
		self._doubtful = False
		self._failed: set[str] = set()
		self._written: re.Pattern | None = None
		self._thread = threading.get_ident()
		self.database = router.host.wrap(self, lease.connection)

	def run(self, statement: str, on_replica: Callable[[], T], on_primary: Callable[[], T]) -> T:
		"""Run a statement where it belongs and return what that returned.

		Neither callable runs twice once it has returned: what is tried elsewhere is a statement that
		the server refused, or one that was cut off before it gave a row.
		"""
		if self._thread != threading.get_ident() and not self.ended:
			raise ScopeError(
				f"The database of the read-only scope of {self.method} was used by another thread."
				" Connect in that thread (frappe.init, frappe.connect), or read before you start it."
			)
		if self.belongs_to_primary(statement):
			return on_primary()
		self.statements += 1
		self._doubtful = self._doubtful or dialect.leaves_state(statement)
		while True:
			try:
				return on_replica()
			except Exception as error:
				if not self._tries_again(error, statement):
					break
			except BaseException:
				self._doubtful = True
				raise
		return on_primary()

	def _tries_again(self, error: Exception, statement: str) -> bool:
		"""What follows from a replica's error: True another replica, False the primary, or it is raised."""
		kind = dialect.kind_of(error)
		if kind is ErrorKind.LOST:
			return self._move_on(error)
		if kind is ErrorKind.WRITE:
			self.note_write(statement)
			return False
		if kind is ErrorKind.DENIED:
			self._router.denied(self.replica, error)
			return False
		# A time limit or a signal may strike between two packets; the server's own errors cannot.
		self._doubtful = self._doubtful or not dialect.is_servers(error)
		raise error

	def belongs_to_primary(self, statement: str) -> bool:
		"""Whether the primary answers a statement without a replica being asked."""
		if self.ended or self.pinned:
			return True
		always = self._router.host.always_primary
		if always and always.search(statement):
			return True
		return bool(self._written and self._written.search(statement))

	def note_write(self, statement: str) -> None:
		"""Take note of a write: the rest of the scope, or at least of the table, is the primary's.

		:raises WriteInReadOnlyScope: if the call was declared on_write="error"
		"""
		table = dialect.table_of(statement)
		if self._router.host.is_log_write(table, statement):
			self._remember_written(table)
			return
		if self.need.on_write == "error":
			raise WriteInReadOnlyScope(self.method, table or "a table that the server did not name")
		self.pin()
		self._router.metrics.count(PRIMARY, Reason.WROTE)
		if self._router.writers.add(self.method):
			self._router.host.log("writer_found", method=self.method, table=table, replica=self.replica.name)

	def pin(self) -> None:
		"""Keep the rest of the scope on the primary."""
		self.pinned = True
		self._give_back()

	def refresh(self) -> None:
		"""Let the next statement see what has been committed since the scope began."""
		if self._lease and not self.ended:
			try:
				self._lease.connection.rollback()
			except Exception:
				# The next statement meets the same broken connection, and handles it.
				self._doubtful = True

	@contextmanager
	def primary_in_place(self) -> Iterator[Any]:
		"""Put the primary in place of this scope's database, for its transaction and callbacks."""
		host = self._router.host
		before = host.current()
		host.put(self.primary)
		try:
			yield self.primary
		finally:
			host.put(before)

	def close(self) -> None:
		"""End the scope: what was in place before is in place again. Ending it twice is harmless."""
		self._router.close(self)

	def end(self) -> None:
		"""Give the connection back; from now on the database object asks the primary."""
		if not self.ended:
			self.ended = True
			self._give_back()
			self.database.closed()

	def doubt(self) -> None:
		"""Do not use the connection again after this scope."""
		self._doubtful = True

	def _move_on(self, error: Exception) -> bool:
		"""After a lost connection, find another replica; False leaves the primary."""
		self._router.metrics.count(self.replica.name, Reason.LOST)
		self._doubtful = True
		self._give_back()
		# A restarted server has closed the idle connections as well; it gets one fresh try.
		self.replica.pool.close_idle()
		if self.replica.name in self._failed:
			self._router.failed(self.replica, error)
		found = self._router.lend(self.need, exclude=self._failed)
		self._failed.add(self.replica.name)
		if not found:
			self.pin()
			self._router.metrics.count(PRIMARY, Reason.NO_REPLICA)
			return False
		self.replica, self._lease = found
		self._failed.add(self.replica.name)
		self._doubtful = False
		self.database.adopt(self._lease.connection)
		return True

	def _remember_written(self, table: str) -> None:
		seen = f"{self._written.pattern}|" if self._written else ""
		self._written = re.compile(seen + re.escape(table))

	def _give_back(self) -> None:
		lease, self._lease = self._lease, None
		if not lease:
			return
		self.database.adopt(None)
		if self._doubtful:
			lease.throw_away()
		else:
			lease.give_back()
