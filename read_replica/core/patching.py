# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Replaces functions of core, each once per process, and knows what stood there before.

What is replaced, and why, stands in `replacements`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from read_replica.database.event_log import log_event
from read_replica.engine.locks import Lock

# What goes in place of an owner's functions, by their names.
Replacements = list[tuple[Any, Mapping[str, Any]]]

_lock = Lock()
# Each with its owner and its name: what was there, and what is there in its place.
_replaced: list[tuple[Any, str, Any]] = []
_ours: list[tuple[Any, str, Any]] = []
_logged: set[str] = set()


def replace_once(owner: Any, replacements: Callable[[], Replacements]) -> bool:
	"""Replace functions of core, all of them or, after an error, none; once per process for this owner.

	:param owner: what is among the owners, and tells whether that has been done
	:param replacements: called if it has not
	:returns: whether it was done now
	:raises AttributeError: if something that is to be replaced is not there
	"""
	with _lock:
		if any(known is owner for known, _, _ in _replaced):
			return False
		found = replacements()
		originals = [(of, name, getattr(of, name)) for of, functions in found for name in functions]
		for of, functions in found:
			for name, function in functions.items():
				setattr(of, name, function)
				_ours.append((of, name, function))
		_replaced.extend(originals)
		return True


def core_function(owner: Any, name: str) -> Any:
	"""A function as core has it, whether or not it is replaced in this process."""
	originals = [original for of, its_name, original in _replaced if of is owner and its_name == name]
	return originals[0] if originals else getattr(owner, name)


def replaced_by_others() -> list[tuple[str, Any]]:
	"""What stands in this process where a replacement of ours stood, by the name of that place."""
	found = [(owner, name, getattr(owner, name), ours) for owner, name, ours in _ours]
	return [
		(f"{owner.__name__}.{name}", there)
		for owner, name, there, ours in found
		if there is not ours and not _wraps(there, ours)
	]


def log_what_others_replaced() -> None:
	"""Log it, once per process: `status` sees only what was replaced in its own."""
	for name, there in replaced_by_others():
		if name not in _logged:
			_logged.add(name)
			log_event("replaced_by_another_app", what=name, by=f"{there.__module__}.{there.__qualname__}")


def _wraps(function: Any, inner: Any) -> bool:
	"""Whether a function says that it calls another one."""
	while function is not None and function is not inner:
		function = getattr(function, "__wrapped__", None)
	return function is inner


def put_all_back() -> None:
	"""Put back all that was replaced."""
	with _lock:
		_ours.clear()
		while _replaced:
			owner, name, original = _replaced.pop()
			setattr(owner, name, original)
