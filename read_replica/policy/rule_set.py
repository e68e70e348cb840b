# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A rule, which says where a method reads, and a set of rules, which finds the one for a call."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from read_replica.config.patterns import Patterns
from read_replica.engine.settings import AS_CONFIGURED, Need
from read_replica.policy.called import Called

Where = Literal["replica", "primary", "default"]
Source = Literal["desk", "site_config", "app", "shipped"]

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
	need: Need = AS_CONFIGURED
	reason: str = ""
	remembers_writes: bool = True

	@property
	def has_subject(self) -> bool:
		"""Whether the rule is for one subject of a method, or for those that a pattern matches."""
		return self.name.endswith(")")


class RuleSet:
	"""The rules of one source. Rules for a subject count before those for a method and all that it works for."""

	def __init__(self, rules: Iterable[MethodRule]) -> None:
		self.all = tuple(rules)
		self._for_subjects = Patterns((rule.name, rule) for rule in self.all if rule.has_subject)
		self._for_methods = Patterns((rule.name, rule) for rule in self.all if not rule.has_subject)

	def rule_for(self, called: Called) -> MethodRule | None:
		"""Returns the most specific rule for a call; None if there is none."""
		of_subject = self._for_subjects.find(str(called)) if called.subject else None
		return of_subject or self._for_methods.find(called.method)
