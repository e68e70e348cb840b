# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Makes what Frappe knows of doctypes on the primary, so that core's caches may keep it.

Core looks into its cache, makes the value and stores it, in three steps. Inside a scope it would be made of a
replica's rows and not be stored: each call would make it again, which for all doctypes that link to one are thousands
of statements.
"""

import functools
from collections.abc import Callable
from typing import Any

from read_replica.cache.on_primary import OnPrimary, for_all, in_scope


def metadata_on_primary(on_primary: OnPrimary) -> list[tuple[type, dict]]:
	"""Returns the constructors of Meta and FormMeta that read on the primary, as `replace_once` takes them.

	:raises AttributeError: if core has no such class
	"""
	return [(cls, {"__init__": _on_primary(cls.__init__, on_primary)}) for cls in _classes()]


def is_metadata(value: Any) -> bool:
	"""Returns whether a value was made by one of these constructors, and so has nothing from a replica."""
	return type(value) in _classes()


@functools.cache
def _classes() -> tuple[type, type]:
	from frappe.desk.form.meta import FormMeta
	from frappe.model.meta import Meta

	return Meta, FormMeta


def _on_primary(core: Callable[..., None], on_primary: OnPrimary) -> Callable:
	@functools.wraps(core)
	def __init__(self, *args, **kwargs):
		if not in_scope():
			return core(self, *args, **kwargs)
		with for_all(on_primary):
			core(self, *args, **kwargs)

	return __init__
