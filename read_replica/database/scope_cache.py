# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a scope puts into the caches of its request, and takes out again at its end."""

from collections import defaultdict
from typing import Any

import frappe

# Caches of one request that core fills by itself, beside frappe.local.cache.
LOCAL_CACHES = ("document_cache", "meta_cache", "role_permissions", "new_doc_templates")


class ScopeCache:
	"""What a scope has put into the caches of its request, so that it can be taken out again."""

	def __init__(self):
		self._set: list[tuple[bytes, Any]] = []
		self._before = {name: frozenset(getattr(frappe.local, name, None) or ()) for name in LOCAL_CACHES}
		self._user_perms = getattr(frappe.local, "user_perms", None)
		# What functions have returned, for each of them: the scope has one of its own.
		self._request_cache = getattr(frappe.local, "request_cache", None) or defaultdict(dict)
		frappe.local.request_cache = defaultdict(dict)

	def keep(self, key: bytes, value: Any) -> None:
		frappe.local.cache[key] = value
		self._set.append((key, None))

	def keep_field(self, key: bytes, field: Any, value: Any) -> None:
		frappe.local.cache.setdefault(key, {})[field] = value
		self._set.append((key, field))

	def forget(self, has_written: bool) -> None:
		"""Take out what the scope has put in; and what functions returned before it, if it has written."""
		if has_written:
			self._request_cache.clear()
		frappe.local.request_cache = self._request_cache
		for key, field in self._set:
			if field is None:
				frappe.local.cache.pop(key, None)
			else:
				frappe.local.cache.get(key, {}).pop(field, None)
		for name, before in self._before.items():
			cache = getattr(frappe.local, name, None) or {}
			for key in set(cache) - before:
				del cache[key]
		# To set a name in frappe.local copies all others.
		if getattr(frappe.local, "user_perms", None) is not self._user_perms:
			frappe.local.user_perms = self._user_perms
