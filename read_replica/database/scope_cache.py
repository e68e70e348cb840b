# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Keeps values of a scope in the caches of its request, and takes them out again at its end."""

from collections import defaultdict
from typing import Any

import frappe

# Core's caches of one request, beside frappe.local.cache.
LOCAL_CACHES = ("document_cache", "meta_cache", "role_permissions", "new_doc_templates")


class ScopeCache:
	"""The values that a scope has put into the caches of its request."""

	def __init__(self) -> None:
		self._set: list[tuple[bytes, Any]] = []
		self._before = {name: frozenset(getattr(frappe.local, name, None) or ()) for name in LOCAL_CACHES}
		self._user_perms = getattr(frappe.local, "user_perms", None)
		if getattr(frappe.local, "request_cache", None) is None:
			frappe.local.request_cache = defaultdict(dict)
		# The results of functions with @request_cache. Emptied and filled again, not replaced: v16's wrapper holds the
		# object while its function runs, and setting a name in frappe.local copies all others.
		self._request_cache = frappe.local.request_cache
		self._returned_before = dict(self._request_cache)
		self._request_cache.clear()

	def keep(self, key: bytes, value: Any) -> None:
		"""Keep a value under a key of the request's cache until the scope ends."""
		frappe.local.cache[key] = value
		self._set.append((key, None))

	def keep_field(self, key: bytes, field: Any, value: Any) -> None:
		"""Keep a value of one field of a hash until the scope ends."""
		frappe.local.cache.setdefault(key, {})[field] = value
		self._set.append((key, field))

	def forget(self, has_written: bool) -> None:
		"""Take the scope's values out; and, if it has written, results of functions from before it as well."""
		self._request_cache.clear()
		if not has_written:
			self._request_cache.update(self._returned_before)
		if frappe.local.request_cache is not self._request_cache:
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
		if getattr(frappe.local, "user_perms", None) is not self._user_perms:
			frappe.local.user_perms = self._user_perms
