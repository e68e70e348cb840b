# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Locks and callbacks for forks: some objects must begin anew in a forked process."""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

# Connections that this process has inherited from its parent. They are never closed and never garbage collected:
# closing one here would speak to the server on the parent's socket.
_of_the_parent: list[object] = []

_to_renew: "weakref.WeakKeyDictionary[object, Callable[[Any], None]]" = weakref.WeakKeyDictionary()


class Lock:
	"""A threading.Lock that is free in a forked process, even if a thread of the parent held it during the fork.

	Python's own logging module renews its locks in the same way, as a child would wait for them for ever.
	"""

	def __init__(self) -> None:
		self._renew()
		after_fork(self, Lock._renew)

	def _renew(self) -> None:
		self._lock = threading.Lock()

	def __enter__(self) -> None:
		self._lock.acquire()

	def __exit__(self, *exception: object) -> None:
		self._lock.release()


def after_fork(owner: T, renew: Callable[[T], None]) -> None:
	"""Have `renew(owner)` called in each process that is forked from this one, for as long as `owner` lives."""
	_to_renew[owner] = renew


def _renew_all() -> None:
	for owner, renew in list(_to_renew.items()):
		renew(owner)


def leave_to_parent(connections: object) -> None:
	"""Leave inherited connections to the parent: in a forked process, keep them from being closed."""
	_of_the_parent.append(connections)


os.register_at_fork(after_in_child=_renew_all)
