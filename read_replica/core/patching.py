# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Replaces functions of core, each once per process, and keeps the originals.

`replacements` says which ones are replaced, and why.
"""

from collections.abc import Callable, Mapping
from typing import Any

from read_replica.database.event_log import log_event
from read_replica.engine.locks import Lock

# Modules or classes, each with the new functions by the names of those that they replace.
Replacements = list[tuple[Any, Mapping[str, Any]]]

_lock = Lock()
# Owner, name and function: the originals in `_replaced`, what was put in their place in `_ours`.
_replaced: list[tuple[Any, str, Any]] = []
_ours: list[tuple[Any, str, Any]] = []
_logged: set[str] = set()


def replace_once(owner: Any, replacements: Callable[[], Replacements]) -> bool:
	"""Replace functions of core once per process: all of them or, on an error, none.

	:param owner: one of the modules or classes that are changed; if it is changed already, nothing is done
	:param replacements: makes the replacements; only called if they are needed
	:returns: whether they were made now
	:raises AttributeError: if core has no such function
	"""
	with _lock:
		if any(known is owner for known, _, _ in _replaced):
			return False
		found = replacements()
		originals = [
			(target, name, getattr(target, name)) for target, functions in found for name in functions
		]
		for target, functions in found:
			for name, function in functions.items():
				setattr(target, name, function)
				_ours.append((target, name, function))
		_replaced.extend(originals)
		return True


def core_function(owner: Any, name: str) -> Any:
	"""Returns a function of core as it was before this app replaced it, if it has."""
	originals = [original for target, its_name, original in _replaced if target is owner and its_name == name]
	return originals[0] if originals else getattr(owner, name)


def replaced_by_others() -> list[tuple[str, Any]]:
	"""Returns the functions that other apps have put in the place of this app's replacements in this process.

	Each with the name of the replaced function. One that wraps ours, by functools.wraps, is not among them.
	"""
	found = [(owner, name, getattr(owner, name), ours) for owner, name, ours in _ours]
	return [
		(f"{owner.__name__}.{name}", there)
		for owner, name, there, ours in found
		if there is not ours and not _wraps(there, ours)
	]


def log_what_others_replaced() -> None:
	"""Log what other apps have replaced, once per process: `status` only sees its own process."""
	for name, there in replaced_by_others():
		if name not in _logged:
			_logged.add(name)
			log_event("replaced_by_another_app", what=name, by=name_of(there))


def name_of(thing: Any) -> str:
	"""Returns where something was made that another app has put in place: of a dictionary, the name of its class."""
	named = thing if hasattr(thing, "__qualname__") else type(thing)
	return f"{named.__module__}.{named.__qualname__}"


def _wraps(function: Any, inner: Any) -> bool:
	"""Returns whether a function says by `__wrapped__` that it calls another one."""
	while function is not None and function is not inner:
		function = getattr(function, "__wrapped__", None)
	return function is inner


def restore_core() -> None:
	"""Put the originals of all replaced functions back; for tests."""
	with _lock:
		_ours.clear()
		while _replaced:
			owner, name, original = _replaced.pop()
			setattr(owner, name, original)
