# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The frozen settings that the engine works from, and what one call may ask for."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from read_replica.engine.dialect import DEFAULT_PORT

Consistency = Literal["eventual", "session", "strong"]
OnUnavailable = Literal["primary", "error"]
OnWrite = Literal["primary", "error"]

DEFAULT_POOL = "default"


def check_number(
	name: str, value: Any, at_least: float | None = None, more_than: float | None = None
) -> None:
	"""Raise an error that names the argument if `value` is given and not such a number."""
	if value is None:
		return
	if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
		raise TypeError(f"{name} must be a number of seconds, not {value!r}")
	if at_least is not None and value < at_least:
		raise ValueError(f"{name} must be {at_least} or more, not {value!r}")
	if more_than is not None and value <= more_than:
		raise ValueError(f"{name} must be more than {more_than}, not {value!r}")


def check_word(name: str, value: Any, words: Any) -> None:
	"""Raise an error that names the argument if `value` is given and not one of `words`."""
	if value is not None and value not in get_args(words):
		choices = ", ".join(repr(word) for word in get_args(words))
		raise ValueError(f"{name} must be one of {choices}, not {value!r}")


@dataclass(frozen=True)
class Endpoint:
	"""Where a replica is, and how to log in there. `tls` of None means: as the site's primary."""

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
	"""What one call asks of a replica; None means: as the site is configured.

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

	def __post_init__(self):
		check_number("max_lag", self.max_lag, at_least=0)
		check_number("timeout", self.timeout, more_than=0)
		check_word("consistency", self.consistency, Consistency)
		check_word("on_unavailable", self.on_unavailable, OnUnavailable)
		check_word("on_write", self.on_write, OnWrite)
		if self.pool is not None and (not isinstance(self.pool, str) or not self.pool.strip()):
			raise ValueError(f"pool must be the name of a pool of replicas, not {self.pool!r}")

	def or_else(self, defaults: "CompleteNeed") -> "CompleteNeed":
		"""This need, with what it leaves open taken from `defaults`."""
		values = {
			f.name: getattr(defaults, f.name) if getattr(self, f.name) is None else getattr(self, f.name)
			for f in fields(self)
		}
		return CompleteNeed(**values)

	def is_met_by(self, other: "Need") -> bool:
		"""Whether a scope that was opened for `other` is good enough for this need, too."""
		if self.consistency == "strong":
			# The scope was opened before the call.
			return False
		ranks = get_args(Consistency)
		if ranks.index(self.consistency or "eventual") > ranks.index(other.consistency or "eventual"):
			return False
		if self.max_lag is not None and (other.max_lag is None or self.max_lag < other.max_lag):
			return False
		if self.pool is not None and self.pool != other.pool:
			return False
		return self.on_write in (None, other.on_write) and self.on_unavailable in (None, other.on_unavailable)


@dataclass(frozen=True)
class CompleteNeed(Need):
	"""A need with nothing left open but the pool."""

	max_lag: float = 30
	consistency: Consistency = "session"
	timeout: float = 300
	on_unavailable: OnUnavailable = "primary"
	on_write: OnWrite = "primary"


DEFAULTS = CompleteNeed(
	max_lag=30, consistency="session", timeout=300, on_unavailable="primary", on_write="primary"
)


@dataclass(frozen=True)
class Settings:
	"""All that a Router needs to know, in one object that never changes."""

	replicas: tuple[Endpoint, ...] = ()
	defaults: CompleteNeed = DEFAULTS
	connections_per_replica: int = 10
	connection_max_age: float = 1800
	connect_timeout: float = 1
	# Seconds to wait for a replica to have what the user has written.
	wait: float = 0.5
	# What each pool accepts in place of the site's max_lag, by the pool's name.
	max_lag_of_pool: tuple[tuple[str, float], ...] = ()

	def defaults_of(self, pool: str | None) -> CompleteNeed:
		"""What a call that leaves things open asks for, in the pool that it prefers."""
		max_lag = dict(self.max_lag_of_pool).get(pool or DEFAULT_POOL)
		return self.defaults if max_lag is None else replace(self.defaults, max_lag=max_lag)
