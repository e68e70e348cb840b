# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A rule, which names the server of a job, and a set of rules, which finds the most specific one for a job.

A rule is for a method, or for several by a glob such as `erpnext.stock.*`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Literal

from read_replica.engine.settings import Need

TAKEOVER_AFTER = 15 * 60
WILDCARDS = "*?"

# For a rule that says nothing of its replica: what the site's configuration asks of one.
AS_CONFIGURED = Need()

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
		return any(wildcard in self.job for wildcard in WILDCARDS)

	def matches(self, job: str) -> bool:
		"""Whether the rule is for this method."""
		return bool(self._match(job)) if self.is_glob else job == self.job

	@cached_property
	def _match(self) -> Callable:
		# Not fnmatch(), which caches 256 patterns. Brackets are literal, as in the name of a Server Script.
		return re.compile(translate(self.job.replace("[", "[[]"))).match


class RuleSet:
	"""The rules of one source; finds the most specific one for a job without trying them all.

	:param rules: in any order
	"""

	def __init__(self, rules: Iterable[Rule]) -> None:
		self.all = tuple(rules)
		self.servers = frozenset(rule.server_id for rule in self.all)
		self._exact = {rule.job: rule for rule in self.all if not rule.is_glob}
		# The more characters beside wildcards, the more specific; of two with as many, the first by the
		# alphabet.
		globs = sorted((rule for rule in self.all if rule.is_glob), key=lambda rule: rule.job)
		globs.sort(key=_given_characters, reverse=True)
		# By what stands before their first wildcard, so that most need not be tried.
		self._globs = defaultdict(list)
		for rank, rule in enumerate(globs):
			self._globs[re.split(r"[*?]", rule.job)[0]].append((rank, rule))
		self._lengths = {len(beginning) for beginning in self._globs}
		self._answers: dict[str, Rule | None] = {}

	def rule_for(self, job: str) -> Rule | None:
		"""Returns the most specific rule that matches a job; None if there is none."""
		if job in (answers := self._answers):
			return answers[job]
		if len(answers) >= MOST_ANSWERS:
			answers = self._answers = {}
		answers[job] = rule = self._exact.get(job) or self._most_specific_glob(job)
		return rule

	def _most_specific_glob(self, job: str) -> Rule | None:
		begin_alike = [each for length in self._lengths for each in self._globs.get(job[:length], ())]
		return next((rule for _, rule in sorted(begin_alike, key=_rank) if rule.matches(job)), None)


def _rank(ranked: tuple[int, Rule]) -> int:
	return ranked[0]


def _given_characters(rule: Rule) -> int:
	return sum(character not in WILDCARDS for character in rule.job)
