# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Users' positions on a site whose servers have different Redises: they are kept on the primary as well.

Each Redis has a random id, which is noted on the primary with the hosts that use it. While there is one Redis, it
has all positions. One of the processes that use it asks the primary every second whether there is still one, and
publishes the answer in Redis. While there are several, positions are kept in Redis and on the primary, and read
from the primary. A server that cannot keep anything in its Redis notes that as another Redis.

Each process reads the id over the same connection as the positions, as a name may lead to two Redises by turns.
While the primary does not answer, what was known before still counts; while it refuses to answer, for some seconds.
"""

import json
import secrets
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import redis
from redis.exceptions import RedisError

from read_replica.engine.dialect import Position
from read_replica.engine.shared.common_store import (
	NO_REDIS,
	SECONDS_A_REDIS_COUNTS,
	CommonStore,
	CommonStoreError,
	KnownRedis,
	PrimaryRefuses,
	View,
	view_in,
	view_of,
)
from read_replica.engine.shared.redis_state import without_redis
from read_replica.engine.shared.shared_state import SharedState
from read_replica.engine.shared.thread_connections import Command
from read_replica.engine.shared.user_positions import ID_KEY, UserPosition

# How long a process relies on what it knows of the Redises, if no process watches them.
SECONDS_A_VIEW_HOLDS = 5.0

# How long after the second Redis came all processes know that there are several; what was committed before that was
# not kept for all. One process may rely on what another published at the end of that one's own time, and the primary
# may be slow to answer.
SECONDS_UNTIL_ALL_KNOW = 2 * SECONDS_A_VIEW_HOLDS + 5.0

SECONDS_BETWEEN_NOTES = 60

# How often it is noted that a server has no Redis, and how long after the last note all servers have one again.
SECONDS_BETWEEN_NOTES_OF_NONE = 1.0
SECONDS_WITHOUT_REDIS = 20.0

# Publishes only in the Redis that was noted: if a name leads to two by turns, the other one may not be noted yet.
PUBLISH = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
	redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
"""


class SeveralRedises(SharedState):
	"""A SharedState for a site whose servers may have different Redises. Safe to share between threads."""

	def __init__(self, client: redis.Redis, prefix: str, common: CommonStore) -> None:
		super().__init__(client, prefix)
		self._common = common
		# Immutable, and replaced as a whole, as other threads read it meanwhile.
		self._view: View | None = None
		self._noted_none_at = -SECONDS_BETWEEN_NOTES_OF_NONE

	# Which Redises there are

	def _extra_commands(self) -> tuple[Command, ...]:
		return (("GET", self._key("redises")),)

	def _read_extra(self, answers: list[Any]) -> None:
		[text] = answers
		if text and (published := view_in(text)):
			view, age = published
			self._view = view._replace(at=time.monotonic() - age)
		else:
			self._find_redises()

	def watch(self) -> None:
		"""Ask the primary for the Redises, and publish the answer, so that no request has to ask.

		Called once a second by one of the processes that use a Redis. Takes as long as the primary takes to answer,
		some seconds at most.

		:raises CommonStoreError: if the primary does not answer; what was known before is then published again
		"""
		self._find_redises(is_watching=True)

	def _find_redises(self, is_watching: bool = False) -> None:
		"""Ask the primary which Redises there are, note the one in use here, and publish the answer there."""
		began = time.monotonic()
		redis_id = self._id_of_redis()
		try:
			redises = self._redises_with(redis_id)
			if is_watching:
				redises = self._without_expired(redises, redis_id)
			self._view = view_of(redises)._replace(at=began)
		except CommonStoreError as error:
			if self._view and redis_id and redis_id not in self._view.redises:
				# What was known was found with another Redis.
				self._view = None
			elif self._view:
				self._view = self._view._replace(is_refused=isinstance(error, PrimaryRefuses))
			if is_watching:
				# Otherwise each request would ask the primary, in vain.
				self._publish(redis_id)
				raise
			return
		if not is_watching and not self._view.is_kept_on_primary:
			self._common.close()
		self._publish(redis_id)

	def _redises_with(self, redis_id: str | None) -> list[KnownRedis]:
		"""Return the known Redises, after noting the one in use here."""
		host = socket.gethostname()
		redises = self._common.known_redises(host)
		if not redis_id:
			return redises
		seen_here = {one.redis_id: one.seen_here for one in redises}.get(redis_id)
		if seen_here is None or seen_here > SECONDS_BETWEEN_NOTES:
			self._common.note(redis_id, host, _address_of(self.client))
			redises = self._common.known_redises(host)
		if all(one.redis_id != redis_id for one in redises):
			# Noting it had no effect: before a migrate, or on a primary that is read-only.
			redises = [*redises, KnownRedis(redis_id, 0, 0, 0)]
		return redises

	def _without_expired(self, redises: list[KnownRedis], redis_id: str | None) -> list[KnownRedis]:
		"""Note again that there is no Redis here; or, once all servers have one again, let that note expire."""
		counting = (one for one in redises if one.seen < SECONDS_A_REDIS_COUNTS)
		of_none = next((one for one in counting if one.redis_id == NO_REDIS), None)
		if of_none is None:
			return redises
		if redis_id is None:
			if of_none.seen_here is not None and of_none.seen > SECONDS_A_VIEW_HOLDS:
				self._note_none()
		elif of_none.seen > SECONDS_WITHOUT_REDIS and self._mark_incomplete_in_redis():
			self._common.expire(NO_REDIS, SECONDS_WITHOUT_REDIS)
			past = of_none._replace(seen=SECONDS_A_REDIS_COUNTS)
			return [past if one is of_none else one for one in redises]
		return redises

	@without_redis(lambda: False)
	def _mark_incomplete_in_redis(self) -> bool:
		"""Mark that Redis misses recent positions; False if it does not answer."""
		super().mark_incomplete()
		return True

	def _note_none(self) -> bool:
		"""Note that there is no Redis here, unless that was done a moment ago; True if it is noted now."""
		now = time.monotonic()
		if now - self._noted_none_at < SECONDS_BETWEEN_NOTES_OF_NONE:
			return False
		self._common.note(NO_REDIS, socket.gethostname(), _address_of(self.client))
		self._noted_none_at = now
		return True

	@without_redis(lambda: None)
	def _id_of_redis(self) -> str | None:
		with self._redis() as client:
			[redis_id] = self._connections.ask(client, ("GET", ID_KEY))
			if not redis_id:
				made = ("SET", ID_KEY, _id_for_redis(client), "NX")
				_, redis_id = self._connections.ask(client, made, ("GET", ID_KEY))
		found: bytes = redis_id
		return found.decode()

	@without_redis(lambda: None)
	def _publish(self, redis_id: str | None) -> None:
		view = self._view
		if not view or not redis_id:
			return
		known = (sorted(view.redises), view.several_for, view.is_kept_on_primary, view.is_refused)
		text = json.dumps([*known, round(view.age, 1)])
		milliseconds = round(SECONDS_A_VIEW_HOLDS * 1000)
		keys = (ID_KEY, self._key("redises"))
		with self._redis() as client:
			self._connections.ask(client, ("EVAL", PUBLISH, len(keys), *keys, redis_id, text, milliseconds))

	def _find_redises_if_old(self) -> None:
		if self._view is None or self._view.age > SECONDS_A_VIEW_HOLDS:
			self._find_redises()

	def _several_for(self) -> float | None:
		"""Return the seconds for which there have been several Redises, as far as is known; None: there is one."""
		view = self._view
		return None if view is None or view.several_for is None else view.several_for + view.age

	def close(self) -> None:
		self._common.close()

	# What users have written

	def keep_position(self, users: Iterable[str], position: Position) -> None:
		users = set(users)
		try:
			super().keep_position(users, position)
		except RedisError:
			self._fall_back_to_primary()
			self._common.keep_position(users, position)
		else:
			self._keep_on_primary_too(users, position)

	def _fall_back_to_primary(self) -> None:
		"""Note that Redis keeps no positions of this server, so that all processes read them from the primary.

		:raises CommonStoreError: if the primary keeps nothing either
		"""
		if self._note_none():
			self._find_redises()
		if not self._view or NO_REDIS not in self._view.redises:
			raise CommonStoreError("neither Redis nor the primary keeps what users have written")

	def _keep_on_primary_too(self, users: set[str], position: Position) -> None:
		# A request that has committed can ask the primary, even if the process that watches cannot.
		self._find_redises_if_old()
		if not users:
			return
		if self._view is None or self._view.is_outdated:
			raise CommonStoreError("the primary does not tell whether there are several Redises")
		if self._view.is_kept_on_primary:
			self._common.keep_position(users, position)

	def position_of(self, user: str) -> UserPosition | None:
		if self._several_for() is not None:
			self._find_redises_if_old()
		if (several_for := self._several_for()) is not None:
			return self._position_on_primary(user, several_for)
		found = super().position_of(user)
		if (several_for := self._several_for()) is not None:
			# Published in Redis just now.
			return self._position_on_primary(user, several_for)
		return found if self._view and not self._view.is_outdated else None

	def _position_on_primary(self, user: str, several_for: float) -> UserPosition | None:
		complete_for = several_for - SECONDS_UNTIL_ALL_KNOW
		if complete_for <= 0:
			return None
		try:
			found = self._common.position_of(user)
		except CommonStoreError:
			return None
		return found._replace(known_for=min(found.known_for, complete_for))

	def mark_incomplete(self, seconds_ago: float = 0) -> None:
		try:
			super().mark_incomplete(seconds_ago)
		except RedisError:
			self._fall_back_to_primary()
			self._common.mark_incomplete(seconds_ago)
		else:
			self._find_redises_if_old()
			if self._view and self._view.is_kept_on_primary:
				self._common.mark_incomplete(seconds_ago)

	def replace_position(self, user: str, position: Position) -> None:
		super().replace_position(user, position)
		if self._view and self._view.is_kept_on_primary:
			# If that fails, the next call that finds the old position replaces it.
			with suppress(CommonStoreError):
				self._common.replace_position(user, position)


def _id_for_redis(client: redis.Redis) -> str:
	"""Return the run_id of a Redis, which stays the same while it runs, also when it is flushed.

	A new random id if it does not tell its run_id.
	"""
	with suppress(RedisError):
		if run_id := client.info("server").get("run_id"):
			return str(run_id)
	return secrets.token_hex(20)


def _address_of(client: redis.Redis) -> str:
	settings = client.connection_pool.connection_kwargs
	path: str | None = settings.get("path")
	return path or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
