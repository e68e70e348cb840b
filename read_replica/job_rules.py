# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which server a scheduled job belongs to.

The desk's rules go before those of site_config.json, these before the job's own annotation, and that
before the default server. A rule names a method, or several by a glob such as `erpnext.stock.*`; among
those of one place that fit, the most specific one counts.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Literal

import frappe
from frappe import _

from read_replica import annotations
from read_replica.logs import log_event

DEFAULT_SERVER = "primary"
CONFIG_KEY = "scheduler_config"
WILDCARDS = "*?"
PATH_OR_GLOB = re.compile(r"(?!\d)[\w*?]+(\.(?!\d)[\w*?]+)*")


@dataclass(frozen=True)
class Rule:
	"""The server that enqueues a job, or all jobs that a glob fits, and where that is written."""

	job: str
	server_id: str
	source: Literal["desk", "site_config", "annotation", "default"]

	@property
	def is_glob(self) -> bool:
		return any(wildcard in self.job for wildcard in WILDCARDS)

	def fits(self, job: str) -> bool:
		return fnmatchcase(job, self.job) if self.is_glob else job == self.job


class Rules:
	"""The rules of one place."""

	def __init__(self, rules: Iterable[Rule]):
		self.all = tuple(rules)
		self._exact = {rule.job: rule for rule in self.all if not rule.is_glob}
		# The more characters are given, the more specific; of two alike, the first by the alphabet.
		globs = sorted((rule for rule in self.all if rule.is_glob), key=lambda rule: rule.job)
		self._globs = sorted(globs, key=_given_characters, reverse=True)

	def rule_for(self, job: str) -> Rule | None:
		"""The most specific rule that fits."""
		return self._exact.get(job) or next((rule for rule in self._globs if rule.fits(job)), None)


def _given_characters(rule: Rule) -> int:
	return sum(character not in WILDCARDS for character in rule.job)


def rule_for(job: str) -> Rule:
	"""The rule for a scheduled method."""
	for rules in _known_rules():
		if rule := rules.rule_for(job):
			return rule
	return Rule(job, DEFAULT_SERVER, "default")


def _known_rules() -> tuple[Rules, ...]:
	"""All rules of the site; read once per request, or per tick of the scheduler."""
	known = getattr(frappe.local, "read_replica_rules", None)
	if known is None:
		known = (Rules(_from_desk()), Rules(_from_site_config()), Rules(_from_annotations()))
		frappe.local.read_replica_rules = known
	return known


def forget_rules() -> None:
	"""Read the rules anew when they are next asked for."""
	frappe.local.read_replica_rules = None


def rules_without_job() -> list[tuple[Rule, list[str]]]:
	"""Rules that fit nothing that is scheduled on this site, each with methods of a similar name."""
	scheduled = _scheduled_methods()
	desk, site_config, _annotated = _known_rules()
	return [
		(rule, similar_to(rule.job, scheduled))
		for rule in (*desk.all, *site_config.all)
		if not any(rule.fits(job) for job in scheduled)
	]


def similar_to(job: str, scheduled: Iterable[str]) -> list[str]:
	"""Scheduled methods that somebody may have meant who wrote this one."""
	return get_close_matches(job.strip(WILDCARDS), list(scheduled), n=3, cutoff=0.6)


def _scheduled_methods() -> list[str]:
	return frappe.get_all("Scheduled Job Type", pluck="method", distinct=True, order_by="method")


def _from_desk() -> Iterable[Rule]:
	# Also asked while a migrate has not made the table yet; then there is no rule.
	if not frappe.db.table_exists("Scheduler Config", cached=False):
		return
	for row in frappe.get_all("Scheduler Config", filters={"enabled": 1}, fields=["job", "server_id"]):
		yield Rule(row.job, row.server_id, "desk")


def _from_site_config() -> Iterable[Rule]:
	sound, problems = _split_by_soundness(frappe.local.conf.get(CONFIG_KEY))
	for problem in problems:
		log_event("configuration", problem=problem)
	for row in sound:
		yield Rule(row["job"].strip(), row["server_id"].strip(), "site_config")


def _from_annotations() -> Iterable[Rule]:
	for job, server_id in annotations.known().items():
		yield Rule(job, server_id, "annotation")


def problems_of_site_config() -> list[str]:
	"""What is wrong with `scheduler_config` in site_config.json, in sentences."""
	return _split_by_soundness(frappe.local.conf.get(CONFIG_KEY))[1]


def _split_by_soundness(rows: object) -> tuple[list[dict], list[str]]:
	"""The rules that can be used, and a sentence about each of the others."""
	example = 'Write {"job": "dotted.path.of.the.method", "server_id": "primary"}.'
	if rows is None:
		return [], []
	if not isinstance(rows, list):
		return [], [f"{CONFIG_KEY}: {rows!r} is not a list of rules. {example}"]
	sound = [row for row in rows if _is_sound(row)]
	return sound, [f"{CONFIG_KEY}: {row!r} is not a rule. {example}" for row in rows if not _is_sound(row)]


def _is_sound(row: object) -> bool:
	if not isinstance(row, dict):
		return False
	return all(isinstance(row.get(key), str) and row[key].strip() for key in ("job", "server_id"))


def check_job(job: str) -> None:
	"""Raise a message for people if `job` can be neither a method nor a glob; warn if it fits none.

	One that fits nothing now is accepted: the rule may come before the app does.
	"""
	is_glob = Rule(job, "", "desk").is_glob
	if not PATH_OR_GLOB.fullmatch(job) or not (is_glob or "." in job):
		frappe.throw(
			_(
				"{0} is neither the dotted path of a method, such as erpnext.stock.reorder_item.reorder_item,"
				" nor a pattern, such as erpnext.stock.*"
			).format(frappe.bold(job))
		)
	scheduled = _scheduled_methods()
	if not any(Rule(job, "", "desk").fits(method) for method in scheduled):
		similar = similar_to(job, scheduled)
		hint = " " + _("Did you mean {0}?").format(", ".join(similar)) if similar else ""
		frappe.msgprint(
			_("No job that is scheduled on this site is called {0}.").format(frappe.bold(job)) + hint,
			indicator="orange",
			alert=True,
		)
