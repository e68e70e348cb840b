# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The rules that count now, as this process knows them, and with them the policy of the site.

They are read again when the revision changes that every process hears of with the health of the replicas. A process
whose watchdog rests asks the primary instead.
"""

import time
from fnmatch import fnmatchcase

import frappe

from read_replica.core.whitelist import is_overridden, opens_a_scope_itself
from read_replica.database import revision, transaction
from read_replica.engine.router import Router
from read_replica.engine.settings import AS_CONFIGURED, Need
from read_replica.policy import site_policy, sources
from read_replica.policy.called import Called, called_of
from read_replica.policy.rule_set import REPORTS, MethodRule, RuleSet
from read_replica.policy.shipped import NEVER, READS, REMEMBERS_NO_WRITES

# A revision that was heard of so long ago may have changed: the primary is asked.
SECONDS_A_REVISION_HOLDS = 1.9

# How often at most the rules are looked at again.
SECONDS_BETWEEN_LOOKS = 0.25

# What is decided for so many names is kept.
MOST_DECISIONS = 10_000

MODULE_OF_REPORTS = REPORTS.rpartition(".")[0]


class Rules:
	"""The rules of all sources at one revision.

	:param sets: the rules of each source, in the order in which they count
	:param looked_at: the time.monotonic() at which they were as they are here
	"""

	def __init__(
		self, revision: str | None, sets: tuple[RuleSet, ...], looked_at: float = float("-inf")
	) -> None:
		self.revision = revision
		self.sets = sets
		self.looked_at = looked_at
		self._rules: dict[Called, MethodRule | None] = {}
		self._needs: dict[str, Need | None] = {}
		self._scopes: dict[str, bool] = {}

	def rule_for(self, called: Called) -> MethodRule | None:
		"""Returns the rule that counts for a call; None: it reads where it would without this app's rules."""
		try:
			return self._rules[called]
		except KeyError:
			if len(self._rules) >= MOST_DECISIONS:
				self._rules = {}
			rule = self._rules[called] = self._find(called)
			return rule

	def _find(self, called: Called) -> MethodRule | None:
		if is_never_routed(called):
			return None
		for rules in self.sets:
			if rule := rules.rule_for(called):
				# What was read in core's function says nothing about one that stands in its place.
				return None if rule.source == "shipped" and is_overridden(called.method) else rule
		return None

	def need_of(self, name: str) -> Need | None:
		"""Returns what a decorated function asks of a replica; None: it is to read from the primary."""
		# Each decorated call pays for this.
		if name not in self._needs:
			if len(self._needs) >= MOST_DECISIONS:
				self._needs = {}
			self._needs[name] = self._find_need(name)
		return self._needs[name]

	def _find_need(self, name: str) -> Need | None:
		called = called_of(name)
		if called.method.startswith(MODULE_OF_REPORTS):
			# A report reads at the same place whether it is shown, drawn, exported, mailed or prepared.
			called = called._replace(method=REPORTS)
		rule = self._find(called)
		if rule is None or rule.where == "default":
			return AS_CONFIGURED
		return None if rule.where == "primary" else rule.need

	def needs_a_scope(self, method: str) -> bool:
		"""Returns whether a scope is to be opened around a method: it opens none itself."""
		if method not in self._scopes:
			self._scopes[method] = not opens_a_scope_itself(method)
		return self._scopes[method]


def is_never_routed(called: Called) -> bool:
	"""Returns whether a call stays where it is, whatever a rule says, as it writes or decides what is written."""
	return reason_never(called) is not None


def reason_never(called: Called) -> str | None:
	"""Returns why a call is never routed; None if a rule may send it to a replica."""
	if str(called) in READS or str(called) in REMEMBERS_NO_WRITES:
		return None
	return next((reason for pattern, reason in NEVER.items() if fnmatchcase(called.method, pattern)), None)


_of_process: dict[str, tuple[Router, Rules]] = {}


def rules_of(router: Router) -> Rules:
	"""Returns the rules of the current site; they are two seconds old at most."""
	site = frappe.local.site
	made_for, rules = _of_process.get(site, (None, None))
	health = router.health
	if rules is not None and made_for is router:
		if rules.revision == health.revision and health.revision_age < SECONDS_A_REVISION_HOLDS:
			return rules
		if time.monotonic() - rules.looked_at < SECONDS_BETWEEN_LOOKS:
			return rules
	else:
		# The site's configuration has changed, and with it perhaps the rules in there.
		rules = None
	rules = _look_again(router, rules)
	_of_process[site] = router, rules
	return rules


def _look_again(router: Router, known: Rules | None) -> Rules:
	looked_at = time.monotonic()
	with router.primary() as primary:
		if transaction.is_giving_rows(primary):
			# A statement would end that result.
			return known or Rules(None, ())
		if router.host.pending_writes(primary):
			# Its snapshot may be from long ago, and would pass for new with all threads. Such a call stays on the primary.
			if known is not None:
				return known
		else:
			router.host.end_transaction(primary)
		# Before the rules, and in their transaction: what it names is in them. The one that was heard of may be newer
		# than this transaction's snapshot.
		now = revision.current()
		if known is not None and known.revision == now:
			known.looked_at = looked_at
			return known
		policy = site_policy.load()
		router.follow(policy.defaults, policy.paused)
		return Rules(now, sources.load(), looked_at)


def need_of(router: Router, name: str) -> Need | None:
	"""Returns what a function that is decorated as read-only asks of a replica; None: it is to read from the primary.

	:param name: under which the function is counted, such as `frappe.desk.query_report.run(Stock Balance)`
	"""
	return rules_of(router).need_of(name)
