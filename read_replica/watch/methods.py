# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Lists the rules for methods, with what is counted of the requests that call them."""

from dataclasses import asdict
from typing import Any

from read_replica.database.host import shared_of_site
from read_replica.policy import sources
from read_replica.policy.rules import rules_of
from read_replica.policy.suggestions import suggestions
from read_replica.site import router_of_site


def suggested() -> list[dict[str, Any]]:
	"""Returns the methods that could read on a replica; what would take most off the primary comes first."""
	router = router_of_site()
	if router is None:
		return []
	found = suggestions(shared_of_site().load_requests(), rules_of(router))
	return [
		{
			"method": one.name,
			"calls": one.calls,
			"primary_seconds_per_hour": round(one.seconds_an_hour, 3),
			"reason": one.reason,
		}
		for one in found
	]


def rows() -> list[dict[str, Any]]:
	"""Returns all rules of the site in the order in which they count: by their source, then by their name.

	Each with what was counted of the requests under exactly its name; None where none was counted. What a rule asks
	of a replica is in `need`; what it leaves open is as the site is configured.
	"""
	counted = shared_of_site().load_requests()
	return [
		{
			"method": rule.name,
			"where": rule.where,
			"source": rule.source,
			"need": {key: value for key, value in asdict(rule.need).items() if value is not None},
			"reason": rule.reason,
			"calls": tally.calls if tally else None,
			"seconds": round(tally.seconds, 3) if tally else None,
			"wrote": bool(tally.writes) if tally else None,
		}
		for rules in sources.load()
		for rule in sorted(rules.all, key=lambda rule: rule.name)
		for tally in (counted.get(rule.name),)
	]
