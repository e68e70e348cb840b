# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Keeps values of a scope in the caches of its request, and takes them out again at its end.

They are hidden while the primary works inside the scope: what is made there may be kept for all, and must not be made
from a document that the scope has read on a replica. A cache may lose what it has, so in doubt they do not come back.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import frappe

# Core's caches of one request, beside frappe.local.cache: dictionaries, and single objects.
LOCAL_CACHES = ("document_cache", "meta_cache", "role_permissions", "new_doc_templates")
LOCAL_OBJECTS = ("user_perms", "system_settings", "website_settings", "dynamic_link_map")

_NOT_THERE = object()


@dataclass
class Hidden:
	"""What a scope has in the caches of its request, while it is not there.

	:param changes: how often the primary's transaction had been changed when it was hidden
	"""

	changes: int
	kept: list[tuple[bytes, Any, Any]]
	local: dict[str, dict]
	objects: dict[str, Any]
	returned: dict


class ScopeCache:
	"""The values that a scope has put into the caches of its request."""

	def __init__(self) -> None:
		self._hidden: Hidden | None = None
		self._set: list[tuple[bytes, Any]] = []
		self._before = {name: dict(getattr(frappe.local, name, None) or ()) for name in LOCAL_CACHES}
		self._objects_before = _objects()
		if (known := getattr(frappe.local, "user_perms", None)) is not None and not known.can_read:
			# The object fills itself when it is first asked, which must not be from a replica.
			frappe.local.user_perms = None
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

	def hide(self, changes: int) -> None:
		"""Take the scope's values out until `show`; the request's own from before it are there meanwhile.

		:param changes: how often the primary's transaction was changed until now
		"""
		if self._hidden:
			return
		self._hidden = Hidden(
			changes=changes,
			kept=self._take_kept(),
			local={name: self._take_new(name) for name in LOCAL_CACHES},
			objects=self._take_objects(),
			returned=dict(self._request_cache),
		)
		self._fill_request_cache(self._returned_before)

	def show(self, changes: int) -> None:
		"""Put back what `hide` has taken out, but where the primary has put a value of its own meanwhile.

		Nothing comes back if the primary's transaction was changed meanwhile, or something was deleted from the cache:
		what is hidden may be older than that.

		:param changes: how often the primary's transaction was changed until now
		"""
		hidden, self._hidden = self._hidden, None
		if not hidden:
			return
		# What was made on the primary is the request's own, and stays after the scope.
		self._returned_before = dict(self._request_cache)
		self._set = []
		for name in LOCAL_CACHES:
			self._before[name] = dict(getattr(frappe.local, name, None) or ())
		self._objects_before = _objects()
		if hidden.changes != changes:
			self._request_cache.clear()
			return
		for key, field, value in hidden.kept:
			# Core keeps a None for what it has not found in Redis; that does not take the place of the scope's value.
			if field is None and frappe.local.cache.get(key) is None:
				self.keep(key, value)
			elif field is not None and (frappe.local.cache.get(key) or {}).get(field) is None:
				self.keep_field(key, field, value)
		self._fill_request_cache(hidden.returned)
		for name, values in hidden.local.items():
			cache = getattr(frappe.local, name, None)
			if cache is not None:
				for key, value in values.items():
					cache.setdefault(key, value)
		for name, value in hidden.objects.items():
			if self._objects_before[name] in (_NOT_THERE, None):
				_set_object(name, value)

	def drop_hidden(self) -> None:
		"""Let nothing of what is hidden come back, as something was deleted from the cache."""
		if self._hidden:
			# No transaction was changed so often.
			self._hidden.changes = -1

	def forget(self, changes: int, has_written: bool) -> None:
		"""Take the scope's values out; and, if it has written, results of functions from before it as well."""
		# Also if they are hidden: core's write_only puts a scope's database back in place without a word.
		self._hidden = None
		self.hide(changes)
		self._hidden = None
		if has_written:
			self._request_cache.clear()

	def _take_kept(self) -> list[tuple[bytes, Any, Any]]:
		taken = []
		for key, field in self._set:
			fields = frappe.local.cache if field is None else frappe.local.cache.get(key) or {}
			name = key if field is None else field
			if name in fields:
				taken.append((key, field, fields.pop(name)))
		return taken

	def _take_new(self, name: str) -> dict:
		"""Take out of a dictionary what is new since the scope began, or another object; what it replaced comes back."""
		cache, before = getattr(frappe.local, name, None) or {}, self._before[name]
		taken = {key: value for key, value in cache.items() if before.get(key, _NOT_THERE) is not value}
		for key in taken:
			if key in before:
				cache[key] = before[key]
			else:
				del cache[key]
		return taken

	def _take_objects(self) -> dict[str, Any]:
		"""Put back what stood in frappe.local before the scope; returns what the scope has put in its place."""
		taken = {}
		for name, now in _objects().items():
			if now is not self._objects_before[name]:
				_set_object(name, self._objects_before[name])
				taken[name] = now
		return taken

	def _fill_request_cache(self, returned: dict) -> None:
		self._request_cache.clear()
		self._request_cache.update(returned)
		if frappe.local.request_cache is not self._request_cache:
			frappe.local.request_cache = self._request_cache


def _objects() -> dict[str, Any]:
	return {name: getattr(frappe.local, name, _NOT_THERE) for name in LOCAL_OBJECTS}


def _set_object(name: str, value: Any) -> None:
	"""Set one of LOCAL_OBJECTS, or delete it; permissions of a user who is not the request's any more are left out."""
	if value is _NOT_THERE:
		# Some of core's functions ask only whether it is there.
		if hasattr(frappe.local, name):
			delattr(frappe.local, name)
	elif name == "user_perms" and value is not None and value.name != frappe.session.user:
		frappe.local.user_perms = None
	else:
		setattr(frappe.local, name, value)
