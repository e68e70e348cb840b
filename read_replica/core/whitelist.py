# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What core makes of the name of a whitelisted method: the function that it calls, and how that is decorated."""

import importlib
from collections.abc import Callable

import frappe

# Set on what this app's read_only returns.
DECORATED = "read_replica_decorated"

# All functions that core's read_only returns share the code of its wrapper.
_CODE_OF_CORE = frappe.read_only()(lambda: None).__code__


def is_overridden(method: str) -> bool:
	"""Returns whether an app has put a function of its own in place of a method of another app."""
	return bool(frappe.get_hooks("override_whitelisted_methods", {}).get(method))


def is_there(method: str) -> bool:
	"""Returns whether a dotted path leads to a function of an app of this site."""
	return function_of(method) is not None


def opens_a_scope_itself(method: str) -> bool:
	"""Returns whether the function behind a method is decorated as read-only, by core's decorator or this app's."""
	overriding = frappe.get_hooks("override_whitelisted_methods", {}).get(method)
	# v14 takes the first of several, later versions the last; either may be decorated.
	return any(_is_decorated(function_of(name)) for name in overriding or (method,))


def function_of(name: str) -> Callable | None:
	"""Returns the function of a dotted path; None for the name of a Server Script, of nothing, or of what cannot be loaded.

	Not by frappe.get_attr: where there is none, that puts its error into the response of the request.
	"""
	module, _, attribute = name.rpartition(".")
	if name.partition(".")[0] not in frappe.get_installed_apps():
		return None
	try:
		return getattr(importlib.import_module(module), attribute, None)
	except Exception:
		# A module of another app may raise anything when it is imported; that is for the request that calls it.
		return None


def _is_decorated(function: Callable | None) -> bool:
	while function is not None:
		if getattr(function, "__code__", None) is _CODE_OF_CORE or getattr(function, DECORATED, False):
			return True
		function = getattr(function, "__wrapped__", None)
	return False
