# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells which server a job belongs to, by the first source that has a rule for it.

The sources, in this order: the desk, site_config.json, common_site_config.json, the job's own annotation;
with none, the job belongs to the default server. Of several rules of one source that match, the most
specific counts.
"""

import time

import frappe

from read_replica.jobs import annotations, rule_sources
from read_replica.jobs.rule_set import Rule, RuleSet

DEFAULT_SERVER = "primary"

# Cached for requests that enqueue jobs, as each would have to look whether rules have changed.
SECONDS_KNOWN = 5.0


def rule_for(job: str) -> Rule:
	"""Returns the rule for a method by its dotted path; one with source "default" if none matches."""
	for rules in cached_rules():
		if rule := rules.rule_for(job):
			return rule
	return Rule(job, DEFAULT_SERVER, "default", rule_sources.default_takeover_after())


# By site: when the sources were last read, by time.monotonic(), their fingerprint then, and the rules.
_of_process: dict[str, tuple[float, tuple, tuple[RuleSet, ...]]] = {}


def cached_rules() -> tuple[RuleSet, ...]:
	"""Returns the rules of each source, in the order in which they count; at most five seconds old."""
	looked_at, fingerprint, known = _of_process.get(frappe.local.site, (float("-inf"), (), ()))
	if time.monotonic() - looked_at > SECONDS_KNOWN:
		now = _fingerprint()
		if now != fingerprint:
			fingerprint, known = now, _load()
		_of_process[frappe.local.site] = time.monotonic(), fingerprint, known
	return known


def forget_rules() -> None:
	"""Let the next use of this site's rules look whether they have changed."""
	_, *known = _of_process.get(frappe.local.site, (float("-inf"), (), ()))
	_of_process[frappe.local.site] = float("-inf"), *known


def named_servers() -> set[str]:
	"""Returns the ids of all servers that a rule names, and of the default server."""
	return {DEFAULT_SERVER}.union(*(rules.servers for rules in cached_rules()))


def _fingerprint() -> tuple:
	"""Returns what changes with the rules, and is read faster than a thousand of them."""
	return (
		rule_sources.default_takeover_after(),
		rule_sources.rows_of_config_files(),
		annotations.load(),
		rule_sources.checksum_of_desk(),
	)


def _load() -> tuple[RuleSet, ...]:
	takeover_after = rule_sources.default_takeover_after()
	of_site, of_bench = rule_sources.rows_of_config_files()
	return (
		RuleSet(rule_sources.from_desk(takeover_after)),
		RuleSet(rule_sources.from_config(of_site, "site_config", takeover_after)),
		RuleSet(rule_sources.from_config(of_bench, "common_site_config", takeover_after)),
		RuleSet(
			Rule(job, server_id, "annotation", takeover_after)
			for job, server_id in annotations.load().items()
		),
	)
