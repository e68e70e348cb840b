# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Counts a request or job: what it has read where, and whether it has committed a write."""

import time
from typing import Any

from read_replica.engine.metrics import PRIMARY
from read_replica.engine.request import RequestState
from read_replica.engine.router import Router


def begin(state: RequestState, name: str | None) -> None:
	"""Count a request or job from now on.

	:param name: what it is counted under, if that is known already
	"""
	state.called, state.began = name, time.monotonic()


def method_begins(state: RequestState) -> None:
	"""Count a job's method from now on: what was committed before it is bookkeeping."""
	state.began = time.monotonic()
	state.committed_to.clear()


def end(state: RequestState) -> None:
	"""Note how long it took; `count` may be called once it has written all that it writes."""
	if state.began is not None:
		state.seconds = time.monotonic() - state.began


def count(router: Router, state: RequestState, primary: Any) -> None:
	"""Count it if it has ended. What it does afterwards is counted without a name by another call."""
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
