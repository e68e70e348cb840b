# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A scope that reads from a replica.

The server judges what is a write. Each statement is sent to the replica first; what the server refuses there
is carried out on the primary, and what comes after a write stays there.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from read_replica.engine import dialect
from read_replica.engine.dialect import ErrorKind
from read_replica.engine.errors import ReplicaLost, ReplicaUnavailable
from read_replica.engine.metrics import PRIMARY
from read_replica.engine.reasons import Reason
from read_replica.engine.replicas.pool import Lease
from read_replica.engine.request import RequestState
from read_replica.engine.scope import Owner, Scope
from read_replica.engine.selector import Selection
from read_replica.engine.settings import CompleteNeed

T = TypeVar("T")
Direction = Literal["on_replica", "on_primary", "to_look_there"]


class ReplicaScope(Scope):
	"""A call that reads from a replica. Used by the thread that opened it, and by no other.

	`replica` tells who answers, `as_of` how fresh the data is at least.

	:param selection: the replica, with an open connection to it
	"""

	def __init__(
		self,
		router: Owner,
		state: RequestState,
		primary: Any,
		previous: Any,
		need: CompleteNeed,
		method: str,
		selection: Selection,
	):
		self.replica = selection.replica
		# Kept if the replica is lost and another one goes on.
		self.as_of = selection.as_of
		# Since when the replica has been working on a statement, by time.monotonic().
		self.running_since: float | None = None
		self.pinned = False
		self._lease: Lease | None = selection.lease
		self._doubtful = False
		# How many results are being read row by row.
		self.giving_rows = 0
		# The statements that have left something on the connection, such as a variable.
		self._left_state: list[Callable[[], object]] = []
		self._failed: set[str] = set()
		# Statements with one of these names in them are the primary's.
		self._of_primary: tuple[str, ...] = router.host.always_primary
		connection = selection.lease.connection
		super().__init__(router, state, primary, previous, need, method, Reason.REPLICA, connection)

	def run(self, statement: str, on_replica: Callable[[], T], on_primary: Callable[[], T]) -> T:
		"""Run a statement where it belongs and return what that returned.

		Neither callable runs twice once it has returned: what is tried elsewhere is a statement that
		the server refused, or one that was cut off before it gave a row.
		"""
		self._check_thread()
		if self.belongs_to_primary(statement):
			self._judge(statement)
			return on_primary()
		self.note_statements(1)
		leaves_state = dialect.leaves_state(statement)
		if leaves_state and dialect.is_logged_always(statement):
			self.note_write(statement)
			return on_primary()
		self._doubtful = self._doubtful or leaves_state
		goes: Direction = "on_replica"
		while goes == "on_replica":
			self.running_since = time.monotonic()
			try:
				result = on_replica()
				# A text is a statement that its caller wanted to have built, and not run.
				if dialect.reads(statement) and not isinstance(result, str):
					self.state.note_read(self.replica.name, result)
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
			# A table or column was missing on the replica alone; others may be missing, too.
			self.pin()
			self._router.fallback(Reason.MISSING, self.method)
		return result

	def _goes_on(self, error: Exception, statement: str) -> Direction:
		"""Return where to run a statement after a replica's error; raise the error if no other server would help."""
		kind = dialect.kind_of(error)
		if kind is ErrorKind.LOST:
			return self._move_on(error, Reason.LOST)
		if kind is ErrorKind.TROUBLE:
			return self._move_on(error, Reason.TROUBLE)
		if kind is ErrorKind.WRITE:
			self.note_write(statement)
			return "on_primary"
		if kind in (ErrorKind.DENIED, ErrorKind.MISSING) and self.need.on_unavailable == "error":
			# Whether only the replica lacks it could be told by asking another server, which the call does not want.
			raise error
		if kind in (ErrorKind.DENIED, ErrorKind.MISSING) and self._left_state:
			# The statement may need a variable or lock that an earlier one has left on the connection.
			self.pin()
		if kind is ErrorKind.DENIED:
			self._router.denied(self.replica, error)
			return "on_primary"
		if kind is ErrorKind.MISSING:
			return "to_look_there"
		# A time limit or a signal may strike between two packets; the server's own errors cannot.
		self._doubtful = self._doubtful or not dialect.is_server_error(error)
		raise error

	def _move_on(self, error: Exception, why: Reason) -> Direction:
		"""Fail over after a lost connection: to another replica that is at least as fresh, or to the primary.

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
		# The broken connection stays in place, so that a caller who goes on gets the error again.
		if self._left_state:
			raise ReplicaLost(self.method, self.replica.name) from error
		if self.statements > 1 and self.need.on_unavailable == "error":
			raise ReplicaUnavailable(self.method, [self.replica.name]) from error
		self._release()
		found = self._router.find(self.need, self.as_of.position, self.primary, exclude=self._failed)
		self._failed.add(self.replica.name)
		if isinstance(found, Reason):
			self.pin()
			if self.need.on_unavailable == "error":
				raise ReplicaUnavailable(self.method, sorted(self._failed)) from error
			self._router.fallback(found, self.method)
			return "on_primary"
		self._adopt(found)
		return "on_replica"

	def _adopt(self, selection: Selection) -> None:
		"""Continue on this replica."""
		self.replica, self._lease = selection.replica, selection.lease
		self._failed.add(self.replica.name)
		self._doubtful = False
		if self.database:
			self.database.adopt(selection.lease.connection)
		self.state.note_use(self.replica.name, self.as_of)

	# Where a statement belongs

	def belongs_to_primary(self, statement: str) -> bool:
		"""Return whether a statement goes to the primary at once."""
		if self.ended or self.pinned:
			return True
		# A loop, as a search by a pattern takes as long as a tenth of a small query.
		for name in self._of_primary:
			if name in statement:
				return True
		return False

	def _note_log(self, names: tuple[str, ...]) -> None:
		self._of_primary += tuple(name for name in names if name not in self._of_primary)

	def _note_other_write(self, table: str) -> None:
		self.wrote = True
		self.pin()
		self._router.metrics.count(PRIMARY, Reason.WROTE, self.method)
		if self.remembers_writes:
			self._router.caught_writing(self.method, table, self.replica)

	def note_write_beside(self, statement: str) -> None:
		"""Note a write that was carried out on the primary past this scope: what it reads from now on must have it."""
		table = dialect.table_of(statement)
		if self.pinned or self.ended or table in self._router.host.always_primary:
			return
		if names := self._router.host.log_names(table, statement):
			self._note_log(names)
			return
		self.wrote = True
		self.pin()

	def pin(self) -> None:
		"""Keep the rest of the scope on the primary, with the variables and locks that it has made."""
		if self.pinned:
			return
		self.pinned = True
		self._release()
		for again in self._left_state:
			again()

	# The connection

	@property
	def server(self) -> str:
		"""The server that answers, if its connection knows that, else "". May be read by another thread."""
		lease = self._lease
		return lease.server if lease else ""

	@property
	def timeout(self) -> float:
		"""The seconds after which the server ends a statement."""
		return self.need.timeout

	def cut(self) -> None:
		"""Let the running statement fail at once. Called by the watchdog thread when the server hangs."""
		if lease := self._lease:
			dialect.cut(lease.connection, self.replica.endpoint.port)

	def refresh(self) -> None:
		"""Let the next statement see what has been committed since the scope began."""
		if not self._lease or self.ended:
			return
		if not self._lease.server:
			# Behind such a proxy, another server may answer from now on, whose freshness is not known.
			self.pin()
			return
		with self.working(), self.ending_a_result():
			self._lease.connection.rollback()

	@contextmanager
	def working(self) -> Iterator[None]:
		"""Let the watchdog cut off what is done inside if the replica hangs."""
		self.running_since = time.monotonic()
		try:
			yield
		finally:
			self.running_since = None

	@contextmanager
	def ending_a_result(self) -> Iterator[None]:
		"""Read the rest of a result that nobody needs; a connection that is lost meanwhile is no error."""
		try:
			yield
			self.giving_rows = 0
		except Exception as error:
			# The next statement meets the same broken connection, and handles it.
			self._abandon_rows()
			if not dialect.is_driver_error(error):
				raise

	def lost_while_reading(self, error: Exception) -> None:
		"""Raise ReplicaLost if the connection was lost after it had given some of the rows."""
		if dialect.kind_of(error) is ErrorKind.LOST:
			self._doubtful = True
			self._router.metrics.count(self.replica.name, Reason.LOST, self.method)
			raise ReplicaLost(self.method, self.replica.name) from error

	def doubt(self) -> None:
		"""Do not use the connection again after this scope."""
		self._doubtful = True

	def _abandon_rows(self) -> None:
		"""Leave a result unread: reading its rest may take long, or for ever if the server hangs."""
		self._doubtful = True
		if self._lease:
			dialect.abandon(self._lease.connection, self.replica.endpoint.port)

	def _release(self) -> None:
		"""Return the connection to the pool, or close it if its state is in doubt."""
		if not self._lease:
			return
		if self.giving_rows:
			self._abandon_rows()
		lease, self._lease = self._lease, None
		if self.database:
			self.database.adopt(None)
		if self._doubtful:
			lease.throw_away()
		else:
			lease.give_back()
