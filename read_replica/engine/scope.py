# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A scope: one call, from the choice of its server to the moment when the primary is back in place.

This file has what all scopes share, and those that the primary answers; `replica_scope` has the others.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from read_replica.engine import dialect
from read_replica.engine.dialect import Position
from read_replica.engine.errors import ScopeError, WriteInReadOnlyScope
from read_replica.engine.host import Host, RoutedDatabase
from read_replica.engine.metrics import Metrics
from read_replica.engine.reasons import Reason
from read_replica.engine.replicas.replica import Replica
from read_replica.engine.request import RequestState
from read_replica.engine.selector import Selection
from read_replica.engine.settings import CompleteNeed

T = TypeVar("T")


class Owner(Protocol):
	"""The interface of the router that a scope uses."""

	host: Host
	metrics: Metrics

	def find(
		self, need: CompleteNeed, position: Position, primary: Any, *, exclude: Collection[str]
	) -> Selection | Reason:
		"""Return another replica that has this position, or the reason why there is none."""

	def close(self, frame: Any) -> None:
		"""End a scope, and restore the database that was in place before."""

	def failed(self, replica: Replica, error: Exception) -> None:
		"""Leave a replica alone for a while, as it has failed."""

	def recovered(self, replica: Replica) -> None:
		"""Note that a replica that was left alone has answered."""

	def denied(self, replica: Replica, error: Exception) -> None:
		"""Note that a replica's user may not read what the primary's may."""

	def fallback(self, reason: Reason, method: str) -> None:
		"""Note that the primary goes on with a call that a replica has begun."""

	def caught_writing(self, method: str, table: str, replica: Replica) -> None:
		"""Keep a method on the primary from now on, as it has written."""


class PrimaryBlock:
	"""A stretch of code that works on the primary, whatever scope it stands in.

	:param committed_before: what the request had committed when the block began
	:param pending_before: how many writes its transaction held then
	"""

	def __init__(
		self,
		state: RequestState,
		primary: Any,
		previous: Any,
		committed_before: Position,
		pending_before: int,
	):
		self.state = state
		self.primary = primary
		self.previous = previous
		self.committed_before = committed_before
		self.pending_before = pending_before

	def note_write_beside(self, statement: str) -> None:
		"""Do nothing: what the block has written is asked at its end."""

	def end(self) -> None:
		"""Do nothing: a block holds no connection."""


class Scope:
	"""A call that the primary answers and that may not write (on_write="error").

	No server refuses a write there, so each statement is judged by its words.
	"""

	# Whether the rest of the call stays on the primary.
	pinned = True
	# Whether the method, once it was caught writing, stays on the primary for a day.
	remembers_writes = True

	def __init__(
		self,
		router: Owner,
		state: RequestState,
		primary: Any,
		previous: Any,
		need: CompleteNeed,
		method: str,
		reason: Reason,
		connection: Any = None,
	):
		self.state = state
		self.primary = primary
		self.previous = previous
		self.need = need
		self.method = method
		self.reason = reason
		self.began = time.monotonic()
		self.ended = False
		self.wrote = False
		# How many statements a replica has answered, or was asked to.
		self.statements = 0
		# Whether a replica has answered one, here or in the scopes around this one.
		self.has_read = False
		self._router = router
		self._owner = (os.getpid(), threading.get_ident())
		self.database: RoutedDatabase | None = router.host.wrap(self, connection)

	def run(self, statement: str, on_replica: Callable[[], T], on_primary: Callable[[], T]) -> T:
		"""Run a statement where it belongs and return what that returned.

		Neither callable runs twice once it has returned.

		:raises WriteInReadOnlyScope: if the statement writes
		:raises ScopeError: in another thread or process than the one that opened the scope
		"""
		self._check_thread()
		self._judge(statement)
		return on_primary()

	def _check_thread(self) -> None:
		if self._owner != (os.getpid(), threading.get_ident()) and not self.ended:
			raise ScopeError(
				f"The database of the read-only scope of {self.method} was used by another thread or process."
				" Connect in there (frappe.init, frappe.connect), or read before you start it."
			)

	def _judge(self, statement: str) -> None:
		"""Note a write by the words of its statement, where no replica is asked to refuse it."""
		if self.ended or (self.pinned and self.need.on_write != "error"):
			return
		if dialect.writes(statement) and dialect.table_of(statement) not in self._router.host.always_primary:
			self.note_write(statement)

	def note_write(self, statement: str) -> None:
		"""Note a write: from now on the primary answers, either for the whole call or for that table.

		:raises WriteInReadOnlyScope: if the call was declared on_write="error"
		"""
		table = dialect.table_of(statement)
		if names := self._router.host.log_names(table, statement):
			self._note_log(names)
			return
		if self.need.on_write == "error":
			raise WriteInReadOnlyScope(self.method, table or "a table that the server did not name")
		self._note_other_write(table)

	def _note_log(self, names: tuple[str, ...]) -> None:
		"""Note a write to a session or log table; statements with one of these names go to the primary."""

	def _note_other_write(self, table: str) -> None:
		"""Note a write to any other table, by a call that may write."""
		self.wrote = True

	def note_statements(self, count: int) -> None:
		"""Count statements that a replica has answered, in this scope or in one inside it."""
		self.statements += count
		if count and not self.has_read:
			self.note_read()

	def note_read(self) -> None:
		"""Note that what the call knows may come from a replica; so its values are not for all."""
		self.has_read = True
		if self.database:
			self.database.begin_reading()

	def note_write_beside(self, statement: str) -> None:
		"""Note a write that was carried out on the primary past this scope; what it reads later is there already."""

	def pin(self) -> None:
		"""Keep the rest of the call on the primary, where it is already."""

	def refresh(self) -> None:
		"""Let the next statement see later commits: nothing to do on the primary."""

	def doubt(self) -> None:
		"""Do nothing: there is no connection to be in doubt."""

	@contextmanager
	def primary_in_place(self) -> Iterator[Any]:
		"""Put the primary in place of this scope's database, for its transaction and callbacks."""
		host = self._router.host
		before = host.current()
		host.put(self.primary, self.state)
		try:
			yield self.primary
		finally:
			host.put(before, self.state)

	def close(self) -> None:
		"""End the scope and restore the database that was in place before. Harmless if it has ended already."""
		self._router.close(self)

	def end(self) -> None:
		"""Release the connection; from now on the scope's database object asks the primary."""
		if self.ended:
			return
		self.ended = True
		self._release()
		# The database refers to its scope; a reference back would leave both to the garbage collector.
		database, self.database = self.database, None
		if database:
			database.closed()

	def _release(self) -> None:
		"""Return the connection: there is none."""
