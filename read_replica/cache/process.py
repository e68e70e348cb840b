# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Guards what core keeps in a process's memory: results of functions with @site_cache, and classes of doctypes.

Core looks into a dictionary, makes the value and stores it there for all requests. Inside a scope the value is made
on the primary, by these dictionaries, when core has not found it: so it may be kept, and each process makes it once.
A value that is found is as fast as before.
"""

import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import frappe

from read_replica.cache.on_primary import OnPrimary, for_all, in_scope


def _is_virtual(core: Callable[[str], Any], doctype: str) -> Any:
	messages = list(frappe.local.message_log)
	try:
		return bool(getattr(frappe.get_meta(doctype), "is_virtual", False))
	except frappe.DoesNotExistError:
		# v14 and v15 answer for a doctype that is not there, v16 raises; without a message of ours to the user.
		frappe.local.message_log = messages
		return core(doctype)


# Functions whose result stands in metadata, which Redis has for all processes. v16 looks there as well; v14 and v15 ask
# the database in each process, and again whenever the cache of any doctype was cleared.
IN_METADATA: dict[str, Callable] = {"frappe.model.utils.is_virtual_doctype": _is_virtual}


def process_guards(on_primary: OnPrimary) -> list[tuple[Any, dict[str, Any]]]:
	"""Returns the dictionaries that take the place of core's, as `core.patching.replace_once` takes them.

	:raises AttributeError: if core has no such dictionary, or keeps values in another way
	"""
	from frappe.utils import caching

	_check_wrapper(caching.site_cache)
	values = _of_depth_of(caching._SITE_CACHE, lambda: Values(on_primary))
	return [
		(caching, {"_SITE_CACHE": values}),
		(frappe, {"controllers": ClassesOfSites(frappe.controllers, on_primary)}),
	]


def _check_wrapper(site_cache: Callable) -> None:
	code = site_cache(lambda: None).__code__
	if "func" not in code.co_freevars or code.co_varnames[:2] != ("args", "kwargs"):
		raise AttributeError("the wrapper of frappe.utils.caching.site_cache has no func, args and kwargs")


def _of_depth_of(core: defaultdict, make: Callable[[], dict]) -> defaultdict:
	"""Returns an empty dictionary as deep as core's: v14 and v15 have one of sites for each function."""
	inner = core.default_factory() if core.default_factory else None
	if inner is None:
		raise AttributeError("frappe.utils.caching._SITE_CACHE makes no dictionaries")
	return defaultdict((lambda: _of_depth_of(inner, make)) if isinstance(inner, defaultdict) else make)


class Values(dict):
	"""What one function with @site_cache has returned, by its arguments."""

	__slots__ = ("_on_primary",)

	def __init__(self, on_primary: OnPrimary):
		self._on_primary = on_primary

	def __contains__(self, key: Any) -> bool:
		# v14 and v15 ask this first, v16 looks the key up.
		return super().__contains__(key) or (in_scope() and self._make(key, sys._getframe(1)))

	def __missing__(self, key: Any) -> Any:
		if in_scope() and self._make(key, sys._getframe(1)):
			return self[key]
		raise KeyError(key)

	def __setitem__(self, key: Any, value: Any) -> None:
		# v16 calls a function again, in the scope, that has raised KeyError on the primary.
		if not in_scope():
			super().__setitem__(key, value)

	def _make(self, key: Any, wrapper: FrameType) -> bool:
		"""Call the function on the primary, and keep what it returns.

		:param wrapper: the frame of core's wrapper, which has the function and its arguments
		:returns: whether it was core's wrapper that asked
		"""
		called = dict(wrapper.f_locals)
		if not {"func", "args", "kwargs"} <= called.keys():
			return False
		func = called["func"]
		make = IN_METADATA.get(f"{func.__module__}.{func.__qualname__}")
		make = partial(make, func) if make else func
		with for_all(self._on_primary):
			value = make(*called["args"], **called["kwargs"])
		if len(self) >= getattr(func, "maxsize", sys.maxsize):
			# Another thread may change it meanwhile; one value more does no harm.
			with suppress(RuntimeError):
				self.pop(next(iter(self)), None)
		super().__setitem__(key, value)
		return True


class ClassesOfSites(dict):
	"""The classes of doctypes that a process has found, by site."""

	__slots__ = ("_on_primary",)

	def __init__(self, known: dict[str, dict], on_primary: OnPrimary):
		self._on_primary = on_primary
		for site, classes in known.items():
			self[site] = Classes(classes, on_primary)

	def __missing__(self, site: str) -> "Classes":
		return super().setdefault(site, Classes({}, self._on_primary))

	def setdefault(self, site: str, default: Any = None) -> "Classes":
		return self[site]


class Classes(dict):
	"""The classes of doctypes that a process has found on one site; which one it is depends on the doctype's row."""

	__slots__ = ("_on_primary",)

	def __init__(self, known: dict[str, type], on_primary: OnPrimary):
		super().__init__(known)
		self._on_primary = on_primary

	def __contains__(self, doctype: Any) -> bool:
		if super().__contains__(doctype):
			return True
		if in_scope():
			from frappe.model.base_document import get_controller  # not loaded before a site is

			with for_all(self._on_primary):
				get_controller(doctype)
		return super().__contains__(doctype)
