# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What users have written, where the servers of a site have different Redises: kept on the primary as well.

Each Redis has a random id, which is noted on the primary with the hosts that use it. While there is one,
it has all positions; one process of those that use it asks the primary every second whether that is still so,
and lets the others know in Redis. While there are several, positions are kept there and on the primary, and
read from the primary. A server that cannot keep anything in its Redis notes that as another one.

Each process hears the id from the very connection that it asks for positions: a name may lead to two Redises
by turns. While the primary does not answer, what was known goes on to count; while it refuses to, for some seconds.
"""

import json
import secrets
import socket
import time
from collections.abc import Iterable
from contextlib import suppress

import redis
from redis.exceptions import RedisError

from read_replica.engine.dialect import Position
from read_replica.engine.shared.common_store import (
	NO_REDIS,
	SECONDS_A_REDIS_COUNTS,
	CommonStore,
	CommonStoreError,
	PrimaryRefuses,
	Sighting,
	View,
	view_in,
	view_of,
)
from read_replica.engine.shared.redis_state import without_redis
from read_replica.engine.shared.shared_state import SharedState
from read_replica.engine.shared.user_positions import ID_KEY, Written

# How long a process goes by what it knows of the Redises, where nobody watches.
SECONDS_BETWEEN_LOOKS = 5.0

# After that, all processes know that there are several, and what was written before was not kept for all:
# what one goes by was told by another that went by it as long, and the primary may be slow to answer.
SECONDS_UNTIL_ALL_KNOW = 2 * SECONDS_BETWEEN_LOOKS + 5.0

SECONDS_BETWEEN_NOTES = 60

# That there is no Redis is noted so often while it is so, and has passed if it was not noted for so long.
SECONDS_BETWEEN_NOTES_OF_NONE = 1.0
SECONDS_WITHOUT_REDIS = 20.0

# Only in the Redis that was looked at: where a name leads to two by turns, another one may be unknown yet.
PUBLISH = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
	redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
"""


class SeveralRedises(SharedState):
	"""As SharedState, on a site whose servers may have different Redises. Safe to share between threads."""

	def __init__(self, client: redis.Redis, prefix: str, common: CommonStore):
		super().__init__(client, prefix)
		self._common = common
		# Replaced as a whole, as other threads read it meanwhile.
		self._view: View | None = None
		self._noted_none_at = -SECONDS_BETWEEN_NOTES_OF_NONE

	# Which Redises there are

	def _questions_beside(self) -> tuple:
		return (("GET", self._key("redises")),)

	def _hear(self, answers: list) -> None:
		[text] = answers
		if text and (told := view_in(text)):
			view, age = told
			self._view = view._replace(at=time.monotonic() - age)
		else:
			self._look()

	def watch(self) -> None:
		"""To be called once a second by one process of those that use a Redis, so that no request has to look.

		Takes as long as the primary takes to answer, some seconds at most.

		:raises CommonStoreError: if that cannot be asked; what was known before has been told again
		"""
		self._look(is_watching=True)

	def _look(self, is_watching: bool = False) -> None:
		"""Find out which Redises there are, note the one that is asked here, and let others on it know."""
		began = time.monotonic()
		redis_id = self._id_of_redis()
		try:
			sightings = self._sightings_with(redis_id)
			if is_watching:
				sightings = self._without_what_has_passed(sightings, redis_id)
			self._view = view_of(sightings)._replace(at=began)
		except CommonStoreError as error:
			if self._view and redis_id and redis_id not in self._view.redises:
				# What was known is of another one.
				self._view = None
			elif self._view:
				self._view = self._view._replace(is_refused=isinstance(error, PrimaryRefuses))
			if is_watching:
				# Or each request would ask, in vain.
				self._publish(redis_id)
				raise
			return
		if not is_watching and not self._view.is_kept_for_others:
			self._common.close()
		self._publish(redis_id)

	def _sightings_with(self, redis_id: str | None) -> list[Sighting]:
		host = socket.gethostname()
		sightings = self._common.sightings(host)
		if not redis_id:
			return sightings
		seen_here = {one.redis_id: one.seen_here for one in sightings}.get(redis_id)
		if seen_here is None or seen_here > SECONDS_BETWEEN_NOTES:
			self._common.note(redis_id, host, _address_of(self.client))
			sightings = self._common.sightings(host)
		if all(one.redis_id != redis_id for one in sightings):
			# It cannot be noted: before a migrate, or on a primary that is read-only.
			sightings = [*sightings, Sighting(redis_id, 0, 0, 0)]
		return sightings

	def _without_what_has_passed(self, sightings: list[Sighting], redis_id: str | None) -> list[Sighting]:
		"""Note again that there is no Redis here, or, once all servers have one again, let that count no more."""
		counting = (one for one in sightings if one.seen < SECONDS_A_REDIS_COUNTS)
		of_none = next((one for one in counting if one.redis_id == NO_REDIS), None)
		if of_none is None:
			return sightings
		if redis_id is None:
			if of_none.seen_here is not None and of_none.seen > SECONDS_BETWEEN_LOOKS:
				self._note_none()
		elif of_none.seen > SECONDS_WITHOUT_REDIS and self._has_begun_anew():
			self._common.let_pass(NO_REDIS, SECONDS_WITHOUT_REDIS)
			past = of_none._replace(seen=SECONDS_A_REDIS_COUNTS)
			return [past if one is of_none else one for one in sightings]
		return sightings

	@without_redis(lambda: False)
	def _has_begun_anew(self) -> bool:
		"""Whether Redis takes it that it was not told what was written lately."""
		super().begin_anew()
		return True

	def _note_none(self) -> bool:
		"""Note that there is no Redis here, if that was not done a moment ago; whether it was done now."""
		now = time.monotonic()
		if now - self._noted_none_at < SECONDS_BETWEEN_NOTES_OF_NONE:
			return False
		self._common.note(NO_REDIS, socket.gethostname(), _address_of(self.client))
		self._noted_none_at = now
		return True

	@without_redis(lambda: None)
	def _id_of_redis(self) -> str | None:
		with self._redis() as client:
			[redis_id] = self._lines.ask(client, ("GET", ID_KEY))
			if not redis_id:
				made = ("SET", ID_KEY, _id_of_process(client), "NX")
				_, redis_id = self._lines.ask(client, made, ("GET", ID_KEY))
		return redis_id.decode()

	@without_redis(lambda: None)
	def _publish(self, redis_id: str | None) -> None:
		view = self._view
		if not view or not redis_id:
			return
		known = (sorted(view.redises), view.several_for, view.is_kept_for_others, view.is_refused)
		text = json.dumps([*known, round(view.age, 1)])
		milliseconds = round(SECONDS_BETWEEN_LOOKS * 1000)
		keys = (ID_KEY, self._key("redises"))
		with self._redis() as client:
			self._lines.ask(client, ("EVAL", PUBLISH, len(keys), *keys, redis_id, text, milliseconds))

	def _look_if_old(self) -> None:
		if self._view is None or self._view.age > SECONDS_BETWEEN_LOOKS:
			self._look()

	def _view_of_several(self) -> View | None:
		"""What is known, if there are several Redises."""
		view = self._view
		return view if view and view.several_for is not None else None

	def close(self) -> None:
		self._common.close()

	# What users have written

	def keep_written(self, users: Iterable[str], position: Position) -> None:
		users = set(users)
		try:
			super().keep_written(users, position)
		except RedisError:
			self._go_by_the_primary()
			self._common.keep_written(users, position)
		else:
			self._keep_for_others(users, position)

	def _go_by_the_primary(self) -> None:
		"""Let all know that Redis keeps nothing of what is written here: they ask the primary for it.

		:raises CommonStoreError: if that keeps nothing either
		"""
		if self._note_none():
			self._look()
		if not self._view or NO_REDIS not in self._view.redises:
			raise CommonStoreError("neither Redis nor the primary keeps what users have written")

	def _keep_for_others(self, users: set[str], position: Position) -> None:
		# Whoever has committed can ask the primary, also where the one that watches cannot.
		self._look_if_old()
		if not users:
			return
		if self._view is None or self._view.is_outdated:
			raise CommonStoreError("the primary does not tell whether there are several Redises")
		if self._view.is_kept_for_others:
			self._common.keep_written(users, position)

	def written_by(self, user: str) -> Written | None:
		if self._view_of_several():
			self._look_if_old()
		if view := self._view_of_several():
			return self._written_on_primary(user, view)
		found = super().written_by(user)
		if view := self._view_of_several():
			# Redis has said so just now.
			return self._written_on_primary(user, view)
		return found if self._view and not self._view.is_outdated else None

	def _written_on_primary(self, user: str, view: View) -> Written | None:
		complete_for = view.several_for + view.age - SECONDS_UNTIL_ALL_KNOW
		if complete_for <= 0:
			return None
		try:
			found = self._common.written_by(user)
		except CommonStoreError:
			return None
		return found._replace(known_for=min(found.known_for, complete_for))

	def begin_anew(self, seconds_ago: float = 0) -> None:
		try:
			super().begin_anew(seconds_ago)
		except RedisError:
			self._go_by_the_primary()
			self._common.begin_anew(seconds_ago)
		else:
			self._look_if_old()
			if self._view and self._view.is_kept_for_others:
				self._common.begin_anew(seconds_ago)

	def replace_written(self, user: str, position: Position) -> None:
		super().replace_written(user, position)
		if self._view and self._view.is_kept_for_others:
			# What is left is dropped by the next call that finds it.
			with suppress(CommonStoreError):
				self._common.replace_written(user, position)


def _id_of_process(client: redis.Redis) -> str:
	"""A random id that a Redis keeps for as long as it runs, also when it is flushed; a new one where it tells none."""
	with suppress(RedisError):
		if run_id := client.info("server").get("run_id"):
			return str(run_id)
	return secrets.token_hex(20)


def _address_of(client: redis.Redis) -> str:
	settings = client.connection_pool.connection_kwargs
	return settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
