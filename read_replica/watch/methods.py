# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Gathers the rules for methods, what is counted of the requests that call them, and what could move."""

from read_replica.database.host import shared_of_site
from read_replica.engine.shared.request_counts import RequestTally
from read_replica.policy import sources
from read_replica.policy.rule_set import MethodRule
from read_replica.policy.rules import Rules
from read_replica.policy.suggestions import suggestions
from read_replica.watch.reports import Methods, Rule, Suggestion
from read_replica.watch.status import head


def methods(changed: str | None = None) -> Methods:
	"""Returns all rules of the site, by their source and then by their name, and what could read on a replica.

	:param changed: what was changed just now, in a sentence
	"""
	counted = shared_of_site().load_requests()
	sets = sources.load()
	return Methods(
		**head(),
		changed=changed,
		rules=[
			_rule(rule, counted.get(rule.name))
			for rules in sets
			for rule in sorted(rules.all, key=lambda rule: rule.name)
		],
		suggestions=[
			Suggestion(one.name, one.calls, round(one.seconds_an_hour, 3), one.reason)
			for one in suggestions(counted, Rules("", sets))
		],
	)


def _rule(rule: MethodRule, tally: RequestTally | None) -> Rule:
	return Rule(
		method=rule.name,
		reads=rule.where,
		rule_from=rule.source,
		consistency=rule.need.consistency,
		max_lag_seconds=rule.need.max_lag,
		pool=rule.need.pool,
		timeout_seconds=rule.need.timeout,
		reason=rule.reason or None,
		calls=tally.calls if tally else None,
		seconds=round(tally.seconds, 3) if tally else None,
		has_written=bool(tally.writes) if tally else None,
	)
