# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the page Routed Methods shows: suggestions, and all that ran lately with where it reads and why."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import frappe
from frappe import _

from read_replica.database.host import shared_of_site
from read_replica.engine.shared.request_counts import RequestTally
from read_replica.policy import desk, site_policy, sources
from read_replica.policy.called import called_of
from read_replica.policy.rule_set import MethodRule
from read_replica.policy.rules import Rules, reason_never
from read_replica.policy.suggestions import LEAST_CALLS, suggestions
from read_replica.site import routing_of_site
from read_replica.watch import shares

SECONDS_OF_LATELY = 7 * 24 * 3600
AN_HOUR = 3600
JOB = "job:"

# What a page shows at most, by the time that it takes the primary; a search finds the others.
MOST_ROWS = 200


@dataclass(frozen=True)
class Row:
	"""A method, a list of REST, the desk or a job, and what its calls have done since they are counted.

	:param seconds: how long one call took on average
	:param primary_seconds_an_hour: how long the primary worked for it in an hour
	:param share_percent: how much of its reading replicas have answered; None: it has read nothing
	:param reads: where its next call reads
	:param why: in a sentence
	:param rule: the name of its row in Routed Method, if the desk has a rule for exactly this name
	:param source: who made that row
	:param can_change: whether a rule may say where it reads
	"""

	name: str
	calls: int
	seconds: float
	primary_seconds_an_hour: float
	share_percent: float | None
	has_written: bool
	seconds_ago: float
	reads: str
	why: str
	rule: str | None
	source: str | None
	can_change: bool


def of_page(search: str = "", reads: str = "") -> dict[str, Any]:
	"""Returns all that the page shows, as plain data. It asks the primary for four SELECTs.

	:param search: a part of the names that are wanted, in any case
	:param reads: replica or primary; empty: both
	"""
	shared = shared_of_site()
	counted, writers = shared.load_requests(), shared.load_writers()
	rules = Rules("", sources.load())
	settings = site_policy.values()
	found = suggestions(counted, rules)
	known = _KnownMethods(counted, writers, rules)
	after = time.time() - SECONDS_OF_LATELY
	wanted = [
		(name, tally)
		for name, tally in counted.items()
		if tally.last_seen >= after and search.lower() in name.lower()
	]
	wanted.sort(key=lambda one: (primary_seconds_an_hour(one[1]), one[1].seconds), reverse=True)
	# Where a method reads is found out for what is shown, and not for thousands of names.
	rows = (known.row(name, tally) for name, tally in wanted)
	shown = list(islice((row for row in rows if reads in ("", row.reads)), MOST_ROWS + 1))
	return {
		"routing": routing_of_site().router is not None,
		"paused": settings.get("paused") == "1",
		"moves_by_itself": settings.get("auto") == "1",
		"share_percent": shares.replica_share(shares.of_last_hour()),
		"suggestions": [
			{"name": one.name, "calls": one.calls, "seconds_an_hour": one.seconds_an_hour} for one in found
		],
		"rows": [asdict(row) for row in shown[:MOST_ROWS]],
		"has_more": len(shown) > MOST_ROWS,
		"counted": len(counted),
	}


def primary_seconds_an_hour(tally: RequestTally) -> float:
	"""Returns how long the primary works for a method in an hour; one that is seen for less counts as seen for an hour."""
	return tally.primary_seconds * AN_HOUR / max(AN_HOUR, tally.last_seen - tally.first_seen)


class _KnownMethods:
	"""What rows are made from: counts, writers, rules, and the rows of Routed Method."""

	def __init__(
		self, counted: Mapping[str, RequestTally], writers: Mapping[str, float], rules: Rules
	) -> None:
		self._counted = counted
		self._writers = writers
		self._rules = rules
		rows = frappe.get_all(desk.DOCTYPE, fields=["name", "method", "subject", "report", "source"])
		self._in_desk = {desk.name_of(row.method, row.report or row.subject): row for row in rows}

	def row(self, name: str, tally: RequestTally) -> Row:
		reads, why, can_change = self._decision(name, tally)
		statements = tally.primary_statements + tally.replica_statements
		of_desk = self._in_desk.get(name)
		return Row(
			name=name,
			calls=tally.calls,
			seconds=tally.seconds / max(1, tally.calls),
			primary_seconds_an_hour=primary_seconds_an_hour(tally),
			share_percent=100 * tally.replica_statements / statements if statements else None,
			has_written=bool(tally.writes or tally.last_write),
			seconds_ago=max(0, time.time() - tally.last_seen),
			reads=reads,
			why=why,
			rule=of_desk.name if of_desk and of_desk.source != "Shipped" else None,
			source=of_desk.source if of_desk else None,
			can_change=can_change,
		)

	def _decision(self, name: str, tally: RequestTally) -> tuple[str, str, bool]:
		"""Returns where a method reads, why, and whether a rule may change that."""
		if name.startswith(JOB):
			reads = "replica" if tally.replica_statements > tally.primary_statements else "primary"
			return reads, _("A job: its rule stands in Scheduler Config."), False
		called = called_of(name)
		if str(called) != name:
			# A bracket within the name would make another rule of it.
			return "primary", _("No rule can name it."), False
		if reason := reason_never(called):
			return "primary", _("Never on a replica: {0}").format(_(reason)), False
		rule = self._rules.rule_for(called)
		if name in self._writers and (rule is None or rule.where != "primary"):
			return "primary", _("It was caught writing, and stays on the primary for a day."), True
		if rule and rule.where != "default":
			return rule.where, _why(rule), True
		if not self._rules.needs_a_scope(called.method):
			return "replica", _("Its function is decorated as read-only."), True
		if rule:
			return "primary", _why(rule), True
		if tally.writes or tally.last_write:
			return "primary", _("It has written in {0} of {1} calls.").format(tally.writes, tally.calls), True
		if tally.calls < LEAST_CALLS:
			return (
				"primary",
				_("No rule. Calls so far: {0}, none of which has written.").format(tally.calls),
				True,
			)
		return "primary", _("No rule. It has never written in {0} calls.").format(tally.calls), True


def _why(rule: MethodRule) -> str:
	said_by = {
		"desk": _("A rule of the desk"),
		"site_config": _("A rule in site_config.json"),
		"app": _("A rule of an app"),
		"shipped": _("The shipped list"),
	}[rule.source]
	return f"{said_by}: {_(rule.reason)}" if rule.reason else f"{said_by}."
