# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A rule, which names the server of a job, and a set of rules, which finds the most specific one for a job.

A rule is for a method, or for several by a glob such as `erpnext.stock.*`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from read_replica.config.patterns import Patterns, is_pattern, matcher
from read_replica.engine.settings import AS_CONFIGURED, Need

TAKEOVER_AFTER = 15 * 60

# A set caches the rules of so many methods.
MOST_ANSWERS = 10_000


@dataclass(frozen=True)
class Rule:
	"""The server that a job, or each job that a glob matches, belongs to.

	:param job: the dotted path of a method, or a glob over such paths
	:param server_id: the SERVER_ID of the server
	:param source: where the rule is written
	:param takeover_after: seconds of silence after which the default server runs its jobs; 0: never
	:param reads: where the job's reads go
	:param need: what they ask of a replica, if they go to one
	"""

	job: str
	server_id: str
	source: Literal["desk", "site_config", "common_site_config", "annotation", "default"]
	takeover_after: float = TAKEOVER_AFTER
	reads: Literal["primary", "replica"] = "primary"
	need: Need = AS_CONFIGURED

	@property
	def is_glob(self) -> bool:
		"""Whether the rule is for all methods that a pattern with * or ? matches."""
		return is_pattern(self.job)

	def matches(self, job: str) -> bool:
		"""Whether the rule is for this method."""
		return bool(self._match(job)) if self.is_glob else job == self.job

	@cached_property
	def _match(self) -> Callable:
		return matcher(self.job)


class RuleSet:
	"""The rules of one source; finds the most specific one for a job without trying them all.

	:param rules: in any order
	"""

	def __init__(self, rules: Iterable[Rule]) -> None:
		self.all = tuple(rules)
		self.servers = frozenset(rule.server_id for rule in self.all)
		self._patterns = Patterns((rule.job, rule) for rule in self.all)
		self._answers: dict[str, Rule | None] = {}

	def rule_for(self, job: str) -> Rule | None:
		"""Returns the most specific rule that matches a job; None if there is none."""
		if job in (answers := self._answers):
			return answers[job]
		if len(answers) >= MOST_ANSWERS:
			answers = self._answers = {}
		answers[job] = rule = self._patterns.find(job)
		return rule
