# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Frappe's own Database class, reading from a replica, writing to the primary.

The site's class is subclassed as it is found, whatever its driver and version, and an object of it
begins as a copy of the primary's state: so it shares the primary's callbacks and type map, and no
constructor has to be known.
"""

import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import frappe

from read_replica.engine import dialect
from read_replica.engine.errors import ScopeError
from read_replica.engine.request import RequestState
from read_replica.engine.scope import Scope
from read_replica.engine.settings import Endpoint
from read_replica.scope_cache import ScopeCache


def routed(scope: Scope, connection: Any) -> Any:
	"""A database object that reads through `connection` for as long as `scope` is open."""
	primary = scope.primary
	database = object.__new__(_routed_class(type(primary)))
	state = vars(database)
	# Methods that were replaced on the primary object alone are bound to it; they stay behind.
	state.update({name: value for name, value in vars(primary).items() if not hasattr(type(primary), name)})
	state.update(
		scope=scope,
		primary=primary,
		scope_cache=ScopeCache(),
		value_cache=type(primary.value_cache)(),
		transaction_writes=0,
	)
	database.adopt(connection)
	_record_with(primary, database)
	return database


def _record_with(primary: Any, database: Any) -> None:
	"""Let Frappe's recorder, which has replaced `sql` on the primary object, see this one as well."""
	if "_sql" in vars(primary):
		database._sql = database.sql
		database.sql = vars(primary)["sql"]


@lru_cache
def _routed_class(base: type) -> type:
	methods = {"unbuffered_cursor": _unbuffered_cursor} if hasattr(base, "unbuffered_cursor") else {}
	return type(f"Routed{base.__name__}", (RoutedMethods, base), methods)


@contextmanager
def _unbuffered_cursor(self):
	"""As core's, which reads all rows that are left at the end: that may be cut off like any statement."""
	core = super(type(self), self).unbuffered_cursor()
	core.__enter__()
	try:
		yield
	finally:
		with self.scope.working(), self.scope.ending_a_result():
			core.__exit__(None, None, None)


def _of_primary(name: str) -> property:
	return property(
		lambda self: getattr(self.primary, name), lambda self, value: setattr(self.primary, name, value)
	)


class RoutedMethods:
	"""What differs from the site's Database class; stands before it in the method order."""

	# What core sets on frappe.db to say how the primary's transaction may end.
	_disable_transaction_control = _of_primary("_disable_transaction_control")
	auto_commit_on_many_writes = _of_primary("auto_commit_on_many_writes")

	def adopt(self, connection: Any | None) -> None:
		"""Read through this connection from now on; None lets go of the last one."""
		self._conn = connection
		self._cursor = connection.cursor() if connection else None

	def connect(self) -> None:
		"""Reached only when the scope's connection is gone: from then on it is the primary's."""
		if not self.primary._conn:
			type(self.primary).connect(self.primary)
		self._follow_primary()

	def sql(self, query, *args, **kwargs):
		return self.scope.run(
			str(query),
			lambda: super(RoutedMethods, self).sql(query, *args, **kwargs),
			lambda: self._sql_on_primary(query, *args, **kwargs),
		)

	def _sql_on_primary(self, query, *args, **kwargs):
		self.transaction_writes = 0
		self._follow_primary_if_left()
		result = type(self.primary).sql(self.primary, query, *args, **kwargs)
		if hasattr(self.primary, "last_query"):
			self.last_query = self.primary.last_query
		self._follow_primary_if_left()
		return result

	def _follow_primary_if_left(self) -> None:
		if self.scope.pinned or self.scope.ended:
			self._follow_primary()

	def _follow_primary(self) -> None:
		self._conn = self.primary._conn
		self._cursor = getattr(self.primary, "_cursor", None)
		self.value_cache = self.primary.value_cache

	def is_read_only_mode_error(self, error: Exception) -> bool:
		"""False, so that a refused write reaches the scope instead of the user as a message."""
		return False

	def commit(self, *args, **kwargs):
		with self.scope.primary_in_place() as primary:
			primary.commit(*args, **kwargs)
		self.scope.refresh()

	def rollback(self, *args, **kwargs):
		with self.scope.primary_in_place() as primary:
			primary.rollback(*args, **kwargs)
		if not kwargs.get("save_point"):
			self.scope.refresh()

	def begin(self, *args, **kwargs):
		with self.scope.primary_in_place() as primary:
			primary.begin(*args, **kwargs)

	def savepoint(self, *args, **kwargs):
		with self.scope.primary_in_place() as primary:
			primary.savepoint(*args, **kwargs)

	def release_savepoint(self, *args, **kwargs):
		with self.scope.primary_in_place() as primary:
			primary.release_savepoint(*args, **kwargs)

	def sql_ddl(self, query, *args, **kwargs):
		# The name says that it writes; asking the replica first would only commit one time more.
		if not self.scope.ended:
			self.scope.note_write(query)
		with self.scope.primary_in_place() as primary:
			primary.sql_ddl(query, *args, **kwargs)
		self._follow_primary_if_left()

	def use(self, *args, **kwargs):
		self.scope.doubt()
		return super().use(*args, **kwargs)

	def _return_as_iterator(self, *args, **kwargs):
		cursor = self._cursor
		if cursor is None:
			self._raise_iterated_too_late()
		self.scope.giving_rows += 1
		try:
			for row in super()._return_as_iterator(*args, **kwargs):
				yield row
				if self._cursor is not cursor:
					self._raise_iterated_too_late()
			self.scope.giving_rows -= 1
		except Exception as error:
			if not self.scope.ended:
				self.scope.lost_while_reading(error)
			raise

	def _raise_iterated_too_late(self):
		raise ScopeError(
			f"A row iterator of {self.scope.method} was used after its connection had gone back: the"
			" read-only scope has ended, or has written. Consume it first, or ask for a list."
		)

	def closed(self) -> None:
		"""The scope has ended: nothing that was made from the replica's rows stays in the request."""
		self.scope_cache.forget()

	def close(self) -> None:
		"""Core's read_only ends its scope by closing the database that connect_replica gave it."""
		self.scope.close()


def primary_of(database: Any) -> Any:
	"""The primary's database object, whether it is in place or a scope is."""
	return database.primary if isinstance(database, RoutedMethods) else database


class Connector:
	"""Opens raw connections as the site's Database class does, with its charset and TLS, in any thread."""

	def __init__(self, primary: Any):
		self._class = type(primary)
		self._driver = "mysqlclient" if "mysqlclient" in self._class.__module__ else "pymysql"
		# Core looks into the request's configuration here, which other threads do not have.
		self._settings = primary.get_connection_settings()
		# v14 takes the user's name for the database's.
		self._settings["database"] = frappe.local.conf.db_name

	def connect(self, endpoint: Endpoint | None, timeout: float) -> Any:
		"""Open a connection to a replica, or to the primary (None), within `timeout` seconds.

		:raises Exception: what the driver raises if that is not possible
		"""
		settings = self._settings | dialect.limits_of_connecting(timeout, self._driver)
		if endpoint:
			_point_to(endpoint, settings)
		opener = object.__new__(self._class)
		opener.get_connection_settings = lambda: settings
		return opener.get_connection()


def _point_to(endpoint: Endpoint, settings: dict[str, Any]) -> None:
	settings.pop("unix_socket", None)
	# mysqlclient takes `localhost` for the local socket, which is the primary's.
	settings["host"] = "127.0.0.1" if endpoint.host == "localhost" else endpoint.host
	settings["port"] = endpoint.port
	if endpoint.user:
		settings["user"] = endpoint.user
	if endpoint.password:
		settings["password"] = endpoint.password
	if endpoint.tls is False:
		settings.pop("ssl", None)
	elif endpoint.tls:
		settings["ssl"] = endpoint.tls


def request_state() -> RequestState:
	"""What the engine keeps for the length of this request or job."""
	state = getattr(frappe.local, "read_replica_state", None)
	if state is None or state.pid != os.getpid():
		state = frappe.local.read_replica_state = RequestState()
	return state


def is_watched(primary: Any) -> bool:
	"""Whether a primary's database object knows what its transaction must keep."""
	return "check_transaction_status" in vars(primary)


def watch(primary: Any, after_commit: Callable[[Any], None], before_close: Callable[[], None]) -> None:
	"""Let a primary's database object know, from now on, what its transaction must keep, and its commits.

	Core counts INSERT, UPDATE and DELETE, and forgets them at `rollback to savepoint`. A row lock, a
	savepoint or a REPLACE must keep a read on the primary just as well.

	:param after_commit: called before the first statement that follows a commit of writes
	:param before_close: called when the request closes its connection, however it ends
	"""
	check = primary.check_transaction_status
	close = primary.close
	primary.read_replica_pending = primary.transaction_writes > 0
	primary.read_replica_in_transaction = True

	def check_transaction_status(query, *args, **kwargs):
		# Core's check forgets the writes at a commit.
		pending = has_pending_writes(primary)
		if request_state().committed:
			after_commit(primary)
		check(query, *args, **kwargs)
		_note(primary, query, pending)

	def close_after_all():
		try:
			before_close()
		finally:
			close()

	primary.check_transaction_status = check_transaction_status
	primary.close = close_after_all


def _note(primary: Any, query: str, pending: bool) -> None:
	"""Note what a statement, which is about to run on the primary, does to its transaction."""
	if dialect.commits_by_itself(query) or (pending and dialect.commits(query)):
		request_state().committed = True
	if dialect.closes_transaction(query):
		primary.read_replica_pending = primary.read_replica_in_transaction = False
		return
	primary.read_replica_in_transaction = True
	primary.read_replica_pending = primary.read_replica_pending or dialect.opens_transaction(query)


def has_pending_writes(primary: Any) -> bool:
	"""Whether the primary's transaction holds a write, a row lock or a savepoint, or is giving rows."""
	if primary.transaction_writes or getattr(primary, "read_replica_pending", False):
		return True
	# To end the transaction would end what `unbuffered_cursor` has not read yet.
	return "SSCursor" in type(getattr(primary, "_cursor", None)).__name__


def end_transaction(primary: Any) -> None:
	"""End the primary's idle transaction, so that a long report does not keep its snapshot open.

	Only where `watch` has seen every statement, and by a commit below Frappe's own, which would run
	callbacks that wait for the request's end.
	"""
	if getattr(primary, "read_replica_in_transaction", False) and primary._conn:
		primary._conn.commit()
		primary.read_replica_in_transaction = False
