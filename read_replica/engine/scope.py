# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The scope itself: one call's use of a replica, from its choice to the primary's return.

The server judges what is a write. Each statement is sent to the replica first; what the server
refuses there is carried out on the primary, and what comes after a write stays there. Where no replica
is asked, a call that may not write has its statements judged by their words.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol, TypeVar

from read_replica.engine import dialect
from read_replica.engine.dialect import ErrorKind, Position
from read_replica.engine.errors import ReplicaLost, ReplicaUnavailable, ScopeError, WriteInReadOnlyScope
from read_replica.engine.host import Host
from read_replica.engine.metrics import PRIMARY, Metrics
from read_replica.engine.reasons import Reason
from read_replica.engine.replicas.pool import Lease
from read_replica.engine.replicas.replica import Replica
from read_replica.engine.selector import Selection
from read_replica.engine.settings import Need

T = TypeVar("T")
Direction = Literal["on_replica", "on_primary", "to_look_there"]


class Owner(Protocol):
	"""What a scope asks of the router that has opened it."""

	host: Host
	metrics: Metrics

	def find(
		self, need: Need, position: Position, primary: Any, *, exclude: Collection[str]
	) -> Selection | Reason:
		"""Another replica that has this position, or why none will do."""

	def close(self, frame: Any) -> None:
		"""Take a scope off the stack, and restore what was in place."""

	def failed(self, replica: Replica, error: Exception) -> None:
		"""A replica has failed and is left alone for a while."""

	def recovered(self, replica: Replica) -> None:
		"""A replica that was left alone has answered."""

	def denied(self, replica: Replica, error: Exception) -> None:
		"""A replica's user may not read what the primary's may."""

	def fallback(self, reason: Reason, method: str) -> None:
		"""The primary goes on with a call that a replica has begun."""

	def caught_writing(self, method: str, table: str, replica: Replica) -> None:
		"""A method has written, and stays on the primary from now on."""


class PrimaryBlock:
	"""A stretch of code that works on the primary, whatever scope it stands in."""

	def __init__(self, primary: Any, previous: Any, committed_before: Position, pending_before: int):
		self.primary = primary
		self.previous = previous
		self.committed_before = committed_before
		self.pending_before = pending_before

	def end(self) -> None:
		"""Nothing to give back."""


class Scope:
	"""A call that reads from a replica; or one that the primary answers, and that may not write.

	Used by the thread that opened it, and by no other.

	:param found: the replica; or the reason why there is none
	"""

	def __init__(self, router: Owner, primary: Any, need: Need, method: str, found: Selection | Reason):
		is_on_primary = isinstance(found, Reason)
		self.primary = primary
		self.previous = router.host.current()
		self.need = need
		self.method = method
		# None: the primary has answered from the beginning.
		self.replica = None if is_on_primary else found.replica
		self.reason = found if is_on_primary else Reason.REPLICA
		# What the data is as fresh as, at least; it stays so if the replica is lost and another goes on.
		self.as_of = None if is_on_primary else found.as_of
		self.began = time.monotonic()
		# Since when the replica has been working on a statement, by time.monotonic().
		self.running_since: float | None = None
		self.ended = False
		self.pinned = is_on_primary
		self.wrote = False
		# Whether the method, once it was caught writing, stays on the primary for a day.
		self.remembers_writes = True
		self.statements = 0
		self._router = router
		self._lease: Lease | None = None if is_on_primary else found.lease
		self._doubtful = False
		# How many results are being read row by row.
		self.giving_rows = 0
		# The statements that have left something on the connection, such as a variable.
		self._left_state: list[Callable] = []
		self._failed: set[str] = set()
		# Statements with one of these names in them are the primary's.
		self._of_primary: tuple[str, ...] = router.host.always_primary
		self._owner = (os.getpid(), threading.get_ident())
		self.database = router.host.wrap(self, self._lease.connection if self._lease else None)

	def run(self, statement: str, on_replica: Callable[[], T], on_primary: Callable[[], T]) -> T:
		"""Run a statement where it belongs and return what that returned.

		Neither callable runs twice once it has returned: what is tried elsewhere is a statement that
		the server refused, or one that was cut off before it gave a row.
		"""
		if self._owner != (os.getpid(), threading.get_ident()) and not self.ended:
			raise ScopeError(
				f"The database of the read-only scope of {self.method} was used by another thread or process."
				" Connect in there (frappe.init, frappe.connect), or read before you start it."
			)
		if self.belongs_to_primary(statement):
			self._judge(statement)
			return on_primary()
		self.statements += 1
		leaves_state = dialect.leaves_state(statement)
		if leaves_state and dialect.is_logged_always(statement):
			self.note_write(statement)
			return on_primary()
		self._doubtful = self._doubtful or leaves_state
		goes = "on_replica"
		while goes == "on_replica":
			self.running_since = time.monotonic()
			try:
				result = on_replica()
				if leaves_state:
					self._left_state.append(on_primary)
				if self.replica.breaker.is_open:
					self._router.recovered(self.replica)
				return result
			except Exception as error:
				goes = self._goes_on(error, statement)
			except BaseException:
				self._doubtful = True
				raise
			finally:
				self.running_since = None
		self._judge(statement)
		result = on_primary()
		if goes == "to_look_there":
			# It was missing on the replica alone; so may the rest be.
			self.pin()
			self._router.fallback(Reason.MISSING, self.method)
		return result

	def _goes_on(self, error: Exception, statement: str) -> Direction:
		"""Where a statement goes after a replica's error, which is raised if that would not help."""
		kind = dialect.kind_of(error)
		if kind is ErrorKind.LOST:
			return self._move_on(error, Reason.LOST)
		if kind is ErrorKind.TROUBLE:
			return self._move_on(error, Reason.TROUBLE)
		if kind is ErrorKind.WRITE:
			self.note_write(statement)
			return "on_primary"
		if kind in (ErrorKind.DENIED, ErrorKind.MISSING) and self.need.on_unavailable == "error":
			# The call wants no other server, and whose fault it is cannot be told without asking one.
			raise error
		if kind in (ErrorKind.DENIED, ErrorKind.MISSING) and self._left_state:
			# The statement may need what others have left on the connection.
			self.pin()
		if kind is ErrorKind.DENIED:
			self._router.denied(self.replica, error)
			return "on_primary"
		if kind is ErrorKind.MISSING:
			return "to_look_there"
		# A time limit or a signal may strike between two packets; the server's own errors cannot.
		self._doubtful = self._doubtful or not dialect.is_servers(error)
		raise error

	@property
	def timeout(self) -> float:
		"""The seconds after which the server ends a statement."""
		return self.need.timeout

	def cut(self) -> None:
		"""Let the statement that is running fail at once; for another thread, when its server hangs."""
		if lease := self._lease:
			dialect.cut(lease.connection, self.replica.endpoint.port)

	@property
	def server(self) -> str:
		"""Which server answers, where its connection knows that; another thread may ask."""
		lease = self._lease
		return lease.server if lease else ""

	def lost_while_reading(self, error: Exception) -> None:
		"""Raise what a caller understands if a connection was lost after it gave some of its rows."""
		if dialect.kind_of(error) is ErrorKind.LOST:
			self._doubtful = True
			self._router.metrics.count(self.replica.name, Reason.LOST, self.method)
			raise ReplicaLost(self.method, self.replica.name) from error

	def belongs_to_primary(self, statement: str) -> bool:
		"""Whether the primary answers a statement without a replica being asked."""
		if self.ended or self.pinned:
			return True
		# A loop, as a search by a pattern takes as long as a tenth of a small query.
		for name in self._of_primary:
			if name in statement:
				return True
		return False

	def _judge(self, statement: str) -> None:
		"""Take note of a write that no replica is asked to refuse, by its words."""
		if self.ended or (self.pinned and self.need.on_write != "error"):
			return
		if dialect.writes(statement) and dialect.table_of(statement) not in self._router.host.always_primary:
			self.note_write(statement)

	def note_write(self, statement: str) -> None:
		"""Take note of a write: the rest of the scope, or at least of the table, is the primary's.

		:raises WriteInReadOnlyScope: if the call was declared on_write="error"
		"""
		table = dialect.table_of(statement)
		if names := self._router.host.log_names(table, statement):
			self._of_primary += tuple(name for name in names if name not in self._of_primary)
			return
		if self.need.on_write == "error":
			raise WriteInReadOnlyScope(self.method, table or "a table that the server did not name")
		self.wrote = True
		self.pin()
		self._router.metrics.count(PRIMARY, Reason.WROTE, self.method)
		if self.remembers_writes:
			self._router.caught_writing(self.method, table, self.replica)

	def pin(self) -> None:
		"""Keep the rest of the scope on the primary, with the variables and locks that it has made."""
		if self.pinned:
			return
		self.pinned = True
		self._give_back()
		for again in self._left_state:
			again()

	def refresh(self) -> None:
		"""Let the next statement see what has been committed since the scope began."""
		if not self._lease or self.ended:
			return
		if not self._lease.server:
			# Behind such a proxy, another server than the one that was judged may answer from now on.
			self.pin()
			return
		with self.working(), self.ending_a_result():
			self._lease.connection.rollback()

	@contextmanager
	def working(self) -> Iterator[None]:
		"""The replica is asked for something: if it hangs, this is cut off."""
		self.running_since = time.monotonic()
		try:
			yield
		finally:
			self.running_since = None

	@contextmanager
	def ending_a_result(self) -> Iterator[None]:
		"""What is read to its end has no reader any more: if its connection is lost, nobody needs to know."""
		try:
			yield
			self.giving_rows = 0
		except Exception as error:
			# The next statement meets the same broken connection, and handles it.
			self._abandon_rows()
			if not dialect.is_of_connection(error):
				raise

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
			# Whoever keeps the database knows its scope; the way back would leave both to the garbage collector.
			database, self.database = self.database, None
			database.closed()

	def doubt(self) -> None:
		"""Do not use the connection again after this scope."""
		self._doubtful = True

	def _move_on(self, error: Exception, why: Reason) -> Direction:
		"""After a lost connection, find another replica that is at least as fresh, or the primary.

		:raises ReplicaLost: if what earlier statements have left on the connection is lost with it
		:raises ReplicaUnavailable: if the call wants no other snapshot than the one that is lost, or no
			replica is left and it may not go to the primary
		"""
		self._router.metrics.count(self.replica.name, why, self.method)
		self._doubtful = True
		# A restarted server has closed the idle connections as well; it gets one fresh try.
		self.replica.pool.close_idle()
		if self.replica.name in self._failed or why is Reason.TROUBLE:
			self._router.failed(self.replica, error)
			self._failed.add(self.replica.name)
		# The broken connection stays in place, so that a caller who goes on is told again.
		if self._left_state:
			raise ReplicaLost(self.method, self.replica.name) from error
		if self.statements > 1 and self.need.on_unavailable == "error":
			raise ReplicaUnavailable(self.method, [self.replica.name]) from error
		self._give_back()
		found = self._router.find(self.need, self.as_of.position, self.primary, exclude=self._failed)
		self._failed.add(self.replica.name)
		if isinstance(found, Reason):
			self.pin()
			if self.need.on_unavailable == "error":
				raise ReplicaUnavailable(self.method, sorted(self._failed)) from error
			self._router.fallback(found, self.method)
			return "on_primary"
		self.replica, self._lease = found.replica, found.lease
		self._failed.add(self.replica.name)
		self._doubtful = False
		self.database.adopt(self._lease.connection)
		self._router.host.state().note_use(self.replica.name, self.as_of)
		return "on_replica"

	def _abandon_rows(self) -> None:
		"""Leave a result unread: that would take its time, and for ever where the server hangs."""
		self._doubtful = True
		if self._lease:
			dialect.abandon(self._lease.connection, self.replica.endpoint.port)

	def _give_back(self) -> None:
		if not self._lease:
			return
		if self.giving_rows:
			self._abandon_rows()
		lease, self._lease = self._lease, None
		self.database.adopt(None)
		if self._doubtful:
			lease.throw_away()
		else:
			lease.give_back()
