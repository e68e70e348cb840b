# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the engine must know of the primary's transaction, and of the request that it is in."""

import os
from collections.abc import Callable
from typing import Any

import frappe

from read_replica.engine import dialect
from read_replica.engine.request import RequestState


def request_state() -> RequestState:
	"""What the engine keeps for the length of this request or job."""
	state = getattr(frappe.local, "read_replica_state", None)
	if state is None or state.pid != os.getpid():
		state = frappe.local.read_replica_state = RequestState()
	return state


def is_watched(primary: Any) -> bool:
	"""Whether a primary's database object knows what its transaction must keep."""
	return "check_transaction_status" in vars(primary)


def watch(primary: Any, after_commit: Callable[[Any], None], before_close: Callable[[], None]) -> None:
	"""Let a primary's database object know, from now on, what its transaction must keep, and its commits.

	Core counts INSERT, UPDATE and DELETE, and forgets them at `rollback to savepoint`. A row lock, a
	savepoint or a REPLACE must keep a read on the primary just as well.

	:param after_commit: called before the first statement that follows a commit of writes
	:param before_close: called when the request closes its connection, however it ends
	"""
	check = primary.check_transaction_status
	close = primary.close
	primary.read_replica_pending = 0
	# What a transaction has done that was not watched from its start is not known: it is left alone.
	primary.read_replica_is_seen = primary._conn is None
	primary.read_replica_in_transaction = primary.read_replica_is_seen

	def check_transaction_status(query, *args, **kwargs):
		# Core's check forgets the writes at a commit.
		pending = pending_writes(primary)
		if request_state().committed:
			after_commit(primary)
		check(query, *args, **kwargs)
		_note(primary, query, pending)

	def close_after_all():
		try:
			before_close()
		finally:
			close()

	primary.check_transaction_status = check_transaction_status
	primary.close = close_after_all


def _note(primary: Any, query: str, pending: bool) -> None:
	"""Note what a statement, which is about to run on the primary, does to its transaction."""
	if dialect.commits_implicitly(query) or (pending and dialect.commits(query)):
		request_state().committed = True
	if dialect.closes_transaction(query):
		primary.read_replica_pending, primary.read_replica_in_transaction = 0, False
		primary.read_replica_is_seen = True
		return
	primary.read_replica_in_transaction = primary.read_replica_is_seen
	primary.read_replica_pending += dialect.opens_transaction(query)


def note_that_it_only_read(primary: Any) -> None:
	"""The transaction is known after all: nothing but core's reads was in it before it was watched."""
	primary.read_replica_is_seen = primary.read_replica_in_transaction = True


def pending_writes(primary: Any) -> int:
	"""Grows with each write, row lock and savepoint of the primary's transaction; 0 without.

	A result that is being read row by row counts as well: to end the transaction would end it.
	"""
	noted = getattr(primary, "read_replica_pending", 0)
	return primary.transaction_writes + noted + is_giving_rows(primary)


def is_giving_rows(primary: Any) -> bool:
	"""Whether a result may be read row by row: a statement on the same connection would end it."""
	return "SSCursor" in type(getattr(primary, "_cursor", None)).__name__


def end_transaction(primary: Any) -> None:
	"""End the primary's idle transaction, so that a long report does not keep its snapshot open.

	Only where `watch` has seen every statement, and by a commit below Frappe's own, which would run
	callbacks that wait for the request's end.
	"""
	if getattr(primary, "read_replica_in_transaction", False) and primary._conn:
		primary._conn.commit()
		primary.read_replica_in_transaction = False
