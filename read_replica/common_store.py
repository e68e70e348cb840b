# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What all servers of a site have in common, whichever Redis they use: two tables on the primary.

Asked over a connection of its own, which commits each statement by itself: a request's transaction has a
snapshot that may be older, and must not be ended for this.
"""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from read_replica.connector import Connector
from read_replica.engine import dialect
from read_replica.engine.dialect import Position
from read_replica.engine.locks import Lock, after_fork, leave_to_parent
from read_replica.engine.several_redises import (
	SECONDS_A_REDIS_COUNTS,
	SECONDS_OF_KEEPING_FOR_OTHERS,
	CommonStoreError,
	Sighting,
)
from read_replica.engine.written import SECONDS_POSITIONS_ARE_KEPT, Written
from read_replica.own_transaction import IN_FAVOUR_OF_ANOTHER

T = TypeVar("T")

SECONDS_TO_CONNECT = 1
MOST_TRIES = 5
HOURS_KEPT = 24

# What stands in place of a user's digest where it is noted that positions were lost.
LOST = ""

# Before a migrate.
NO_SUCH_TABLE = 1146

_AGE = "timestampdiff(microsecond, {}, utc_timestamp(6)) / 1000000"

_SIGHTINGS = f"""
	select redis_id, {_AGE.format("min(in_use_since)")}, {_AGE.format("max(seen_at)")},
		{_AGE.format("max(if(host = %s, seen_at, null))")}
	from `tabCache Redis`
	where seen_at > utc_timestamp(6) - interval {SECONDS_A_REDIS_COUNTS + SECONDS_OF_KEEPING_FOR_OTHERS} second
	group by redis_id"""

_NOTE = f"""
	insert into `tabCache Redis`
		(name, creation, modified, owner, modified_by, redis_id, host, address, in_use_since, seen_at)
	values (%s, now(), now(), 'Administrator', 'Administrator', %s, %s, %s, utc_timestamp(6), utc_timestamp(6))
	on duplicate key update address = values(address),
		in_use_since = if(seen_at < utc_timestamp(6) - interval {SECONDS_A_REDIS_COUNTS} second,
			utc_timestamp(6), in_use_since),
		seen_at = utc_timestamp(6)"""

# Requests that end in the same moment may be stored in any order: the later position stays.
_KEEP = """
	insert into `tabUser Position` (name, creation, modified, owner, modified_by, for_whom, gtid, written_at)
	values (%s, now(), now(), 'Administrator', 'Administrator', %s, %s, utc_timestamp(6))
	on duplicate key update
		gtid = if(cast(substring_index(values(gtid), '-', -1) as unsigned)
			> cast(substring_index(gtid, '-', -1) as unsigned), values(gtid), gtid),
		written_at = utc_timestamp(6)"""

_LOSE = """
	insert into `tabUser Position` (name, creation, modified, owner, modified_by, for_whom, gtid, written_at)
	values ('lost', now(), now(), 'Administrator', 'Administrator', '', '', utc_timestamp(6) - interval %s second)
	on duplicate key update written_at = values(written_at)"""


class DatabaseStore:
	"""One connection of this process to a site's primary, opened when it is needed. Safe to share between threads."""

	def __init__(self, connector: Connector):
		self._connector = connector
		self._lock = Lock()
		self._connection: Any = None
		after_fork(self, DatabaseStore._begin_in_child)

	def _begin_in_child(self) -> None:
		leave_to_parent(self._connection)
		self._connection = None

	def sightings(self, host: str) -> list[Sighting]:
		rows = self._ask(lambda cursor: _rows(cursor, _SIGHTINGS, (host,)), before_migrate=())
		return [
			Sighting(redis_id, float(in_use), float(seen), None if here is None else float(here))
			for redis_id, in_use, seen, here in rows
		]

	def note(self, redis_id: str, host: str, address: str) -> None:
		def change(cursor: Any) -> None:
			cursor.execute(_NOTE, (_digest(f"{redis_id}|{host}"), redis_id, host, address))
			for table, column in (("Cache Redis", "seen_at"), ("User Position", "written_at")):
				cursor.execute(
					f"delete from `tab{table}` where {column} < utc_timestamp(6) - interval {HOURS_KEPT} hour"
				)

		try:
			self._ask(change)
		except CommonStoreError as error:
			if dialect.kind_of(error.__cause__) is not dialect.ErrorKind.WRITE:
				raise
			# On a primary that is read-only, nobody writes anything that could be missed.

	def keep_written(self, users: Iterable[str], position: Position) -> None:
		gtids = str(position).split(",")
		rows = [
			(f"{digest}|{gtid.partition('-')[0]}", digest, gtid)
			# In one order, or two requests might wait for each other.
			for digest in sorted(map(_digest, users))
			for gtid in gtids
		]

		def change(cursor: Any) -> None:
			for row in rows:
				cursor.execute(_KEEP, row)

		self._ask(change)

	def written_by(self, user: str) -> Written:
		asked = f"select for_whom, gtid, {_AGE.format('written_at')} from `tabUser Position` where for_whom in (%s, '')"
		rows = self._ask(lambda cursor: _rows(cursor, asked, (_digest(user),)))
		known_for = min((float(age) for whom, _, age in rows if whom == LOST), default=float("inf"))
		written = [gtid for whom, gtid, age in rows if whom != LOST and age < SECONDS_POSITIONS_ARE_KEPT]
		return Written(Position(",".join(written)), min(known_for, SECONDS_POSITIONS_ARE_KEPT))

	def begin_anew(self, seconds_ago: float) -> None:
		self._ask(lambda cursor: cursor.execute(_LOSE, (seconds_ago,)))

	def forget_written(self, user: str) -> None:
		self._ask(
			lambda cursor: cursor.execute(
				"delete from `tabUser Position` where for_whom = %s", (_digest(user),)
			)
		)

	def close(self) -> None:
		with self._lock:
			self._close()

	def _close(self) -> None:
		connection, self._connection = self._connection, None
		if connection is not None:
			with suppress(Exception):
				connection.close()

	def _ask(self, work: Callable[[Any], T], before_migrate: T | None = None) -> T | None:
		"""Do it again where an idle connection was closed meanwhile, or another transaction went first.

		:param before_migrate: the answer where there are no tables yet
		:raises CommonStoreError: if that does not help
		"""
		with self._lock:
			for left in reversed(range(MOST_TRIES)):
				is_new = self._connection is None
				try:
					return self._try(work)
				except BaseException as error:
					number = dialect.number_of(error)
					if number == NO_SUCH_TABLE:
						return before_migrate
					if number in IN_FAVOUR_OF_ANOTHER and left:
						continue
					self._close()
					if not dialect.is_of_connection(error):
						raise
					if dialect.kind_of(error) is dialect.ErrorKind.LOST and not is_new and left:
						continue
					raise CommonStoreError(f"the primary: {type(error).__name__} {number}") from error

	def _try(self, work: Callable[[Any], T]) -> T:
		if self._connection is None:
			self._connection = self._connector.connect(None, SECONDS_TO_CONNECT)
			self._connection.autocommit(True)
			dialect.execute(self._connection, f"SET SESSION innodb_lock_wait_timeout = {SECONDS_TO_CONNECT}")
		cursor = self._connection.cursor()
		try:
			return work(cursor)
		finally:
			cursor.close()


def _rows(cursor: Any, statement: str, values: tuple) -> tuple:
	cursor.execute(statement, values)
	return cursor.fetchall()


def _digest(text: str) -> str:
	return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
