# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Waiting for what comes true in a while."""

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
	"""Return once a condition holds; fails if it does not within so many seconds."""
	deadline = time.monotonic() + seconds
	while not condition():
		assert time.monotonic() < deadline, "this has not come true in time"
		time.sleep(0.05)
