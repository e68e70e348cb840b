# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Rows of Read Replica Outage: what was found to be wrong, so that each outage is told once and its end once.

While an outage lasts, its row has a key of its kind and its subject, which is unique: of two servers that find the
same at the same time, one inserts the row, and tells. The functions belong into the transaction in which the notice
is written, so that a process that ends in between has neither noted nor told anything.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import frappe
from frappe.utils import now

from read_replica.database.bookkeeping import execute
from read_replica.watch.outages import Look, Outage

DOCTYPE = "Read Replica Outage"

# Of a column of type Data.
LONGEST_SUBJECT = 140

# The scheduler may be early by so much.
SECONDS_OF_JITTER = 30


class Change(NamedTuple):
	"""A row that is to be told of: an outage that has begun, or one that is over.

	:param name: of its row
	:param summary: what is wrong, or that it is over; without hosts
	:param details: for System Managers; empty for the end of an outage
	"""

	name: str
	kind: str
	has_begun: bool
	summary: str
	details: str = ""


class _Row(NamedTuple):
	name: str
	subject: str
	was_told: bool
	seconds: float


def note(kind: str, look: Look, say: Callable[[str], str]) -> list[Change]:
	"""Write what was found of one kind, without a commit; returns what this process is to tell.

	:param say: says a text in the language of the rows, and queries nothing
	"""
	open_rows = {row.subject: row for row in _open_rows(kind)}
	found = {outage.subject[:LONGEST_SUBJECT]: outage for outage in look.outages}
	changes = [_begin(kind, found[subject], open_rows.get(subject), say) for subject in sorted(found)]
	for subject in sorted(open_rows.keys() - found.keys() - look.undecided):
		changes.append(_end(kind, open_rows[subject], look))
	return [change for change in changes if change]


def _open_rows(kind: str) -> list[_Row]:
	rows = frappe.db.sql(
		"select name, subject, told_at is not null, timestampdiff(second, began_at, utc_timestamp(6))"
		f" from `tab{DOCTYPE}` where kind = %s and ended_at is null",
		kind,
	)
	return [_Row(*row) for row in rows]


def _begin(kind: str, outage: Outage, row: _Row | None, say: Callable[[str], str]) -> Change | None:
	"""Note an outage; returns the change if it is told now, and by this process."""
	if row and row.was_told:
		return None
	name = row.name if row else frappe.generate_hash(length=20)
	waits = outage.seconds_until_told > (row.seconds + SECONDS_OF_JITTER if row else 0)
	if row:
		is_ours = not waits and execute(
			f"update `tab{DOCTYPE}` set told_at = utc_timestamp(6), summary = %s, modified = %s"
			" where name = %s and told_at is null and ended_at is null",
			(say(outage.summary), now(), name),
		)
	else:
		is_ours = execute(
			f"insert ignore into `tab{DOCTYPE}` (name, creation, modified, owner, modified_by, kind, subject,"
			" summary, began_at, told_at, open_key)"
			" values (%(name)s, %(now)s, %(now)s, 'Administrator', 'Administrator', %(kind)s, %(subject)s,"
			" %(summary)s, utc_timestamp(6), if(%(waits)s, null, utc_timestamp(6)), %(key)s)",
			{
				"name": name,
				"now": now(),
				"kind": kind,
				"subject": outage.subject[:LONGEST_SUBJECT],
				"summary": say(outage.summary),
				"waits": waits,
				"key": hashlib.sha1(f"{kind}|{outage.subject}".encode(), usedforsecurity=False).hexdigest(),
			},
		)
	return Change(name, kind, True, outage.summary, outage.details) if is_ours and not waits else None


def _end(kind: str, row: _Row, look: Look) -> Change | None:
	"""End an outage; returns the change if it was told of, and this process is the one that ends it."""
	if not row.was_told:
		execute(f"delete from `tab{DOCTYPE}` where name = %s and told_at is null", (row.name,))
		return None
	is_ours = execute(
		f"update `tab{DOCTYPE}` set ended_at = utc_timestamp(6), open_key = null, modified = %s"
		" where name = %s and ended_at is null",
		(now(), row.name),
	)
	return Change(row.name, kind, False, look.is_over(row.subject)) if is_ours else None
