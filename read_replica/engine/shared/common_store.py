# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the servers of a site have in common where their Redises differ: the primary, and what is known of them there."""

import json
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol

from redis.exceptions import RedisError

from read_replica.engine.dialect import Position
from read_replica.engine.shared.user_positions import SECONDS_POSITIONS_ARE_KEPT, Written

# For as long as another Redis may hold a position that counts.
SECONDS_A_REDIS_COUNTS = SECONDS_POSITIONS_ARE_KEPT

# Those who still read positions from the primary must find there what those have written who do not any more.
SECONDS_OF_KEEPING_FOR_OTHERS = 60

# For how long a process that the primary refuses goes by what was known before.
SECONDS_A_REFUSAL_IS_BORNE = 10.0

# Noted in the place of a Redis by those who cannot reach the one they have, or whom it refuses to keep anything.
NO_REDIS = "none"


class CommonStoreError(RedisError):
	"""The primary could not keep, or tell, what is common to all servers; as if Redis could not."""


class PrimaryRefuses(CommonStoreError):
	"""The primary has answered, and could not do it: others may be luckier, as it has too many connections, or is slow."""


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

	def let_pass(self, redis_id: str, seconds: float) -> None:
		"""Let a Redis that was not seen for so long be as one that was not seen for as long as one counts."""

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
	:param is_refused: whether the primary has refused to say since then whether it is still so
	:param at: when the primary was asked for it, by time.monotonic() of this process
	"""

	redises: frozenset[str]
	several_for: float | None
	is_kept_for_others: bool
	is_refused: bool = False
	at: float = 0.0

	@property
	def age(self) -> float:
		return time.monotonic() - self.at

	@property
	def is_outdated(self) -> bool:
		"""Whether others know better, if another Redis has come meanwhile: to them, the primary tells it."""
		return self.is_refused and self.age > SECONDS_A_REFUSAL_IS_BORNE


def view_of(sightings: list[Sighting]) -> View:
	"""Whether there are several Redises, and since when."""
	counting = [one for one in sightings if one.seen < SECONDS_A_REDIS_COUNTS]
	# Since the second one is there.
	in_use_for = sorted((one.in_use_for for one in counting), reverse=True)
	several_for = in_use_for[1] if len(counting) > 1 else None
	return View(frozenset(one.redis_id for one in counting), several_for, len(sightings) > 1)


@lru_cache(maxsize=64)
def view_in(text: bytes) -> tuple[View, float] | None:
	"""What another process has found, and its age when it told that; None: it is of another version of this app."""
	try:
		redises, several_for, is_kept_for_others, is_refused, age = json.loads(text)
	except (ValueError, TypeError):
		return None
	return View(frozenset(redises), several_for, is_kept_for_others, is_refused), age
