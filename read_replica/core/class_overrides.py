# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Finds what other apps have changed in core's Scheduled Job Type, by the hooks for classes or by patching.

Answers which of its methods are still core's, and reports changes that keep this app from its work.
"""

import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import frappe
from frappe.utils import strip_html

from read_replica.core.patching import core_function, name_of, replaced_by_others
from read_replica.engine.sentence import Sentence

JOB_TYPE = "Scheduled Job Type"
CORE_MODULE = "frappe.core.doctype.scheduled_job_type.scheduled_job_type"

# Set on the class that this app puts before the others; see `scheduler_split`.
MARK = "is_split_over_servers"

# Called by Frappe, or by this app's class, which is put over it.
REQUIRED_METHODS = (
	"execute",
	"enqueue",
	"log_status",
	"get_queue_name",
	"get_next_execution",
	"is_event_due",
	"rq_job_id",
)


def underlying_class() -> type:
	"""Returns the class of Scheduled Job Type that core and the other apps make, without this app's."""
	from frappe.model import base_document

	return underlying_class_from(core_function(base_document, "get_controller"))


def underlying_class_from(get_controller: Callable[[str], type]) -> type:
	"""As `underlying_class`.

	:param get_controller: core's own, which keeps the class in its cache
	"""
	frappe.local.read_replica_asks_for_class = True
	try:
		class_ = get_controller(JOB_TYPE)
		if is_ours(class_):
			# Cached before core's function was replaced.
			frappe.controllers.get(frappe.local.site, {}).pop(JOB_TYPE, None)
			class_ = get_controller(JOB_TYPE)
		return class_
	finally:
		frappe.local.read_replica_asks_for_class = False


def is_ours(class_: type) -> bool:
	"""Returns whether a class of Scheduled Job Type has this app's before it in its method order."""
	return getattr(class_, MARK, False)


def override_paths() -> list[str]:
	"""Returns the classes that other apps name in override_doctype_class; the last one is in effect."""
	paths = frappe.get_hooks("override_doctype_class").get(JOB_TYPE, [])
	return [path for path in paths if not path.startswith("read_replica.")]


def is_looking_up_underlying_class() -> bool:
	"""Returns whether `underlying_class` is at work: the hook for the class must not add this app's then."""
	return getattr(frappe.local, "read_replica_asks_for_class", False)


def is_overridden(*names: str) -> bool:
	"""Returns whether another app has replaced any of these methods of the class."""
	class_ = underlying_class()
	return any(_module_of(getattr(class_, name, None)) != CORE_MODULE for name in names)


def _module_of(method: Any) -> str | None:
	"""Returns the module in which a method was written.

	Not its `__module__`: functools.wraps sets that to the module of the wrapped function.
	"""
	return getattr(_function_of(method), "__globals__", {}).get("__name__")


def _function_of(method: Any) -> Any:
	return getattr(method, "fget", None) or method


def problems() -> list[str]:
	"""Returns changes of other apps that this app cannot work with, and what to do, in sentences."""
	try:
		class_ = underlying_class()
	except Exception as error:
		return [_cannot_be_loaded(error)]
	missing = [name for name in REQUIRED_METHODS if not hasattr(class_, name)]
	if missing:
		return [
			Sentence(
				"App {0} gives Scheduled Job Type a class of its own ({1}) without {2}: its jobs cannot be split over"
				" servers. Let it inherit from core's ScheduledJobType.",
				_app_of(class_),
				name_of(class_),
				", ".join(missing),
			)
		]
	return [*_execute_without_log_status(class_), *_overwritten_replacements()]


def _cannot_be_loaded(error: Exception) -> str:
	path = [CORE_MODULE, *override_paths()][-1]
	return Sentence(
		"App {0} gives Scheduled Job Type a class that Frappe cannot load ({1}), so that no scheduled job runs: {2}",
		path.split(".")[0],
		path,
		f"{type(error).__name__} {strip_html(str(error))}",
	)


def _execute_without_log_status(class_: type) -> Iterator[str]:
	"""Reports an `execute` of another app that calls neither log_status nor the next `execute`.

	Follows the classes in method order for as long as each `execute` calls the next one's, up to core's.
	"""
	for execute in (_function_of(vars(one)["execute"]) for one in class_.__mro__ if "execute" in vars(one)):
		if _module_of(execute) == CORE_MODULE or not hasattr(execute, "__code__"):
			return
		names = _names_reachable_from(class_, execute, set())
		if "log_status" in names:
			return
		if "execute" not in names and not hasattr(execute, "__wrapped__"):
			yield _warning_about_execute(execute)
			return


def _warning_about_execute(execute: Any) -> str:
	return Sentence(
		"App {0} executes scheduled jobs by itself ({1}) and does not call log_status. So a run is marked as executed"
		" at its end, and executed again from its beginning if its worker is killed before; and a rule with Reads ="
		' Replica has no effect. Let that function call super().execute(), or self.log_status("Start") right before'
		" the method.",
		_app_of(execute),
		name_of(execute),
	)


def _names_reachable_from(class_: type, function: Any, seen: set[CodeType]) -> set[str]:
	"""Returns the names that a method uses, also in methods of the class that it calls, but for Frappe's."""
	code = getattr(function, "__code__", None)
	if code is None or code in seen or (_module_of(function) or "").startswith("frappe."):
		return set()
	seen.add(code)
	names = _names_in(code)
	# Not `execute`: that is followed from class to class by the caller.
	called = (
		_function_of(inspect.getattr_static(class_, name, None)) for name in sorted(names - {"execute"})
	)
	return names.union(*(_names_reachable_from(class_, method, seen) for method in called))


def _names_in(code: CodeType) -> set[str]:
	inner = (_names_in(const) for const in code.co_consts if isinstance(const, CodeType))
	return set(code.co_names).union(*inner)


def _overwritten_replacements() -> Iterator[str]:
	for name, function in replaced_by_others():
		yield Sentence(
			"App {0} has replaced {1} ({2}), which this app replaces as well. If that does not call what was there, this"
			" app does not see what goes through it. Let it call that, and say so with functools.wraps.",
			_app_of(function),
			name,
			name_of(function),
		)


def _app_of(thing: Any) -> str:
	return name_of(thing).split(".")[0]
