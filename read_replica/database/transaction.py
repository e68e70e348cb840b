# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tracks the primary's transaction of a request: its pending writes, its commits of writes, and what it reads."""

import os
import time
from collections.abc import Callable
from typing import Any

import frappe

from read_replica.database.primary_reads import PrimaryReads, count_reads
from read_replica.engine import dialect
from read_replica.engine.request import RequestState


def request_state() -> RequestState:
	"""Returns the engine's state of the current request or job, and makes it if there is none yet."""
	state = getattr(frappe.local, "read_replica_state", None)
	if state is None or state.pid != os.getpid():
		state = frappe.local.read_replica_state = RequestState()
	return state


def is_watched(primary: Any) -> bool:
	"""Returns whether the transactions of a primary's database object are tracked."""
	return "check_transaction_status" in vars(primary)


def watch(primary: Any, after_commit: Callable[[Any], None], before_close: Callable[[], None]) -> None:
	"""Track the transactions and commits of a primary's database object from now on.

	Core counts INSERT, UPDATE and DELETE, and forgets them at `rollback to savepoint`. A row lock, a
	savepoint or a REPLACE must keep a read on the primary just as well.

	:param after_commit: called before the first statement that follows a commit of writes
	:param before_close: called when the request closes its connection, however it ends
	"""
	check = primary.check_transaction_status
	close = primary.close
	primary.read_replica_pending = 0
	primary.read_replica_changes = 0
	# What the transaction has written to, as in RequestState.committed_to.
	primary.read_replica_written = set()
	reads = primary.read_replica_reads = PrimaryReads()
	# A transaction that was not tracked from its start may hold anything, so it is never ended here.
	primary.read_replica_is_seen = primary._conn is None
	primary.read_replica_in_transaction = primary.read_replica_is_seen

	def check_transaction_status(query, *args, **kwargs):
		# Core's check forgets the writes at a commit.
		pending = pending_writes(primary)
		if request_state().committed:
			after_commit(primary)
		check(query, *args, **kwargs)
		_note(primary, query, pending)
		reads.began = time.monotonic()

	def close_after_all():
		try:
			before_close()
		finally:
			close()

	primary.check_transaction_status = check_transaction_status
	primary.log_query = count_reads(primary, reads)
	primary.close = close_after_all


def _note(primary: Any, query: str, pending: bool) -> None:
	"""Note what a statement that is about to run on the primary does to the transaction."""
	written = primary.read_replica_written
	commits_itself = dialect.commits_implicitly(query)
	if commits_itself or (pending and dialect.commits(query)):
		state = request_state()
		state.committed = True
		state.committed_to |= written
		written.clear()
	if dialect.rolls_back(query):
		# What was read since the write that it undoes is wrong now.
		primary.read_replica_changes += 1
	if dialect.closes_transaction(query):
		written.clear()
		primary.read_replica_pending, primary.read_replica_in_transaction = 0, False
		primary.read_replica_is_seen = True
		return
	primary.read_replica_in_transaction = primary.read_replica_is_seen
	if dialect.opens_transaction(query):
		primary.read_replica_pending += 1
		primary.read_replica_changes += 1
		if target := dialect.target_of(query):
			(request_state().committed_to if commits_itself else written).add(target)
		_tell_scope(primary, query)


def _tell_scope(primary: Any, query: str) -> None:
	"""Tell the scope of a write that goes past it, as in core's write_only, or in what core calls after a commit."""
	frames = request_state().frames
	if frames and frappe.local.db is primary and dialect.writes(query):
		frames[-1].note_write_beside(query)


def note_that_it_only_read(primary: Any) -> None:
	"""Note that nothing but core's reads was in the transaction before it was tracked, so that it may be ended."""
	primary.read_replica_is_seen = primary.read_replica_in_transaction = True


def pending_writes(primary: Any) -> int:
	"""Returns a number that grows with each write, row lock and savepoint of the primary's transaction; 0 without.

	A result that is being read row by row counts as well: to end the transaction would end it.
	"""
	noted = getattr(primary, "read_replica_pending", 0)
	return primary.transaction_writes + noted + is_giving_rows(primary)


def changes_of(primary: Any) -> int:
	"""Returns a number that grows with each write of the primary's transaction, and as one is rolled back."""
	return getattr(primary, "read_replica_changes", 0)


def is_giving_rows(primary: Any) -> bool:
	"""Returns whether a result may still be read row by row, which a statement on the same connection would end."""
	return "SSCursor" in type(getattr(primary, "_cursor", None)).__name__


def end_transaction(primary: Any) -> None:
	"""End the primary's idle transaction, so that a long report does not keep its snapshot open.

	Only where `watch` has seen every statement, and by a commit below Frappe's own, which would run
	callbacks that wait for the request's end.
	"""
	if getattr(primary, "read_replica_in_transaction", False) and primary._conn:
		primary._conn.commit()
		primary.read_replica_in_transaction = False
