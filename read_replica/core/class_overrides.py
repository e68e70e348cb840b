# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What other apps make of core's Scheduled Job Type: by the hooks for classes, or by patching its module.

Which of its functions are still core's, and what in the others keeps this app from its work.
"""

import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import frappe
from frappe.utils import strip_html

from read_replica.core.patching import core_function, replaced_by_others

JOB_TYPE = "Scheduled Job Type"
CORE = "frappe.core.doctype.scheduled_job_type.scheduled_job_type"

# Set on the class that this app puts before the others; see `scheduler_split`.
MARK = "is_split_over_servers"

# What Frappe, and ours over it, ask of the class.
ASKED = (
	"execute",
	"enqueue",
	"log_status",
	"get_queue_name",
	"get_next_execution",
	"is_event_due",
	"rq_job_id",
)


def class_without_ours() -> type:
	"""The class that core and the other apps of the site give to Scheduled Job Type."""
	from frappe.model import base_document

	return class_by(core_function(base_document, "get_controller"))


def class_by(get_controller: Callable[[str], type]) -> type:
	"""The same, by core's function, which keeps it."""
	frappe.local.read_replica_asks_for_class = True
	try:
		class_ = get_controller(JOB_TYPE)
		if is_ours(class_):
			# From before core's function was replaced.
			frappe.controllers.get(frappe.local.site, {}).pop(JOB_TYPE, None)
			class_ = get_controller(JOB_TYPE)
		return class_
	finally:
		frappe.local.read_replica_asks_for_class = False


def is_ours(class_: type) -> bool:
	"""Whether a class of Scheduled Job Type has this app's before it."""
	return getattr(class_, MARK, False)


def paths_of_others() -> list[str]:
	"""The classes that other apps name in the hook for it; the last one is in effect."""
	paths = frappe.get_hooks("override_doctype_class").get(JOB_TYPE, [])
	return [path for path in paths if not path.startswith("read_replica.")]


def is_asking() -> bool:
	"""Whether the class is asked for without this app's."""
	return getattr(frappe.local, "read_replica_asks_for_class", False)


def is_changed(*names: str) -> bool:
	"""Whether any of these methods of the class is not core's own."""
	class_ = class_without_ours()
	return any(_module_of(getattr(class_, name, None)) != CORE for name in names)


def _module_of(method: Any) -> str | None:
	"""Where a method was written. Not by its `__module__`: functools.wraps gives it that of what it wraps."""
	return getattr(_function_of(method), "__globals__", {}).get("__name__")


def _function_of(method: Any) -> Any:
	return getattr(method, "fget", None) or method


def problems() -> list[str]:
	"""What other apps have made of the class that this app cannot work beside, and what to do, in sentences."""
	try:
		class_ = class_without_ours()
	except Exception as error:
		return [_cannot_be_loaded(error)]
	missing = [name for name in ASKED if not hasattr(class_, name)]
	if missing:
		return [
			f"App {_app_of(class_)} gives Scheduled Job Type a class of its own ({_name_of(class_)}) without"
			f" {', '.join(missing)}: its jobs cannot be split over servers. Let it inherit from core's ScheduledJobType."
		]
	return [*_execute_that_says_nothing(class_), *_replacements_that_are_gone()]


def _cannot_be_loaded(error: Exception) -> str:
	path = [CORE, *paths_of_others()][-1]
	return (
		f"App {path.split('.')[0]} gives Scheduled Job Type a class that Frappe cannot load ({path}), so that no"
		f" scheduled job runs: {type(error).__name__} {strip_html(str(error))}"
	)


def _execute_that_says_nothing(class_: type) -> Iterator[str]:
	"""Goes through the classes whose `execute` hands on to the next one's, as far as core's."""
	for execute in (_function_of(vars(one)["execute"]) for one in class_.__mro__ if "execute" in vars(one)):
		if _module_of(execute) == CORE or not hasattr(execute, "__code__"):
			return
		names = _names_in_reach(class_, execute, set())
		if "log_status" in names:
			return
		if "execute" not in names and not hasattr(execute, "__wrapped__"):
			yield _sentence_on(execute)
			return


def _sentence_on(execute: Any) -> str:
	return (
		f"App {_app_of(execute)} executes scheduled jobs by itself ({_name_of(execute)}) and does not call"
		" log_status. So a run is marked as executed at its end, and executed again from its beginning if its"
		" worker is killed before; and a rule with Reads = Replica has no effect. Let that function call"
		' super().execute(), or self.log_status("Start") right before the method.'
	)


def _names_in_reach(class_: type, function: Any, seen: set[CodeType]) -> set[str]:
	"""The names that a method uses, and the other methods of the class that it calls, but for Frappe's."""
	code = getattr(function, "__code__", None)
	if code is None or code in seen or (_module_of(function) or "").startswith("frappe."):
		return set()
	seen.add(code)
	names = _names_in(code)
	# It is what leads to the next class's.
	called = (
		_function_of(inspect.getattr_static(class_, name, None)) for name in sorted(names - {"execute"})
	)
	return names.union(*(_names_in_reach(class_, method, seen) for method in called))


def _names_in(code: CodeType) -> set[str]:
	inner = (_names_in(const) for const in code.co_consts if isinstance(const, CodeType))
	return set(code.co_names).union(*inner)


def _replacements_that_are_gone() -> Iterator[str]:
	for name, function in replaced_by_others():
		yield (
			f"App {_app_of(function)} has replaced {name} ({_name_of(function)}), which this app replaces as well. If"
			" that does not call what was there, this app does not see what goes through it. Let it call that, and"
			" say so with functools.wraps."
		)


def _app_of(thing: Any) -> str:
	return (thing.__module__ or "").split(".")[0]


def _name_of(thing: Any) -> str:
	return f"{thing.__module__}.{thing.__qualname__}"
