# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""No value read from a replica enters a cache that outlives the scope.

A replica is behind by some time, and most of Frappe's cached values have no end of life: one stale
value would be served until somebody clears the cache. After MediaWiki's object cache, where a value
from a lagged snapshot may not replace a fresh one.

- A value with a generator is looked up, and made, with the primary in place.
- A value that is simply set is kept for the scope alone, and forgotten at its end.
- Deletions, lists, counters and locks pass: they are not made from rows.
"""

from typing import Any

import frappe

from read_replica.database import RoutedMethods

# Made from the primary, or by the user, whatever is in place when they are stored.
NEVER_FROM_A_REPLICA = frozenset(("_user_settings", "session", "last_db_session_update", "csrf_token"))


def guarding() -> RoutedMethods | None:
	"""The database of the scope that is reading from a replica, if its values may not be kept."""
	db = getattr(frappe.local, "db", None)
	return db if isinstance(db, RoutedMethods) and db.scope.statements else None


def guard_redis(wrapper: type) -> dict[str, Any]:
	"""The methods to put in place of those of core's RedisWrapper."""
	core_set_value, core_hset = wrapper.set_value, wrapper.hset
	core_get_value, core_hget = wrapper.get_value, wrapper.hget

	def set_value(self, key, val, user=None, *args, shared=False, **kwargs):
		db = guarding()
		if not db or key in NEVER_FROM_A_REPLICA:
			return core_set_value(self, key, val, user, *args, shared=shared, **kwargs)
		db.scope_cache.keep(self.make_key(key, user, shared), val)

	def hset(self, name, key, value, shared=False, *args, **kwargs):
		db = guarding()
		if not db or name in NEVER_FROM_A_REPLICA or key is None:
			return core_hset(self, name, key, value, shared, *args, **kwargs)
		db.scope_cache.keep_field(self.make_key(name, shared=shared), key, value)

	def get_value(self, key, generator=None, *args, **kwargs):
		if not generator:
			return core_get_value(self, key, generator, *args, **kwargs)
		return _on_primary(core_get_value, self, key, generator, *args, **kwargs)

	def hget(self, name, key, generator=None, *args, **kwargs):
		if not generator:
			return core_hget(self, name, key, generator, *args, **kwargs)
		return _on_primary(core_hget, self, name, key, generator, *args, **kwargs)

	return {"set_value": set_value, "hset": hset, "get_value": get_value, "hget": hget}


def guard_client_cache(client_cache: type) -> dict[str, Any]:
	"""The methods to put in place of those of v16's ClientCache, which keeps values per process."""
	core_set_value, core_get_value = client_cache.set_value, client_cache.get_value

	def set_value(self, key, val, *args, **kwargs):
		if not guarding():
			return core_set_value(self, key, val, *args, **kwargs)

	def get_value(self, key, *args, generator=None, **kwargs):
		if not generator:
			return core_get_value(self, key, *args, **kwargs)
		return _on_primary(core_get_value, self, key, *args, generator=generator, **kwargs)

	return {"set_value": set_value, "get_value": get_value}


def _on_primary(look_up, *args, **kwargs):
	db = getattr(frappe.local, "db", None)
	if not isinstance(db, RoutedMethods):
		return look_up(*args, **kwargs)
	with db.scope.primary_in_place():
		return look_up(*args, **kwargs)
