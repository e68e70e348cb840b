# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Finds out which rules for methods nginx can follow: it sees the path of a request and `cmd` in its address.

It does not see what a method works for, nor a method that is named in the body. A request that stays on the app
server for that reason is answered as before; one that goes to the reporting server is still routed there by all rules.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from read_replica.config.patterns import Patterns, is_pattern, most_specific_first

# The lists of REST, by their names in rules.
LISTS = ("/api/resource", "/api/v2/document")

# They read, and note in the Access Log that somebody has taken data away, or put an export into a queue.
EXPORTS = ("frappe.desk.query_report.export_query", "frappe.desk.reportview.export_query")

# What may stand in nginx's configuration: nothing that could end a word there, begin a variable or a comment.
SAFE = re.compile(r"[\w.*?/ &()\[\],:+@-]+")

HIDES_ITS_SUBJECT = (
	"nginx does not see what a method works for; the method goes where the rule for all of it says"
)
IS_A_PAGE = "a page names the hashed assets of the server that makes it, so pages stay on the app server"
IS_UNSAFE = "its name has characters that are not written into a configuration of nginx"


class Rule(NamedTuple):
	"""A rule for a method, a list of REST or a page, or a pattern over such names; perhaps for one subject."""

	name: str
	where: str

	@property
	def method(self) -> str:
		"""Its name without the subject."""
		return self.name.partition("(")[0]

	@property
	def subject(self) -> str:
		"""What it is for, such as Item in `/api/resource(Item)`; empty: for all."""
		return self.name.partition("(")[2].removesuffix(")")


class Policy(NamedTuple):
	"""The rules of a site.

	:param reads: whether a call only reads, by the name of its method or list, and by its subject
	:param sets: the rules of each source, in the order in which they count
	:param never: patterns of methods that are never routed
	:param decorated: methods that are read-only by themselves
	"""

	reads: Callable[[str, str], bool]
	sets: Sequence[Sequence[Rule]]
	never: Sequence[str] = ()
	decorated: Sequence[str] = ()


class Route(NamedTuple):
	"""Where calls go whose name is this, or matches it: the first route that matches counts."""

	name: str
	reads: bool


@dataclass(frozen=True)
class LeftOut:
	"""A rule that nginx cannot follow, and why."""

	rule: str
	reason: str


@dataclass(frozen=True)
class Visible:
	"""What nginx can follow.

	:param methods: whose name is in the path or in `cmd`
	:param lists: of REST, by their names in rules; routes are for doctypes, the last one being for all
	:param exports: those methods of EXPORTS that read; nginx does not send them a second time
	"""

	methods: list[Route]
	lists: dict[str, list[Route]]
	exports: list[str]
	left_out: list[LeftOut]


def visible(policy: Policy) -> Visible:
	"""Returns what nginx can follow of a site's rules."""
	rules = [rule for rules in policy.sets for rule in rules]
	left_out = [LeftOut(rule.name, reason) for rule in rules if (reason := _why_left_out(rule))]
	sets = [[rule for rule in rules if not _why_left_out(rule)] for rules in policy.sets]
	exports = [name for name in EXPORTS if policy.reads(name, "")]
	return Visible(
		methods=_routes_of_methods(policy, sets),
		lists={name: _routes_of_list(policy, sets, name) for name in LISTS},
		exports=exports,
		left_out=list(dict.fromkeys(left_out)),
	)


def _why_left_out(rule: Rule) -> str | None:
	if not SAFE.fullmatch(rule.name):
		return IS_UNSAFE
	if rule.method.startswith("/") and not any(Patterns([(rule.method, rule)]).find(name) for name in LISTS):
		return IS_A_PAGE
	if rule.subject and rule.method not in LISTS:
		return HIDES_ITS_SUBJECT
	return None


def _routes_of_methods(policy: Policy, sets: Sequence[Sequence[Rule]]) -> list[Route]:
	of_methods = [[rule for rule in rules if not rule.method.startswith("/")] for rules in sets]
	names = [rule.name for rules in of_methods for rule in rules if not is_pattern(rule.name)]
	known = [name for name in dict.fromkeys([*names, *policy.decorated]) if name not in EXPORTS]
	exact = sorted(Route(name, policy.reads(name, "")) for name in known)
	never = [Route(pattern, False) for pattern in policy.never if not pattern.startswith("/")]
	return _needed([*exact, *never, *_patterns(of_methods)])


def _routes_of_list(policy: Policy, sets: Sequence[Sequence[Rule]], name: str) -> list[Route]:
	of_subjects = [
		[Rule(rule.subject, rule.where) for rule in rules if rule.method == name and rule.subject]
		for rules in _up_to_one_for_all(sets, name)
	]
	exact = dict.fromkeys(rule.name for rules in of_subjects for rule in rules if not is_pattern(rule.name))
	by_subject = [Route(subject, policy.reads(name, subject)) for subject in exact]
	return _needed([*by_subject, *_patterns(of_subjects), Route("*", policy.reads(name, ""))])


def _up_to_one_for_all(sets: Sequence[Sequence[Rule]], name: str) -> Iterator[Sequence[Rule]]:
	"""Yields the sources that count for a list: those behind a rule for all of its doctypes do not."""
	for rules in sets:
		yield rules
		if Patterns((rule.name, rule) for rule in rules if not rule.subject).find(name):
			return


def _patterns(sets: Iterable[Sequence[Rule]]) -> list[Route]:
	"""Returns the patterns of all sources in the order in which they count. `default` promises nothing, and stays."""
	found = []
	for rules in sets:
		where = {rule.name: rule.where for rule in rules if is_pattern(rule.name)}
		found += [Route(name, where[name] == "replica") for name in most_specific_first(where)]
	return found


def _needed(routes: list[Route]) -> list[Route]:
	"""Returns routes without those at the end that say what nginx does anyway: stay on the app server."""
	while routes and not routes[-1].reads:
		routes = routes[:-1]
	return routes
