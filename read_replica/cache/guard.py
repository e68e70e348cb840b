# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Guards Frappe's caches: no value that was read from a replica gets into a cache that outlives the scope.

A replica lags behind, and most of Frappe's cached values never expire: one stale value would be served
until somebody clears the cache. After MediaWiki's object cache, where a value from a lagged snapshot may
not replace a fresh one.

- The generator of a cached value runs on the primary, also if it is itself decorated as read-only.
- A value that is set without a generator is kept for the scope, and dropped at its end, unless its key says
  that it describes work and not rows: progress, locks, rate limits.
- What Frappe knows of doctypes is made on the primary, and kept: see `metadata`. So is what core keeps in the memory
  of a process: see `process`.
- What is deleted while a scope's values are hidden, as the primary works, does not come back with them.
- Redis's own lists, counters and locks are not guarded: they are not made from rows.
"""

import re
from collections.abc import Callable
from typing import Any

import frappe

from read_replica.cache.metadata import is_metadata, metadata_on_primary
from read_replica.cache.on_primary import OnPrimary, for_all
from read_replica.cache.process import process_guards
from read_replica.database.routed import RoutedMethods, drop_hidden
from read_replica.database.transaction import request_state

# Their values come from the primary, from the user or from nowhere, also if they are stored inside a scope.
KEYS_NEVER_FROM_A_REPLICA = frozenset(
	(
		"_user_settings",
		"session",
		"last_db_session_update",
		"csrf_token",
		"report_execution_time",
		"metadata_version",
	)
)

# Whole words in a key. Not `rate` and `limit` alone: exchange rates and credit limits come from rows.
PROGRESS_OR_LOCK = re.compile(
	r"(?<![a-z])(?:in_?progress|progress|lock(?:ed)?|mutex|semaphore|rate_?limit(?:er|s)?|throttled?|attempts)(?![a-z])",
	re.IGNORECASE,
)

SEPARATOR = re.compile("[:|]")


def may_be_shared(key: str | bytes) -> bool:
	"""Returns whether a value under this key may be stored for all even if a replica was read before."""
	if key in KEYS_NEVER_FROM_A_REPLICA:
		return True
	# What follows a separator is often the name of a row, as in `document_cache::Item::Door Lock`.
	family = SEPARATOR.split(key.decode() if isinstance(key, bytes) else str(key), maxsplit=1)[0]
	return bool(PROGRESS_OR_LOCK.search(family))


def guarded_database() -> RoutedMethods | None:
	"""Returns the database of the open scope if that has read from a replica: its values are not for all.

	None while core stores a value that was generated on the primary.
	"""
	db = getattr(frappe.local, "db", None)
	if not isinstance(db, RoutedMethods) or db.stores_for_all:
		return None
	return db if db.scope.has_read else None


def cache_guards(on_primary: OnPrimary) -> list[tuple[Any, dict[str, Any]]]:
	"""Returns what is guarded of core's caches, as `core.patching.replace_once` takes it.

	:raises AttributeError: if core has no such method or dictionary
	"""
	from frappe.utils import redis_wrapper

	guards = [(redis_wrapper.RedisWrapper, guard_redis(redis_wrapper.RedisWrapper, on_primary))]
	if hasattr(redis_wrapper, "ClientCache"):
		client_cache = redis_wrapper.ClientCache
		guards.append((client_cache, guard_client_cache(client_cache, on_primary)))
	return guards + metadata_on_primary(on_primary) + process_guards(on_primary)


def guard_redis(wrapper: type, on_primary: OnPrimary) -> dict[str, Any]:
	"""Returns the guarded methods of core's RedisWrapper."""
	core_set_value, core_hset = wrapper.set_value, wrapper.hset
	core_get_value, core_hget = wrapper.get_value, wrapper.hget
	core_delete_value, core_hdel = wrapper.delete_value, wrapper.hdel

	def set_value(self, key, val, user=None, *args, shared=False, **kwargs):
		db = guarded_database()
		if not db or may_be_shared(key) or is_metadata(val):
			return core_set_value(self, key, val, user, *args, shared=shared, **kwargs)
		db.scope_cache.keep(self.make_key(key, user, shared), val)

	def hset(self, name, key, value, shared=False, *args, **kwargs):
		db = guarded_database()
		if not db or key is None or may_be_shared(name) or is_metadata(value):
			return core_hset(self, name, key, value, shared, *args, **kwargs)
		db.scope_cache.keep_field(self.make_key(name, shared=shared), key, value)

	def get_value(self, key, generator=None, *args, **kwargs):
		if not generator:
			return core_get_value(self, key, generator, *args, **kwargs)
		return _look_up(
			core_get_value, self, key, _generating_on_primary(generator, on_primary), *args, **kwargs
		)

	def hget(self, name, key, generator=None, *args, **kwargs):
		if not generator:
			return core_hget(self, name, key, generator, *args, **kwargs)
		return _look_up(
			core_hget, self, name, key, _generating_on_primary(generator, on_primary), *args, **kwargs
		)

	def delete_value(self, *args, **kwargs):
		drop_hidden(request_state().frames)
		return core_delete_value(self, *args, **kwargs)

	def hdel(self, *args, **kwargs):
		drop_hidden(request_state().frames)
		return core_hdel(self, *args, **kwargs)

	return {
		"set_value": set_value,
		"hset": hset,
		"get_value": get_value,
		"hget": hget,
		"delete_value": delete_value,
		"hdel": hdel,
	}


def guard_client_cache(client_cache: type, on_primary: OnPrimary) -> dict[str, Any]:
	"""Returns the guarded methods of v16's ClientCache, which keeps values per process."""
	core_set_value, core_get_value = client_cache.set_value, client_cache.get_value

	def set_value(self, key, val, *args, **kwargs):
		if not guarded_database() or may_be_shared(key) or is_metadata(val):
			return core_set_value(self, key, val, *args, **kwargs)

	def get_value(self, key, *args, generator=None, **kwargs):
		if not generator:
			return core_get_value(self, key, *args, **kwargs)
		generator = _generating_on_primary(generator, on_primary)
		return _look_up(core_get_value, self, key, *args, generator=generator, **kwargs)

	return {"set_value": set_value, "get_value": get_value}


def _generating_on_primary(generator: Callable[[], Any], on_primary: OnPrimary) -> Callable[[], Any]:
	"""Returns a generator that reads nothing from a replica, as core stores its value for all."""

	def generate() -> Any:
		db = getattr(frappe.local, "db", None)
		with for_all(on_primary):
			value = generator()
		if isinstance(db, RoutedMethods):
			db.stores_for_all = True
		return value

	return generate


def _look_up(look_up: Callable[..., Any], *args, **kwargs) -> Any:
	"""Call core's look_up, which stores the value if it generates one. What it finds costs nothing more in a scope."""
	db = getattr(frappe.local, "db", None)
	try:
		return look_up(*args, **kwargs)
	finally:
		if isinstance(db, RoutedMethods):
			db.stores_for_all = False
