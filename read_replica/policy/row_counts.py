# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Keeps in the rows of Routed Method what the requests have done that each of them is for."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import frappe
from frappe.utils import now_datetime

from read_replica.engine.shared.request_counts import RequestTally
from read_replica.policy import desk, sources
from read_replica.policy.called import called_of
from read_replica.policy.rules import Rules


def renew(counted: Mapping[str, RequestTally]) -> None:
	"""Write what has changed into the rows, and leave their `modified` alone.

	:param counted: what is known of requests by their names
	"""
	done = of_rules(counted, Rules("", sources.load()))
	rows = frappe.get_all(desk.DOCTYPE, fields=["name", "method", "subject", "report", "calls", "writes"])
	for row in rows:
		tally = done.get(desk.name_of(row.method, row.report or row.subject))
		if tally and (tally.calls, tally.writes) != (row.calls, row.writes):
			frappe.db.set_value(desk.DOCTYPE, row.name, _columns(tally), update_modified=False)
			# Each in a transaction of its own: an administrator may be saving one of them.
			frappe.db.commit()


def of_rules(counted: Mapping[str, RequestTally], rules: Rules) -> dict[str, RequestTally]:
	"""Returns what the requests that each rule is for have done together, by the rule's name."""
	done: dict[str, RequestTally] = {}
	for name, tally in counted.items():
		rule = rules.rule_for(called_of(name))
		if rule:
			done.setdefault(rule.name, RequestTally(first_seen=tally.first_seen)).add(tally)
	return done


def _columns(tally: RequestTally) -> dict[str, float | datetime | None]:
	return {
		"calls": tally.calls,
		"seconds": tally.seconds,
		"rows_read": tally.rows,
		"writes": tally.writes,
		"last_write": _in_the_desk(tally.last_write),
		"last_call": _in_the_desk(tally.last_seen),
	}


def _in_the_desk(seconds: float) -> datetime | None:
	"""Returns a time.time() as the desk shows it, in the site's time zone; None for 0, never."""
	return now_datetime() - timedelta(seconds=time.time() - seconds) if seconds else None
