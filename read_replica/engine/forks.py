# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A process does not fork while another of its threads imports a module.

In the child that thread is gone, and the module stays locked and half made: whoever imports it there
waits for ever. Frappe's pools of workers (v15, v16) fork for each job, beside a scheduler that runs in a
thread of theirs and imports what it needs as it begins. Python renews no such lock after a fork
(https://docs.python.org/3/library/os.html#os.fork: forking with threads).
"""

import os
import threading
import time
from functools import cache
from importlib import _bootstrap

# An import that takes longer, or hangs, is not waited for.
MOST_SECONDS = 5.0
SECONDS_BETWEEN_LOOKS = 0.001


@cache
def let_forks_wait_for_imports() -> None:
	"""Let each fork of this process, and of those that it forks, wait for a moment without an import."""
	os.register_at_fork(before=_wait)


def _wait() -> None:
	deadline = time.monotonic() + MOST_SECONDS
	while _others_are_importing() and time.monotonic() < deadline:
		time.sleep(SECONDS_BETWEEN_LOOKS)


def _others_are_importing() -> bool:
	# Python does not tell in a public way. Without these names, a fork goes on as it would without us.
	locks = [reference() for reference in list(getattr(_bootstrap, "_module_locks", {}).values())]
	owners = {getattr(lock, "owner", None) for lock in locks}
	return bool(owners - {None, threading.get_ident()})
