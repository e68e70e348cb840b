# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Keeps on the primary what all servers of a site must share when they have different Redises.

That is two tables, Cache Redis and User Position. They are read and written over a connection of their own,
which commits each statement by itself: the snapshot of a request's transaction may be older, and the
transaction must not be ended for this.
"""

import hashlib
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from read_replica.database.bookkeeping import TRANSACTION_CONFLICTS
from read_replica.database.connector import Connector
from read_replica.engine import dialect
from read_replica.engine.dialect import Position
from read_replica.engine.locks import Lock, after_fork, leave_to_parent
from read_replica.engine.shared.common_store import (
	SECONDS_A_REDIS_COUNTS,
	SECONDS_OF_KEEPING_FOR_OTHERS,
	CommonStoreError,
	KnownRedis,
	PrimaryRefuses,
)
from read_replica.engine.shared.redis_state import SECONDS_LEFT_ALONE
from read_replica.engine.shared.user_positions import SECONDS_POSITIONS_ARE_KEPT, UserPosition

# The primary may hang, and a request must not hang with it.
SECONDS_TO_CONNECT = 1
SECONDS_TO_ANSWER = 2
LONGEST_PAUSE = 0.02

# After a switchover, the former primary keeps its open connections, and may not know that it is a replica now:
# a connection is opened anew after so long, and earlier if its server is read-only.
SECONDS_OF_A_CONNECTION = 5.0
SECONDS_WITH_A_READ_ONLY_SERVER = 1.0

# The width of the columns of both tables.
LONGEST_VALUE = 140

HOURS_KEPT = 24
MOST_DELETED_AT_ONCE = 1000

# The app was updated, and the site is not migrated yet.
NO_SUCH_TABLE = 1146

_SET_UP = (
	f"SET SESSION autocommit = 1, innodb_lock_wait_timeout = 1, max_statement_time = {SECONDS_TO_ANSWER},"
	" group_concat_max_len = 1000000"
)

# The values of creation, modified, owner and modified_by.
_STANDARD_VALUES = "now(), now(), 'Administrator', 'Administrator'"

# As one row: only the first row of an answer is read.
_SELECT_SIGHTINGS = """
	select group_concat(concat_ws('|', redis_id,
			timestampdiff(microsecond, in_use_since, utc_timestamp(6)) / 1000000,
			timestampdiff(microsecond, seen_at, utc_timestamp(6)) / 1000000,
			timestampdiff(microsecond, seen_here, utc_timestamp(6)) / 1000000)) as found
	from (
		select redis_id, min(in_use_since) in_use_since, max(seen_at) seen_at,
			max(if(host = {host}, seen_at, null)) seen_here
		from `tabCache Redis` where seen_at > utc_timestamp(6) - interval {seconds} second group by redis_id
	) redises"""

_NOTE_REDIS = """
	insert into `tabCache Redis`
		(name, creation, modified, owner, modified_by, redis_id, host, address, in_use_since, seen_at)
	values ({name}, {row}, {redis_id}, {host}, {address}, utc_timestamp(6), utc_timestamp(6))
	on duplicate key update address = values(address),
		in_use_since = if(seen_at < utc_timestamp(6) - interval {seconds} second, utc_timestamp(6), in_use_since),
		seen_at = utc_timestamp(6)"""

# Requests that end in the same moment may be stored in any order: the later position stays.
_KEEP_POSITIONS = """
	insert into `tabUser Position` (name, creation, modified, owner, modified_by, for_whom, gtid, written_at)
	values {rows}
	on duplicate key update
		gtid = if(cast(substring_index(values(gtid), '-', -1) as unsigned)
			> cast(substring_index(gtid, '-', -1) as unsigned), values(gtid), gtid),
		written_at = utc_timestamp(6)"""

_REPLACE_POSITIONS = """
	replace into `tabUser Position` (name, creation, modified, owner, modified_by, for_whom, gtid, written_at)
	values {rows}"""

_SELECT_POSITIONS = """
	select group_concat(if(for_whom = '', '', gtid)) as gtids,
		min(if(for_whom = '', timestampdiff(microsecond, written_at, utc_timestamp(6)) / 1000000, null)) as complete_for
	from `tabUser Position`
	where for_whom in ({whom}, '') and written_at > utc_timestamp(6) - interval {seconds} second"""

# A row of no user, which says that positions before its time may have been lost.
_MARK_AS_LOST = """
	insert into `tabUser Position` (name, creation, modified, owner, modified_by, for_whom, gtid, written_at)
	values ('lost', {row}, '', '', utc_timestamp(6) - interval {seconds} second)
	on duplicate key update written_at = values(written_at)"""


class DatabaseStore:
	"""The CommonStore of a site, in two tables on its primary.

	Has one connection, opened when it is first needed, and may be shared between threads.
	"""

	def __init__(self, connector: Connector) -> None:
		self._connector = connector
		self._lock = Lock()
		self._connection: Any = None
		self._opened_at = 0.0
		self._unavailable_until = 0.0
		self._unavailable_error: type[CommonStoreError] = CommonStoreError
		after_fork(self, DatabaseStore._begin_in_child)

	def _begin_in_child(self) -> None:
		leave_to_parent(self._connection)
		self._connection = None

	def known_redises(self, host: str) -> list[KnownRedis]:
		seconds = SECONDS_A_REDIS_COUNTS + SECONDS_OF_KEEPING_FOR_OTHERS
		found, *_ = self._select(
			_SELECT_SIGHTINGS.format(host=_literal(host[:LONGEST_VALUE]), seconds=seconds)
		) or [None]
		known_redises = []
		for one in filter(None, dialect.text(found).split(",")):
			redis_id, in_use_for, seen, *here = one.split("|")
			known_redises.append(
				KnownRedis(redis_id, float(in_use_for), float(seen), float(here[0]) if here else None)
			)
		return known_redises

	def note(self, redis_id: str, host: str, address: str) -> None:
		values = {
			"redis_id": redis_id,
			"host": host,
			"address": address,
			"name": _digest(f"{redis_id}|{host}"),
		}
		literals = {key: _literal(value[:LONGEST_VALUE]) for key, value in values.items()}
		try:
			self._execute(
				_NOTE_REDIS.format(**literals, row=_STANDARD_VALUES, seconds=SECONDS_A_REDIS_COUNTS)
			)
			for table, column in (("Cache Redis", "seen_at"), ("User Position", "written_at")):
				old = f"{column} < utc_timestamp(6) - interval {HOURS_KEPT} hour"
				self._execute(f"delete from `tab{table}` where {old} limit {MOST_DELETED_AT_ONCE}")
		except CommonStoreError as error:
			cause = error.__cause__
			if cause is None or dialect.kind_of(cause) is not dialect.ErrorKind.WRITE:
				raise
			# On a primary that is read-only nobody commits anything, so no position can be missing.

	def expire(self, redis_id: str, seconds: float) -> None:
		past = f"utc_timestamp(6) - interval {SECONDS_A_REDIS_COUNTS} second"
		not_seen = f"seen_at between {past} and utc_timestamp(6) - interval {float(seconds)} second"
		self._execute(
			f"update `tabCache Redis` set seen_at = {past} where redis_id = {_literal(redis_id)} and {not_seen}"
		)

	def keep_position(self, users: Iterable[str], position: Position) -> None:
		self._execute(_KEEP_POSITIONS.format(rows=_position_rows(users, position)))

	def position_of(self, user: str) -> UserPosition:
		asked = _SELECT_POSITIONS.format(whom=f"'{_digest(user)}'", seconds=SECONDS_POSITIONS_ARE_KEPT)
		found = self._select(asked)
		if found is None:
			raise CommonStoreError("the primary has no table for positions yet")
		gtids, complete_for, _ = found
		known_for = SECONDS_POSITIONS_ARE_KEPT if complete_for is None else float(complete_for)
		return UserPosition(Position(dialect.text(gtids)), known_for)

	def mark_incomplete(self, seconds_ago: float) -> None:
		self._execute(_MARK_AS_LOST.format(row=_STANDARD_VALUES, seconds=float(seconds_ago)))

	def replace_position(self, user: str, position: Position) -> None:
		# Replace first, delete then: a request of the user that reads in between must find a position.
		self._execute(_REPLACE_POSITIONS.format(rows=_position_rows([user], position)))
		digest = _digest(user)
		names = ", ".join(f"'{digest}|{gtid.partition('-')[0]}'" for gtid in str(position).split(","))
		self._execute(f"delete from `tabUser Position` where for_whom = '{digest}' and name not in ({names})")

	def close(self) -> None:
		with self._lock:
			self._close()

	def _close(self) -> None:
		connection, self._connection = self._connection, None
		if connection is not None:
			with suppress(Exception):
				connection.close()

	def _select(self, statement: str) -> tuple | None:
		"""Returns the first row of a query as `_execute` does, with @@read_only appended as the last column.

		If that is on, the server may be a former primary: a connection that is not new is then opened again.
		"""
		# Around the statement: as a column of the statement itself, it would be NULL where no row was found.
		statement = f"select answer.*, @@global.read_only from ({statement}) answer"
		found = self._execute(statement)
		if found and dialect.is_on(found[-1]) and self._age > SECONDS_WITH_A_READ_ONLY_SERVER:
			self.close()
			return self._execute(statement)
		return found

	def _execute(self, statement: str) -> tuple | None:
		"""Run a statement on the primary; returns the first row, or None if there is none, or no table yet.

		Tried again if the connection was idle and has been closed, or if the database has ended the statement
		in favour of another transaction. After a failure the primary is not asked for a second, also not by
		threads that have waited for this one: `_unavailable_error` is raised at once.

		:raises CommonStoreError: if the primary does not answer
		:raises PrimaryRefuses: if it answers, and cannot do it
		"""
		with self._lock:
			began = time.monotonic()
			if began < self._unavailable_until:
				raise self._unavailable_error("the primary did not answer a moment ago")
			while True:
				is_new = self._connection is None
				try:
					return self._execute_once(statement)
				except BaseException as error:
					number, kind = dialect.number_of(error), dialect.kind_of(error)
					if number == NO_SUCH_TABLE:
						return None
					if number in TRANSACTION_CONFLICTS and time.monotonic() - began < SECONDS_TO_ANSWER:
						time.sleep(random.uniform(0, LONGEST_PAUSE))
						continue
					self._close()
					if not dialect.is_driver_error(error):
						raise
					is_lost = kind is dialect.ErrorKind.LOST
					kind_of_failure = CommonStoreError if is_lost else PrimaryRefuses
					if is_lost and not is_new and not isinstance(error, TimeoutError):
						continue
					if kind is dialect.ErrorKind.WRITE and not is_new:
						# This server is read-only; a new connection may lead to the primary again.
						continue
					if is_lost or kind is dialect.ErrorKind.TROUBLE:
						self._unavailable_until = time.monotonic() + SECONDS_LEFT_ALONE
						self._unavailable_error = kind_of_failure
					raise kind_of_failure(f"the primary: {type(error).__name__} {number}") from error

	def _execute_once(self, statement: str) -> tuple | None:
		if self._connection is None:
			self._connection = self._open()
		elif self._age > SECONDS_OF_A_CONNECTION:
			self._reconnect()
		return dialect.answer_within(self._connection, statement, SECONDS_TO_ANSWER)

	def _open(self) -> Any:
		connection = self._connector.connect(None, SECONDS_TO_CONNECT)
		try:
			dialect.answer_within(connection, _SET_UP, SECONDS_TO_ANSWER)
		except BaseException:
			connection.close()
			raise
		self._opened_at = time.monotonic()
		return connection

	@property
	def _age(self) -> float:
		return time.monotonic() - self._opened_at

	def _reconnect(self) -> None:
		"""Open a new connection, as the address may lead to another server; keep the old one if that fails."""
		try:
			connection = self._open()
		except Exception as error:
			if not dialect.is_driver_error(error):
				raise
			# Not tried again before SECONDS_OF_A_CONNECTION.
			self._opened_at = time.monotonic()
			return
		self._close()
		self._connection = connection


def _position_rows(users: Iterable[str], position: Position) -> str:
	"""Returns rows of `tabUser Position`, in one order, or two requests might wait for each other."""
	rows = []
	for digest in sorted(map(_digest, users)):
		for gtid in str(position).split(","):
			domain = gtid.partition("-")[0]
			rows.append(f"('{digest}|{domain}', {_STANDARD_VALUES}, '{digest}', '{gtid}', utc_timestamp(6))")
	return ", ".join(rows)


def _literal(text: str) -> str:
	return f"_utf8mb4 x'{text.encode().hex()}'"


def _digest(text: str) -> str:
	return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
