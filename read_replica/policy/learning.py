# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Moves methods by what is counted of them: to replicas what only reads, back for good what writes after all.

A scheduled job. From its first write on, a method is kept on the primary by all processes, as any that is caught
writing; this makes it last, and says it in the desk.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import frappe

from read_replica.database.event_log import log_event
from read_replica.database.host import shared_of_site
from read_replica.engine.shared.request_counts import RequestTally
from read_replica.policy import desk, row_counts, sources
from read_replica.policy.rules import Rules
from read_replica.policy.suggestions import suggestions

# A Redis that was restarted counts as another one for as long.
MINUTES_A_REDIS_COUNTS = 15

# What is moved at once; the rest follows with the next run.
MOST_MOVES = 20


def learn() -> None:
	"""Renew what the rows of Routed Method say of their methods, and move methods. A step that fails is logged."""
	shared = shared_of_site()
	counted = shared.load_requests()
	_run("row_counts", partial(row_counts.renew, counted))
	writers = shared.load_writers()
	for row in _learned_rows():
		if has_written(row.title, counted, writers):
			_run(row.title, partial(desk.move_back, row.name))
	if sources.is_switched_on("auto") and not _uses_several_redises():
		found = suggestions(counted, Rules("", sources.load()))
		for one in [one for one in found if one.name not in writers][:MOST_MOVES]:
			_run(one.name, partial(desk.move, one.name, one.reason))


def _uses_several_redises() -> bool:
	"""Returns whether servers of the site have different cache Redises, or none: each counts only what it has seen."""
	[(number,)] = frappe.db.sql(
		"select count(distinct redis_id) from `tabCache Redis`"
		" where seen_at > utc_timestamp(6) - interval %s minute",
		MINUTES_A_REDIS_COUNTS,
	)
	return number > 1


def _run(name: str, step: Callable[[], object]) -> None:
	"""Run a step in a transaction of its own, so that one that fails spoils no other."""
	try:
		frappe.db.commit()
		step()
		frappe.db.commit()
	except Exception as error:
		frappe.db.rollback()
		log_event("learning_failed", of=name, error=f"{type(error).__name__}: {error}")


def _learned_rows() -> list[frappe._dict]:
	"""Returns the rows of methods that read on replicas because they have never written, each with its rule's name."""
	rows = frappe.get_all(
		"Routed Method",
		{"source": "Learned", "reads": "Replica"},
		["name", "method", "subject"],
	)
	return [row.update(title=desk.name_of(row.method, row.subject)) for row in rows]


def has_written(name: str, counted: Mapping[str, RequestTally], writers: Iterable[str]) -> bool:
	"""Returns whether a method has committed a write, or was caught writing in a read-only scope.

	:param counted: what is known of requests by their names
	:param writers: the methods that were caught writing
	"""
	tally = counted.get(name)
	return name in writers or bool(tally and (tally.writes or tally.last_write))
