# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The settings of a router, and what one call may ask of a replica. All of it is frozen."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from read_replica.engine.dialect import DEFAULT_PORT
from read_replica.engine.sentence import Sentence

Consistency = Literal["eventual", "session", "strong"]
OnUnavailable = Literal["primary", "error"]
OnWrite = Literal["primary", "error"]

DEFAULT_POOL = "default"


def check_number(
	name: str, value: Any, at_least: float | None = None, more_than: float | None = None
) -> None:
	"""Check that a value, if it is given, is a number within its limits.

	:param name: the argument that the error names
	:raises TypeError: if it is no number
	:raises ValueError: if it is less than `at_least`, or not more than `more_than`
	"""
	if value is None:
		return
	if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
		raise TypeError(Sentence("{0} must be a number of seconds, not {1}", name, repr(value)))
	if at_least is not None and value < at_least:
		raise ValueError(Sentence("{0} must be {1} or more, not {2}", name, at_least, repr(value)))
	if more_than is not None and value <= more_than:
		raise ValueError(Sentence("{0} must be more than {1}, not {2}", name, more_than, repr(value)))


def check_word(name: str, value: Any, words: Any) -> None:
	"""Check that a value, if it is given, is one of the words of a Literal.

	:param name: the argument that the error names
	:raises ValueError: if it is not
	"""
	if value is not None and value not in get_args(words):
		choices = ", ".join(repr(word) for word in get_args(words))
		raise ValueError(Sentence("{0} must be one of {1}, not {2}", name, choices, repr(value)))


@dataclass(frozen=True)
class Endpoint:
	"""Where a replica is, and how to log in there.

	:param user: with `password`; None: as on the site's primary
	:param weight: the share of the calls that it gets, relative to the others of its pool
	:param tls: None: as for the site's primary
	"""

	name: str
	host: str
	port: int = DEFAULT_PORT
	user: str | None = None
	password: str | None = field(default=None, repr=False)
	weight: float = 1
	pool: str = DEFAULT_POOL
	tls: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Need:
	"""What one call asks of a replica. None means: as the site is configured.

	:param max_lag: seconds that the replica may be behind the primary, 0 or more
	:param consistency: "eventual", "session" or "strong"
	:param pool: name of the group of replicas to prefer
	:param timeout: seconds after which the server ends a statement, more than 0
	:param on_unavailable: "primary" falls back, "error" raises ReplicaUnavailable
	:param on_write: "primary" carries a write out there, "error" raises WriteInReadOnlyScope
	"""

	max_lag: float | None = None
	consistency: Consistency | None = None
	pool: str | None = None
	timeout: float | None = None
	on_unavailable: OnUnavailable | None = None
	on_write: OnWrite | None = None

	def __post_init__(self) -> None:
		check_number("max_lag", self.max_lag, at_least=0)
		check_number("timeout", self.timeout, more_than=0)
		check_word("consistency", self.consistency, Consistency)
		check_word("on_unavailable", self.on_unavailable, OnUnavailable)
		check_word("on_write", self.on_write, OnWrite)
		if self.pool is not None and (not isinstance(self.pool, str) or not self.pool.strip()):
			raise ValueError(
				Sentence("{0} must be the name of a pool of replicas, not {1}", "pool", repr(self.pool))
			)

	def or_else(self, defaults: "CompleteNeed") -> "CompleteNeed":
		"""Return this need with nothing left open: what it does not say is taken from `defaults`."""
		given = {name: value for name, value in vars(self).items() if value is not None}
		return replace(defaults, **given)

	def over(self, other: "Need") -> "Need":
		"""Return this need, with what it leaves open taken from another one."""
		if other is AS_CONFIGURED:
			# As nearly always: each call pays for this.
			return self
		return replace(other, **{name: value for name, value in vars(self).items() if value is not None})

	def is_met_by(self, other: "CompleteNeed") -> bool:
		"""Return whether a scope that was opened for `other` is good enough for this need as well."""
		if self.consistency == "strong":
			# That includes what was committed after the scope was opened.
			return False
		ranks = get_args(Consistency)
		if ranks.index(self.consistency or "eventual") > ranks.index(other.consistency):
			return False
		if self.max_lag is not None and self.max_lag < other.max_lag:
			return False
		if self.pool is not None and self.pool != other.pool:
			return False
		return self.on_write in (None, other.on_write) and self.on_unavailable in (None, other.on_unavailable)


# A need that leaves everything to the site's configuration.
AS_CONFIGURED = Need()


@dataclass(frozen=True)
class CompleteNeed:
	"""What one call asks of a replica, with nothing left open. Made by `Need.or_else`; its fields are those of Need.

	:param pool: None: the pool of those replicas that name none
	"""

	max_lag: float
	consistency: Consistency
	pool: str | None
	timeout: float
	on_unavailable: OnUnavailable
	on_write: OnWrite


DEFAULTS = CompleteNeed(
	max_lag=30,
	consistency="session",
	pool=None,
	timeout=300,
	on_unavailable="primary",
	on_write="primary",
)


@dataclass(frozen=True)
class Settings:
	"""All that a Router must know, in one object that never changes.

	:param connections_per_replica: of each process, at most
	:param connection_max_age: seconds after which a connection is replaced by a new one
	:param connect_timeout: seconds within which a replica must accept a connection
	:param wait: seconds to wait for a replica to have what the user has written
	:param max_lag_of_pool: pairs of a pool's name and its max_lag, which stands in for the site's
	"""

	replicas: tuple[Endpoint, ...] = ()
	defaults: CompleteNeed = DEFAULTS
	connections_per_replica: int = 10
	connection_max_age: float = 1800
	connect_timeout: float = 1
	wait: float = 0.5
	max_lag_of_pool: tuple[tuple[str, float], ...] = ()

	def defaults_of(self, pool: str | None) -> CompleteNeed:
		"""Return what a call is given that leaves things open, by the pool that it prefers."""
		max_lag = dict(self.max_lag_of_pool).get(pool or DEFAULT_POOL)
		return self.defaults if max_lag is None else replace(self.defaults, max_lag=max_lag)
