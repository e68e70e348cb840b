# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Delays the forks of a process while one of its other threads imports a module, or asks for a delay.

Such a thread does not exist in the child, and what it had locked there stays locked: the lock of a module that is
half imported, so that the next import of it waits for ever, or a lock of the C library. Frappe's worker pools
(v15, v16) fork for each job, beside a scheduler that runs in a thread of the same process and imports what it needs
as it begins; each worker forks beside the thread of its heartbeat. Python renews no such lock after a fork
(https://docs.python.org/3/library/os.html#os.fork: forking with threads).
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import _bootstrap

# Forks do not wait longer than this for an import, or for other work, that takes long or hangs.
MOST_SECONDS = 5.0
SECONDS_BETWEEN_LOOKS = 0.001

_work = threading.Lock()
# The id of the thread that forks, while it holds `_work`.
_forking: int | None = None


@cache
def let_forks_wait() -> None:
	"""Let each fork of this process and of its children wait for imports, and for blocks of `forks_held_back`."""
	os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


@contextmanager
def forks_held_back() -> Iterator[None]:
	"""Hold back forks of this process while this block runs, for MOST_SECONDS at most."""
	with _work:
		yield


def _before() -> None:
	global _forking
	if _work.acquire(timeout=MOST_SECONDS):
		_forking = threading.get_ident()
	_wait_for_imports()


def _in_parent() -> None:
	global _forking
	if _forking == threading.get_ident():
		_forking = None
		_work.release()


def _in_child() -> None:
	# The thread that holds it does not exist in this process.
	global _work, _forking
	_work, _forking = threading.Lock(), None


def _wait_for_imports() -> None:
	deadline = time.monotonic() + MOST_SECONDS
	while _others_are_importing() and time.monotonic() < deadline:
		time.sleep(SECONDS_BETWEEN_LOOKS)


def _others_are_importing() -> bool:
	# Python has no public way to ask. If these private names go away, forks are as they are without this module.
	locks = [reference() for reference in list(getattr(_bootstrap, "_module_locks", {}).values())]
	owners = {getattr(lock, "owner", None) for lock in locks}
	return bool(owners - {None, threading.get_ident()})
