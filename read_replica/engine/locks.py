# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What must begin anew in a forked process."""

import os
import threading
import weakref
from collections.abc import Callable

# Connections that came over a fork. Never closed and never collected: closing one in the child would
# speak to the server on the parent's socket.
_of_the_parent: list[object] = []

_to_renew: "weakref.WeakKeyDictionary[object, Callable]" = weakref.WeakKeyDictionary()


class Lock:
	"""A threading.Lock that is free in a forked process, whoever held it in the parent.

	After the locks of Python's own logging module, which would hang a child in the same way.
	"""

	def __init__(self):
		self._renew()
		after_fork(self, Lock._renew)

	def _renew(self) -> None:
		self._lock = threading.Lock()

	def __enter__(self) -> None:
		self._lock.acquire()

	def __exit__(self, *exception) -> None:
		self._lock.release()


def after_fork(owner: object, renew: Callable) -> None:
	"""Call `renew(owner)` in each process that is forked from this one, for as long as `owner` lives."""
	_to_renew[owner] = renew


def _renew_all() -> None:
	for owner, renew in list(_to_renew.items()):
		renew(owner)


def leave_to_parent(connections: object) -> None:
	"""In a forked process: keep what is the parent's from being closed here."""
	_of_the_parent.append(connections)


os.register_at_fork(after_in_child=_renew_all)
