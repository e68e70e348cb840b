# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""No value read from a replica enters a cache that outlives the scope.

A replica is behind by some time, and most of Frappe's cached values have no end of life: one stale
value would be served until somebody clears the cache. After MediaWiki's object cache, where a value
from a lagged snapshot may not replace a fresh one.

- A value with a generator is made on the primary, also where the generator is itself read-only.
- A value that is simply set is kept for the scope alone, and forgotten at its end, unless its key says
  that it tells of the work and not of rows: progress, locks, rate limits.
- Deletions, lists, counters and locks of Redis's own pass: they are not made from rows.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import frappe

from read_replica.database.routed import RoutedMethods

# A block of code that works on the primary, whatever is in place.
OnPrimary = Callable[[], AbstractContextManager[None]]

# Made from the primary, or by the user, whatever is in place when they are stored.
NEVER_FROM_A_REPLICA = frozenset(
	("_user_settings", "session", "last_db_session_update", "csrf_token", "report_execution_time")
)

# Whole words of a key. Not `rate` and `limit` alone: exchange rates and credit limits come from rows.
OF_THE_WORK = re.compile(
	r"(?<![a-z])(?:in_?progress|progress|lock(?:ed)?|mutex|semaphore|rate_?limit(?:er|s)?|throttled?|attempts)(?![a-z])",
	re.IGNORECASE,
)

SEPARATOR = re.compile("[:|]")


def passes(key: str | bytes) -> bool:
	"""Whether a value under this key may be stored for all, whoever has answered before."""
	if key in NEVER_FROM_A_REPLICA:
		return True
	# What follows a separator is often the name of a row, as in `document_cache::Item::Door Lock`.
	family = SEPARATOR.split(key.decode() if isinstance(key, bytes) else str(key), maxsplit=1)[0]
	return bool(OF_THE_WORK.search(family))


def guarding() -> RoutedMethods | None:
	"""The database of the scope that is reading from a replica, if its values may not be kept."""
	db = getattr(frappe.local, "db", None)
	return db if isinstance(db, RoutedMethods) and db.scope.statements else None


def guards_of_caches(on_primary: OnPrimary) -> list[tuple[type, dict[str, Any]]]:
	"""What to put in place of the functions of core's caches, by their class.

	:raises AttributeError: if one of them is not there
	"""
	from frappe.utils import redis_wrapper

	guards = [(redis_wrapper.RedisWrapper, guard_redis(redis_wrapper.RedisWrapper, on_primary))]
	if hasattr(redis_wrapper, "ClientCache"):
		client_cache = redis_wrapper.ClientCache
		guards.append((client_cache, guard_client_cache(client_cache, on_primary)))
	return guards


def guard_redis(wrapper: type, on_primary: OnPrimary) -> dict[str, Any]:
	"""The methods to put in place of those of core's RedisWrapper."""
	core_set_value, core_hset = wrapper.set_value, wrapper.hset
	core_get_value, core_hget = wrapper.get_value, wrapper.hget

	def set_value(self, key, val, user=None, *args, shared=False, **kwargs):
		db = guarding()
		if not db or passes(key):
			return core_set_value(self, key, val, user, *args, shared=shared, **kwargs)
		db.scope_cache.keep(self.make_key(key, user, shared), val)

	def hset(self, name, key, value, shared=False, *args, **kwargs):
		db = guarding()
		if not db or key is None or passes(name):
			return core_hset(self, name, key, value, shared, *args, **kwargs)
		db.scope_cache.keep_field(self.make_key(name, shared=shared), key, value)

	def get_value(self, key, generator=None, *args, **kwargs):
		if not generator:
			return core_get_value(self, key, generator, *args, **kwargs)
		return _on_primary(
			core_get_value, self, key, _made_on_primary(generator, on_primary), *args, **kwargs
		)

	def hget(self, name, key, generator=None, *args, **kwargs):
		if not generator:
			return core_hget(self, name, key, generator, *args, **kwargs)
		return _on_primary(
			core_hget, self, name, key, _made_on_primary(generator, on_primary), *args, **kwargs
		)

	return {"set_value": set_value, "hset": hset, "get_value": get_value, "hget": hget}


def guard_client_cache(client_cache: type, on_primary: OnPrimary) -> dict[str, Any]:
	"""The methods to put in place of those of v16's ClientCache, which keeps values per process."""
	core_set_value, core_get_value = client_cache.set_value, client_cache.get_value

	def set_value(self, key, val, *args, **kwargs):
		if not guarding() or passes(key):
			return core_set_value(self, key, val, *args, **kwargs)

	def get_value(self, key, *args, generator=None, **kwargs):
		if not generator:
			return core_get_value(self, key, *args, **kwargs)
		made = _made_on_primary(generator, on_primary)
		return _on_primary(core_get_value, self, key, *args, generator=made, **kwargs)

	return {"set_value": set_value, "get_value": get_value}


def _made_on_primary(generator: Callable[[], Any], on_primary: OnPrimary) -> Callable[[], Any]:
	"""The same, with nothing in it read from a replica: its value is stored after it has returned."""

	def make():
		with on_primary():
			return generator()

	return make


def _on_primary(look_up, *args, **kwargs):
	db = getattr(frappe.local, "db", None)
	if not isinstance(db, RoutedMethods):
		return look_up(*args, **kwargs)
	with db.scope.primary_in_place():
		return look_up(*args, **kwargs)
