# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Suggests methods that could read on a replica: by what their requests have read, and never written, so far."""

from collections.abc import Mapping
from typing import NamedTuple

from frappe import _

from read_replica.engine.shared.request_counts import RequestTally
from read_replica.policy.called import called_of
from read_replica.policy.rules import Rules, is_never_routed

# What was seen less often, or for less time, may write all the same.
LEAST_CALLS = 200
LEAST_SECONDS_KNOWN = 2 * 24 * 3600

# What takes the primary less time than this in an hour is not worth a decision.
LEAST_SECONDS_AN_HOUR = 0.1

AN_HOUR = 3600


class Suggestion(NamedTuple):
	"""A method that reads on the primary and has never written.

	:param name: as rules name it
	:param seconds_an_hour: how long the primary works for its statements in an hour, on average since it is known
	"""

	name: str
	calls: int
	seconds_an_hour: float

	@property
	def reason(self) -> str:
		"""Why it is suggested, in a sentence."""
		return _("It has never written in {0} calls, and takes {1} s an hour of the primary.").format(
			self.calls, f"{self.seconds_an_hour:.1f}"
		)


def suggestions(counted: Mapping[str, RequestTally], rules: Rules) -> list[Suggestion]:
	"""Returns the methods that no rule is for, that read much and have never written; what gains most comes first.

	:param counted: what is known of requests by their names
	"""
	found = [
		Suggestion(name, tally.calls, _seconds_an_hour(tally))
		for name, tally in counted.items()
		# Rules are asked last: a site may have thousands of names.
		if _is_known_well(tally)
		and _seconds_an_hour(tally) >= LEAST_SECONDS_AN_HOUR
		and not _has_written_for_any(name, counted)
		and _is_free(name, rules)
	]
	return sorted(found, key=lambda one: one.seconds_an_hour, reverse=True)


def _seconds_an_hour(tally: RequestTally) -> float:
	return tally.primary_seconds * AN_HOUR / (tally.last_seen - tally.first_seen)


def _is_known_well(tally: RequestTally) -> bool:
	return (
		tally.calls >= LEAST_CALLS
		and tally.last_seen - tally.first_seen >= LEAST_SECONDS_KNOWN
		and not tally.writes
		and not tally.last_write
	)


def _has_written_for_any(name: str, counted: Mapping[str, RequestTally]) -> bool:
	"""Returns whether the method has written in a request that is counted without a subject, as of website users."""
	tally = counted.get(called_of(name).method)
	return bool(tally and (tally.writes or tally.last_write))


def _is_free(name: str, rules: Rules) -> bool:
	"""Returns whether a rule may send this to a replica, and none is there for it, nor a decorator.

	Jobs have rules of their own. A name that is cut out of another one, as by a bracket in it, would be another rule.
	"""
	if name.startswith("job:"):
		return False
	called = called_of(name)
	if str(called) != name or is_never_routed(called) or rules.rule_for(called) is not None:
		return False
	return rules.needs_a_scope(called.method)
