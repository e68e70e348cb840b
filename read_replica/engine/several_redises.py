# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What users have written, where the servers of a site have different Redises: kept on the primary as well.

Each Redis has a random id, which is noted on the primary with the hosts that use it. While there is one,
it has all positions; one process of those that use it asks the primary every second whether that is still so,
and lets the others know in Redis. While there are several, positions are kept there and on the primary, and
read from the primary.

Each process hears the id from the very connection that it asks for positions: a name may lead to two Redises
by turns. While the primary cannot be asked, what was known goes on to count.
"""

import json
import secrets
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple, Protocol

import redis
from redis.exceptions import RedisError

from read_replica.engine.dialect import Position
from read_replica.engine.redis_state import without_redis
from read_replica.engine.shared import Shared
from read_replica.engine.written import SECONDS_POSITIONS_ARE_KEPT, Written

# Of the Redis, not of a site.
ID_KEY = "read_replica|redis_id"

# How long a process goes by what it knows of the Redises, where nobody watches.
SECONDS_BETWEEN_LOOKS = 5.0

# After that, all processes know that there are several, and what was written before was not kept for all:
# what one goes by was told by another that went by it as long, and the primary may be slow to answer.
SECONDS_UNTIL_ALL_KNOW = 2 * SECONDS_BETWEEN_LOOKS + 5.0

# For as long as another Redis may hold a position that counts.
SECONDS_A_REDIS_COUNTS = SECONDS_POSITIONS_ARE_KEPT

# Those who still read positions from the primary must find there what those have written who do not any more.
SECONDS_OF_KEEPING_FOR_OTHERS = 60

SECONDS_BETWEEN_NOTES = 60


# Only in the Redis that was looked at: where a name leads to two by turns, another one may be unknown yet.
PUBLISH = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
	redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
"""


class CommonStoreError(RedisError):
	"""The primary could not keep, or tell, what is common to all servers; as if Redis could not."""


class Sighting(NamedTuple):
	"""A Redis that processes of the site use.

	:param in_use_for: seconds since it was first seen
	:param seen: seconds since it was last seen
	:param seen_here: the same, by a process of this host; None: never
	"""

	redis_id: str
	in_use_for: float
	seen: float
	seen_here: float | None


class CommonStore(Protocol):
	"""What all servers of the site have in common, whichever Redis they use: the primary.

	Each method raises CommonStoreError where it cannot be asked. Its answers are new: of no transaction's snapshot.
	"""

	def sightings(self, host: str) -> list[Sighting]:
		"""The Redises that were seen lately; for a given `seen_here`."""

	def note(self, redis_id: str, host: str, address: str) -> None:
		"""Note that a Redis is in use on a host."""

	def keep_written(self, users: Iterable[str], position: Position) -> None:
		"""Remember what has been committed on behalf of these users."""

	def written_by(self, user: str) -> Written:
		"""What a user has committed within the last hour, and since when that is complete."""

	def begin_anew(self, seconds_ago: float) -> None:
		"""Say that positions may have been lost up to then."""

	def replace_written(self, user: str, position: Position) -> None:
		"""Put a position, also a lower one, in the place of what a user has written."""

	def close(self) -> None:
		"""Close what is kept open."""


class View(NamedTuple):
	"""What a process knows of the Redises of its site.

	:param redises: the ids of those that count
	:param several_for: seconds since there are several; None: there is one
	:param is_kept_for_others: whether positions are kept on the primary, too
	:param at: when the primary was asked for it, by time.monotonic() of this process
	"""

	redises: frozenset[str]
	several_for: float | None
	is_kept_for_others: bool
	at: float = 0.0

	@property
	def age(self) -> float:
		return time.monotonic() - self.at


def view_of(sightings: list[Sighting]) -> View:
	"""Whether there are several Redises, and since when."""
	counting = [one for one in sightings if one.seen < SECONDS_A_REDIS_COUNTS]
	# Since the second one is there.
	in_use_for = sorted((one.in_use_for for one in counting), reverse=True)
	several_for = in_use_for[1] if len(counting) > 1 else None
	return View(frozenset(one.redis_id for one in counting), several_for, len(sightings) > 1)


@lru_cache(maxsize=64)
def _view_in(text: bytes) -> tuple[View, float] | None:
	"""What another process has found, and its age when it told that; None: it is of another version of this app."""
	try:
		redises, several_for, is_kept_for_others, age = json.loads(text)
	except (ValueError, TypeError):
		return None
	return View(frozenset(redises), several_for, is_kept_for_others), age


class SharedBySeveralRedises(Shared):
	"""As Shared, on a site whose servers may have different Redises. Safe to share between threads."""

	def __init__(self, client: redis.Redis, prefix: str, common: CommonStore):
		super().__init__(client, prefix)
		self._common = common
		# Replaced as a whole, as other threads read it meanwhile.
		self._view: View | None = None

	# Which Redises there are

	def _questions_beside(self) -> tuple:
		return (("GET", self._key("redises")),)

	def _hear(self, answers: list) -> None:
		[text] = answers
		if text and (told := _view_in(text)):
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
			self._view = view_of(self._sightings_with(redis_id))._replace(at=began)
		except CommonStoreError:
			if self._view and redis_id and redis_id not in self._view.redises:
				# What was known is of another one.
				self._view = None
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
		text = json.dumps(
			[sorted(view.redises), view.several_for, view.is_kept_for_others, round(view.age, 1)]
		)
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
			self._keep_for_others(users, position)
			raise
		self._keep_for_others(users, position)

	def _keep_for_others(self, users: set[str], position: Position) -> None:
		# Whoever has committed can ask the primary, also where the one that watches cannot.
		self._look_if_old()
		if users and self._view and self._view.is_kept_for_others:
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
		return found if self._view else None

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
		if self._view and self._view.is_kept_for_others:
			self._common.begin_anew(seconds_ago)
		super().begin_anew(seconds_ago)

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
