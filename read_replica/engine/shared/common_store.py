# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The store that all servers of a site have in common if their Redises differ: the primary.

The engine says here what it needs of that store; the host provides it.
"""

import json
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol

from redis.exceptions import RedisError

from read_replica.engine.dialect import Position
from read_replica.engine.shared.user_positions import SECONDS_POSITIONS_ARE_KEPT, UserPosition

# As long as another Redis may hold a position that is still needed.
SECONDS_A_REDIS_COUNTS = SECONDS_POSITIONS_ARE_KEPT

# Processes that still read positions from the primary must find there what the others commit, who do not any more.
SECONDS_OF_KEEPING_FOR_OTHERS = 60

# For how long a process that the primary refuses relies on what was known before.
SECONDS_A_REFUSAL_IS_BORNE = 10.0

# The id that is noted for a Redis that cannot be reached, or that refuses to keep anything.
NO_REDIS = "none"


class CommonStoreError(RedisError):
	"""Raised when the primary cannot keep, or return, what all servers share; handled as a failure of Redis."""


class PrimaryRefuses(CommonStoreError):
	"""Raised when the primary answers with an error: too many connections, or too slow.

	Unlike a primary that is down, it may serve other processes meanwhile.
	"""


class KnownRedis(NamedTuple):
	"""A Redis that processes of the site use.

	:param in_use_for: seconds since it was noted first
	:param seen: seconds since it was noted last
	:param seen_here: seconds since a process of this host has noted it; None: never
	"""

	redis_id: str
	in_use_for: float
	seen: float
	seen_here: float | None


class CommonStore(Protocol):
	"""The store that all servers of the site use, whichever Redis they have: the primary.

	Each method raises CommonStoreError if the primary does not answer. Answers are current: they do not come from
	the snapshot of a transaction.
	"""

	def known_redises(self, host: str) -> list[KnownRedis]:
		"""Return the Redises that were noted lately.

		:param host: the host that `seen_here` is about
		"""

	def note(self, redis_id: str, host: str, address: str) -> None:
		"""Note that a Redis is in use on a host, now."""

	def expire(self, redis_id: str, seconds: float) -> None:
		"""Let a Redis no longer count, if it was not noted for so many seconds."""

	def keep_position(self, users: Iterable[str], position: Position) -> None:
		"""Keep a position that was committed on behalf of these users."""

	def position_of(self, user: str) -> UserPosition:
		"""Return what a user has committed within the last hour."""

	def mark_incomplete(self, seconds_ago: float) -> None:
		"""Mark that positions are missing which were committed until that many seconds ago."""

	def replace_position(self, user: str, position: Position) -> None:
		"""Replace a user's position, also by a lower one."""

	def close(self) -> None:
		"""Close the connection to the primary."""


class View(NamedTuple):
	"""What a process knows of the Redises of its site.

	:param redises: the ids of those that count
	:param several_for: seconds for which there had been several when the primary was asked; None: there was one
	:param is_kept_on_primary: whether positions are kept on the primary as well
	:param is_refused: whether the primary has refused since then to say whether this is still so
	:param at: when the primary was asked, by time.monotonic() of this process
	"""

	redises: frozenset[str]
	several_for: float | None
	is_kept_on_primary: bool
	is_refused: bool = False
	at: float = 0.0

	@property
	def age(self) -> float:
		"""Return the seconds since the primary was asked."""
		return time.monotonic() - self.at

	@property
	def is_outdated(self) -> bool:
		"""Return whether there may be a new Redis that this process does not know, as the primary refuses to answer it.

		Other processes may get an answer, and keep positions elsewhere.
		"""
		return self.is_refused and self.age > SECONDS_A_REFUSAL_IS_BORNE


def view_of(known_redises: list[KnownRedis]) -> View:
	"""Return what follows from the Redises that were noted: whether there are several, and for how long."""
	counting = [one for one in known_redises if one.seen < SECONDS_A_REDIS_COUNTS]
	# There are several since the second one came.
	in_use_for = sorted((one.in_use_for for one in counting), reverse=True)
	several_for = in_use_for[1] if len(counting) > 1 else None
	return View(frozenset(one.redis_id for one in counting), several_for, len(known_redises) > 1)


@lru_cache(maxsize=64)
def view_in(text: bytes) -> tuple[View, float] | None:
	"""Parse a view that another process has published, and its age in seconds at that time.

	None if another version of this app has published it.
	"""
	try:
		redises, several_for, is_kept_on_primary, is_refused, age = json.loads(text)
	except (ValueError, TypeError):
		return None
	return View(frozenset(redises), several_for, is_kept_on_primary, is_refused), age
