# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Keeps values of a scope in the caches of its request, and takes them out again at its end.

They are hidden while the primary works inside the scope: what is made there may be kept for all, and must not be made
from a document that the scope has read on a replica.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import frappe

# Core's caches of one request, beside frappe.local.cache.
LOCAL_CACHES = ("document_cache", "meta_cache", "role_permissions", "new_doc_templates")


@dataclass
class Hidden:
	"""What a scope has in the caches of its request, while it is not there."""

	kept: list[tuple[bytes, Any, Any]]
	local: dict[str, dict]
	user_perms: Any
	returned: dict


class ScopeCache:
	"""The values that a scope has put into the caches of its request."""

	def __init__(self) -> None:
		self._hidden: Hidden | None = None
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
		if frappe.local.cache.get(key) is None:
			frappe.local.cache[key] = {}
		frappe.local.cache[key][field] = value
		self._set.append((key, field))

	def hide(self) -> None:
		"""Take the scope's values out until `show`; the request's own from before it are there meanwhile."""
		if self._hidden:
			return
		kept = []
		for key, field in self._set:
			fields = frappe.local.cache if field is None else frappe.local.cache.get(key) or {}
			name = key if field is None else field
			if name in fields:
				kept.append((key, field, fields.pop(name)))
		self._hidden = Hidden(
			kept=kept,
			local={name: self._take_new(name) for name in LOCAL_CACHES},
			user_perms=getattr(frappe.local, "user_perms", None),
			returned=dict(self._request_cache),
		)
		self._fill_request_cache(self._returned_before)
		if getattr(frappe.local, "user_perms", None) is not self._user_perms:
			frappe.local.user_perms = self._user_perms

	def show(self, has_written: bool) -> None:
		"""Put back what `hide` has taken out, but where the primary has put a value of its own meanwhile.

		:param has_written: whether the scope has written: of what was hidden, only values that it has set come back
		"""
		hidden, self._hidden = self._hidden, None
		if not hidden:
			return
		# What was made on the primary is the request's own, and stays after the scope.
		self._returned_before = dict(self._request_cache)
		self._set = []
		for key, field, value in hidden.kept:
			# Core keeps a None for what it has not found in Redis; that does not take the place of the scope's value.
			if field is None and frappe.local.cache.get(key) is None:
				self.keep(key, value)
			elif field is not None and (frappe.local.cache.get(key) or {}).get(field) is None:
				self.keep_field(key, field, value)
		if has_written:
			return
		self._fill_request_cache(hidden.returned)
		for name, values in hidden.local.items():
			cache = getattr(frappe.local, name, None)
			if cache is None:
				continue
			self._before[name] = frozenset(cache)
			for key, value in values.items():
				cache.setdefault(key, value)
		made = getattr(frappe.local, "user_perms", None)
		if made is not self._user_perms:
			self._user_perms = made
		elif hidden.user_perms is not made:
			frappe.local.user_perms = hidden.user_perms

	def forget(self, has_written: bool) -> None:
		"""Take the scope's values out; and, if it has written, results of functions from before it as well."""
		# A scope that ends while the primary works has its values out already.
		if not self._hidden:
			self.hide()
		self._hidden = None
		if has_written:
			self._request_cache.clear()

	def _take_new(self, name: str) -> dict:
		cache = getattr(frappe.local, name, None) or {}
		return {key: cache.pop(key) for key in set(cache) - self._before[name]}

	def _fill_request_cache(self, returned: dict) -> None:
		self._request_cache.clear()
		self._request_cache.update(returned)
		if frappe.local.request_cache is not self._request_cache:
			frappe.local.request_cache = self._request_cache
