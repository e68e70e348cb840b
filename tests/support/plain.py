# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A Host over bare connections: a program with one database object per thread, and no framework."""

import secrets
import threading
from collections import deque
from typing import Any

import pymysql
import redis

from read_replica.engine import dialect
from read_replica.engine.request import RequestState
from read_replica.engine.settings import Endpoint
from read_replica.engine.shared.redis_state import impatient
from read_replica.engine.shared.shared_state import SharedState


class PlainDatabase:
	"""A connection with the few methods that a program needs, and callbacks after a commit."""

	def __init__(self, address: dict):
		self._address = address
		self._connection: pymysql.Connection | None = None
		self.after_commit: deque = deque()
		self.pending = 0
		self.in_transaction = False
		# Called after a commit of writes.
		self.on_commit = lambda: None

	@property
	def connection(self) -> pymysql.Connection:
		if self._connection is None:
			self._connection = pymysql.connect(**self._address)
		return self._connection

	def sql(self, statement: str, values: Any = None) -> tuple:
		self.in_transaction = True
		if (self.pending and dialect.commits(statement)) or dialect.commits_implicitly(statement):
			self.on_commit()
		if dialect.closes_transaction(statement):
			self.pending, self.in_transaction = 0, False
		with self.connection.cursor() as cursor:
			cursor.execute(statement, values)
			rows = cursor.fetchall()
		self.pending += dialect.opens_transaction(statement)
		return rows

	def commit(self) -> None:
		self.sql("commit")
		while self.after_commit:
			self.after_commit.popleft()()

	def rollback(self) -> None:
		self.after_commit.clear()
		self.sql("rollback")

	def close(self) -> None:
		if self._connection is not None:
			self._connection.close()
			self._connection = None


class RoutedPlainDatabase(PlainDatabase):
	"""The same, reading through a scope."""

	def __init__(self, scope: Any, connection: Any):
		super().__init__(address={})
		self._scope = scope
		self._connection = connection
		self.after_commit = scope.primary.after_commit

	def adopt(self, connection: Any | None) -> None:
		self._connection = connection

	def begin_reading(self) -> None:
		"""Nothing is kept beside the scope."""

	def closed(self) -> None:
		"""Nothing was kept beside the scope."""

	def sql(self, statement: str, values: Any = None) -> tuple:
		return self._scope.run(
			statement,
			lambda: super(RoutedPlainDatabase, self).sql(statement, values),
			lambda: self._scope.primary.sql(statement, values),
		)

	def commit(self) -> None:
		with self._scope.primary_in_place() as primary:
			primary.commit()
		self._scope.refresh()

	def rollback(self) -> None:
		with self._scope.primary_in_place() as primary:
			primary.rollback()
		self._scope.refresh()


class PlainHost:
	"""Keeps one database per thread; `events` holds what was logged."""

	always_primary = ("__UserSettings",)
	# Nothing of this program is read with the health of the replicas.
	revision = "''"

	def __init__(self, primary: dict, redis: redis.Redis, user: str = "clerk"):
		self._primary = primary
		self._local = threading.local()
		self._user = user
		self.shared = SharedState(impatient(redis), f"plain|{secrets.token_hex(4)}")
		self.events: list[tuple[str, dict]] = []
		self.connections_opened = 0
		self.questions: list[str] = []

	def current(self) -> Any:
		if not hasattr(self._local, "database"):
			self._local.database = PlainDatabase(self._primary)
			self._local.database.on_commit = self._note_commit
		return self._local.database

	def _note_commit(self) -> None:
		self.state().committed = True

	def put(self, database: Any, state: RequestState) -> None:
		self._local.database = database

	def state(self) -> RequestState:
		if not hasattr(self._local, "state"):
			self._local.state = RequestState()
		return self._local.state

	def end_request(self, router: Any) -> None:
		"""What a program does at the end of each request: the next one begins anew."""
		router.finish(self.current())
		del self._local.state

	def user(self) -> str:
		return getattr(self._local, "user", self._user)

	def reader(self) -> str:
		return self.user()

	def log_in(self, user: str) -> None:
		"""Let this thread work for a user."""
		self._local.user = user

	def log_names(self, table: str, statement: str) -> tuple[str, ...]:
		return (table,) if table == "log" else ()

	def pending_writes(self, database: Any) -> int:
		return database.pending

	def end_transaction(self, database: Any) -> None:
		if database.in_transaction:
			database.connection.rollback()
			database.in_transaction = False

	def ask_primary(self, database: Any, statement: str) -> tuple:
		self.questions.append(statement)
		return dialect.execute(database.connection, statement)

	def connect(self, endpoint: Endpoint | None, timeout: float) -> Any:
		self.connections_opened += 1
		address = self._primary | dialect.connect_timeouts(timeout, "pymysql")
		if endpoint:
			address |= {"host": endpoint.host, "port": endpoint.port}
		if endpoint and endpoint.user:
			address |= {"user": endpoint.user, "password": endpoint.password}
		return pymysql.connect(**address)

	def wrap(self, scope: Any, connection: Any) -> RoutedPlainDatabase:
		return RoutedPlainDatabase(scope, connection)

	def log(self, event: str, **fields: Any) -> None:
		self.events.append((event, fields))

	def logged(self, event: str) -> list[dict]:
		return [fields for name, fields in self.events if name == event]
