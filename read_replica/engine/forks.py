# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A process does not fork while another of its threads imports a module, or is at work that forks wait for.

In the child that thread is gone, and what it had locked stays locked: a module that is half made, so that
whoever imports it there waits for ever, or a lock of the C library. Frappe's pools of workers (v15, v16)
fork for each job, beside a scheduler that runs in a thread of theirs and imports what it needs as it
begins, and each worker does beside the thread of its heartbeat. Python renews no such lock after a fork
(https://docs.python.org/3/library/os.html#os.fork: forking with threads).
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import _bootstrap

# An import or work that takes longer, or hangs, is not waited for.
MOST_SECONDS = 5.0
SECONDS_BETWEEN_LOOKS = 0.001

_work = threading.Lock()
# The thread that forks, while it keeps others from their work.
_forking: int | None = None


@cache
def let_forks_wait() -> None:
	"""Let each fork of this process, and of those that it forks, wait for imports and for `apart_from_forks`."""
	os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


@contextmanager
def apart_from_forks() -> Iterator[None]:
	"""Work of a thread that no fork of this process cuts in two, as long as it takes a few seconds at most."""
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
	# Whoever holds it does not exist here.
	global _work, _forking
	_work, _forking = threading.Lock(), None


def _wait_for_imports() -> None:
	deadline = time.monotonic() + MOST_SECONDS
	while _others_are_importing() and time.monotonic() < deadline:
		time.sleep(SECONDS_BETWEEN_LOOKS)


def _others_are_importing() -> bool:
	# Python does not tell in a public way. Without these names, a fork goes on as it would without us.
	locks = [reference() for reference in list(getattr(_bootstrap, "_module_locks", {}).values())]
	owners = {getattr(lock, "owner", None) for lock in locks}
	return bool(owners - {None, threading.get_ident()})
