# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Routes the statements of Frappe's own Database class: reads to a replica, writes to the primary.

The site's class is subclassed as it is found, whatever its driver and version, and an object of it
begins as a copy of the primary's state: so it shares the primary's callbacks and type map, and no
constructor has to be known.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import frappe

from read_replica.database.scope_cache import ScopeCache
from read_replica.database.transaction import changes_of
from read_replica.engine.errors import ScopeError
from read_replica.engine.scope import Scope


def routed(scope: Scope, connection: Any) -> Any:
	"""Returns a database object that reads through `connection` while `scope` is open."""
	primary = scope.primary
	database = object.__new__(_routed_class(type(primary)))
	state = vars(database)
	state.update(vars(primary))
	# Methods that were replaced on the primary object are bound to it, and are not copied.
	for name in state.keys() & _names_in(type(primary)):
		del state[name]
	state.update(
		scope=scope,
		primary=primary,
		# A scope on the primary needs none, until a call inside it has read from a replica.
		scope_cache=None,
		value_cache=_empty_like(primary.value_cache),
		transaction_writes=0,
	)
	_record_with(primary, database)
	if not connection:
		database._follow_primary()
		return database
	# Before this scope looks at what is there.
	hide_cached(scope.state.frames)
	try:
		database.begin_reading()
		database.adopt(connection)
	except BaseException:
		# Such as the time limit of a job: the scope around this one goes on.
		if isinstance(frappe.local.db, RoutedMethods):
			show_cached(frappe.local.db)
		raise
	return database


def _empty_like(cache: dict) -> dict:
	"""Returns an empty cache of the same type; in v16 it is a defaultdict."""
	makes = getattr(cache, "default_factory", None)
	return type(cache)(makes) if makes else type(cache)()


def _record_with(primary: Any, database: Any) -> None:
	"""Let Frappe's recorder, which has replaced `sql` on the primary object, see this one as well."""
	if "_sql" in vars(primary):
		database._sql = database.sql
		database.sql = vars(primary)["sql"]


@lru_cache
def _names_in(base: type) -> frozenset[str]:
	return frozenset(dir(base))


@lru_cache
def _routed_class(base: type) -> type:
	methods = {"unbuffered_cursor": _unbuffered_cursor} if hasattr(base, "unbuffered_cursor") else {}
	return type(f"Routed{base.__name__}", (RoutedMethods, base), methods)


@contextmanager
def _unbuffered_cursor(self):
	"""As core's; reading the rest of the rows at its end may be cut off like any statement."""
	if self.scope.pinned or self.scope.ended:
		with self.primary.unbuffered_cursor():
			yield
		return
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
	"""The methods that differ from the site's Database class, which it is mixed into."""

	# Core sets these on frappe.db to say how the primary's transaction may end.
	_disable_transaction_control = _of_primary("_disable_transaction_control")
	auto_commit_on_many_writes = _of_primary("auto_commit_on_many_writes")

	# While core stores a value that was made on the primary; set by the guards of its caches.
	stores_for_all = False

	# While core asks for what is the same for all, and stores it.
	_asks_primary = False

	def adopt(self, connection: Any | None) -> None:
		"""Read through this connection from now on; None releases the present one."""
		self._conn = connection
		self._cursor = connection.cursor() if connection else None

	def connect(self) -> None:
		"""Use the primary's connection; called by core once the scope's connection is gone."""
		if not self.primary._conn:
			type(self.primary).connect(self.primary)
		self._follow_primary()

	def sql(self, query, *args, **kwargs):
		if self._asks_primary:
			return self._sql_on_primary(query, *args, **kwargs)
		return self.scope.run(
			str(query),
			lambda: super(RoutedMethods, self).sql(query, *args, **kwargs),
			lambda: self._sql_on_primary(query, *args, **kwargs),
		)

	def begin_reading(self) -> None:
		"""Keep the scope's cached values apart from the request's from now on."""
		if self.scope_cache is None:
			self.scope_cache = ScopeCache()

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
		"""Returns False, so that core raises a refused write to the scope instead of showing it to the user."""
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
		# It writes for sure; asking the replica first would only cause one more commit.
		if not self.scope.ended:
			self.scope.note_write(query)
		with self.scope.primary_in_place() as primary:
			primary.sql_ddl(query, *args, **kwargs)
		self._follow_primary_if_left()

	# What core caches of the columns and tables is made on the primary, as else it could not be kept. Core asks for the
	# columns in each query that it builds, and finds them in its cache.

	def get_db_table_columns(self, *args, **kwargs):
		with self._asking_primary():
			return super().get_db_table_columns(*args, **kwargs)

	def get_tables(self, *args, **kwargs):
		with self._asking_primary():
			return super().get_tables(*args, **kwargs)

	@contextmanager
	def _asking_primary(self) -> Iterator[None]:
		self.stores_for_all = self._asks_primary = True
		try:
			yield
		finally:
			self.stores_for_all = self._asks_primary = False

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
		"""Take values that were made from the replica's rows out of the request's caches, as the scope has ended."""
		if self.scope_cache:
			self.scope_cache.forget(changes_of(self.primary), has_written=self.scope.pinned)

	def close(self) -> None:
		"""End the scope: core's read_only closes the database that connect_replica has put in place."""
		self.scope.close()


def hide_cached(frames: Iterable[Any], but: Any = None) -> None:
	"""Take what scopes have cached in the request out of the way of another database, until `show_cached`.

	:param frames: the open frames of the request
	:param but: the database that is put in place, whose own scope is left as it is
	"""
	for frame in frames:
		database = getattr(frame, "database", None)
		if database and database is not but and database.scope_cache:
			database.scope_cache.hide(changes_of(database.primary))


def show_cached(database: RoutedMethods) -> None:
	"""Put back what `hide_cached` has taken out."""
	if database.scope_cache and not database.scope.ended:
		database.scope_cache.show(changes_of(database.primary))


def drop_hidden(frames: Iterable[Any]) -> None:
	"""Let nothing of what is hidden come back, as something was deleted from the request's caches."""
	for frame in frames:
		database = getattr(frame, "database", None)
		if database and database.scope_cache:
			database.scope_cache.drop_hidden()


def primary_of(database: Any) -> Any:
	"""Returns the primary's database object, whether that or a scope's is given."""
	return database.primary if isinstance(database, RoutedMethods) else database
