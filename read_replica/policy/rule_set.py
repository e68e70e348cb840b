# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A rule, which says where a method reads, and a set of rules, which finds the one for a call."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Literal

from read_replica.engine.settings import Need
from read_replica.policy.called import Called

Where = Literal["replica", "primary", "default"]
Source = Literal["desk", "site_config", "app", "shipped"]

WILDCARDS = "*?"

# All functions that run a report follow the rule of this one.
REPORTS = "frappe.desk.query_report.run"


@dataclass(frozen=True)
class MethodRule:
	"""Where a method reads, or each method that a pattern matches.

	:param name: a dotted path, `method(subject)`, `/api/resource(Item)`, or a pattern over such names
	:param where: "default": where it would read without this app's rules
	:param source: where the rule is written
	:param need: what its reads ask of a replica
	:param remembers_writes: whether the method stays on the primary for a day once it was caught writing
	"""

	name: str
	where: Where
	source: Source
	need: Need = field(default_factory=Need)
	reason: str = ""
	remembers_writes: bool = True

	@property
	def is_pattern(self) -> bool:
		"""Whether the rule is for all names that a pattern with * or ? matches."""
		return any(wildcard in self.name for wildcard in WILDCARDS)

	@property
	def has_subject(self) -> bool:
		"""Whether the rule is for one subject of a method, or for those that a pattern matches."""
		return self.name.endswith(")")


class RuleSet:
	"""The rules of one source.

	An exact name with a subject counts before the method alone, and both before patterns. Of several patterns, the
	one with the most characters beside wildcards counts; of two with as many, the first by the alphabet.
	"""

	def __init__(self, rules: Iterable[MethodRule]) -> None:
		self.all = tuple(rules)
		self._exact = {rule.name: rule for rule in self.all if not rule.is_pattern}
		patterns = sorted((rule for rule in self.all if rule.is_pattern), key=lambda rule: rule.name)
		patterns.sort(key=_given_characters, reverse=True)
		# Brackets are literal, as in the name of a Server Script.
		self._patterns = [(re.compile(translate(r.name.replace("[", "[[]"))).match, r) for r in patterns]

	def rule_for(self, called: Called) -> MethodRule | None:
		"""Returns the most specific rule for a call; None if there is none."""
		name = str(called)
		exact = self._exact.get(name) or self._exact.get(called.method)
		if exact:
			return exact
		for matches, rule in self._patterns:
			if matches(name if rule.has_subject else called.method):
				return rule
		return None


def _given_characters(rule: MethodRule) -> int:
	return sum(character not in WILDCARDS for character in rule.name)
