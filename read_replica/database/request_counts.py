# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Counts the current request or job: what it has read where, and whether it has committed a write."""

import time
from typing import Any

from read_replica.database.transaction import request_state
from read_replica.engine.metrics import PRIMARY
from read_replica.engine.router import Router


def begin(name: str | None) -> None:
	"""Count from now on.

	:param name: what it is counted under, if that is known already
	"""
	state = request_state()
	state.called, state.began = name, time.monotonic()


def method_begins() -> None:
	"""Count a job's method from now on: what was committed before it is bookkeeping."""
	state = request_state()
	state.began = time.monotonic()
	state.committed_to.clear()


def end() -> None:
	"""Note how long the request or job took; `count` may then be called when it has written all that it writes."""
	state = request_state()
	if state.began is not None:
		state.seconds = time.monotonic() - state.began


def count(router: Router, primary: Any) -> None:
	"""Count the request or job if it has ended. What it does afterwards is counted without a name by another call."""
	state = request_state()
	if state.seconds is None:
		return
	reads = primary.read_replica_reads
	wrote = state.called is not None and _has_written(router, state.committed_to)
	statements = state.replica_statements | {PRIMARY: reads.statements}
	router.requests.note(
		state.called, state.seconds, statements, state.rows + reads.rows, wrote, reads.seconds
	)
	state.called, state.replica_statements, state.rows = None, {}, 0
	reads.statements, reads.rows, reads.seconds = 0, 0, 0.0


def _has_written(router: Router, committed_to: set[tuple[str, str]]) -> bool:
	try:
		return not all(router.host.is_log(table, column) for table, column in committed_to)
	except Exception:
		# The connection may be lost by now, and must be closed all the same. It has committed something.
		return True
