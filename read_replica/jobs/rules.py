# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which server a job belongs to.

The desk's rules go before those of site_config.json, these before those of common_site_config.json, then
comes the job's own annotation, and then the default server. A rule names a method, or several by a glob
such as `erpnext.stock.*`; among those of one place that fit, the most specific one counts.
"""

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Any, Literal

import frappe

from read_replica.database.event_log import log_event
from read_replica.engine.settings import Need
from read_replica.jobs import annotations

DEFAULT_SERVER = "primary"
CONFIG_KEY = "scheduler_config"
TAKEOVER_KEY = "scheduler_takeover_after"
TAKEOVER_AFTER = 15 * 60
WILDCARDS = "*?"
KEYS = ("job", "server_id", "takeover_after", "reads", "consistency", "max_lag")

# What a rule asks of a replica that says nothing of it.
AS_CONFIGURED = Need()

# For requests that put a job into a queue: each would have to read the rules again.
SECONDS_KNOWN = 5.0

# Of the methods that were asked for, as many answers are kept.
MOST_ANSWERS = 10_000


@dataclass(frozen=True)
class Rule:
	"""The server that a job, or all jobs that a glob fits, belongs to, and where that is written.

	:param takeover_after: seconds after which the default server runs the jobs of a server that is gone; 0: never
	:param reads: where the job's reads go
	:param need: what they ask of a replica, where they go to one
	"""

	job: str
	server_id: str
	source: Literal["desk", "site_config", "common_site_config", "annotation", "default"]
	takeover_after: float = TAKEOVER_AFTER
	reads: Literal["primary", "replica"] = "primary"
	need: Need = AS_CONFIGURED

	@property
	def is_glob(self) -> bool:
		return any(wildcard in self.job for wildcard in WILDCARDS)

	def matches(self, job: str) -> bool:
		return bool(self._match(job)) if self.is_glob else job == self.job

	@cached_property
	def _match(self) -> Callable:
		# fnmatch itself keeps 256 patterns. The name of a Server Script, and so its method, may hold brackets.
		return re.compile(translate(self.job.replace("[", "[[]"))).match


class Rules:
	"""The rules of one place."""

	def __init__(self, rules: Iterable[Rule]):
		self.all = tuple(rules)
		self.servers = frozenset(rule.server_id for rule in self.all)
		self._exact = {rule.job: rule for rule in self.all if not rule.is_glob}
		# The more characters are given, the more specific; of two alike, the first by the alphabet.
		globs = sorted((rule for rule in self.all if rule.is_glob), key=lambda rule: rule.job)
		globs.sort(key=_given_characters, reverse=True)
		# By what stands before their first wildcard: most do not have to be looked at.
		self._globs = defaultdict(list)
		for rank, rule in enumerate(globs):
			self._globs[re.split(r"[*?]", rule.job)[0]].append((rank, rule))
		self._lengths = {len(beginning) for beginning in self._globs}
		self._answers: dict[str, Rule | None] = {}

	def rule_for(self, job: str) -> Rule | None:
		"""The most specific rule that fits."""
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


def rule_for(job: str) -> Rule:
	"""The rule for a method."""
	for rules in cached_rules():
		if rule := rules.rule_for(job):
			return rule
	return Rule(job, DEFAULT_SERVER, "default", default_takeover_after())


# When they were last looked at, what they were made from, and the rules, by site.
_of_process: dict[str, tuple[float, tuple, tuple[Rules, ...]]] = {}


def cached_rules() -> tuple[Rules, ...]:
	"""All rules of the site by their places, the first place first; some seconds old at most."""
	looked_at, source, known = _of_process.get(frappe.local.site, (float("-inf"), (), ()))
	if time.monotonic() - looked_at > SECONDS_KNOWN:
		now = _source()
		if now != source:
			source, known = now, _load()
		_of_process[frappe.local.site] = time.monotonic(), source, known
	return known


def forget_rules() -> None:
	"""Look whether they have changed when they are next asked for."""
	_, *known = _of_process.get(frappe.local.site, (float("-inf"), (), ()))
	_of_process[frappe.local.site] = float("-inf"), *known


def named_servers() -> set[str]:
	"""The ids of all servers that a rule names, and of the default server."""
	return {DEFAULT_SERVER}.union(*(rules.servers for rules in cached_rules()))


def _source() -> tuple:
	"""What the rules are made from, in short: to read a thousand of them takes its time."""
	return default_takeover_after(), _rows_of_config_files(), annotations.load(), _sum_of_desk()


def _sum_of_desk() -> tuple | None:
	if not frappe.db.table_exists("Scheduler Config", cached=False):
		return None
	columns = frappe.db.get_table_columns("Scheduler Config")
	text = ", ".join(f"quote(`{column}`)" for column in columns)
	[found] = frappe.db.sql(f"select count(*), sum(crc32(concat({text}))) from `tabScheduler Config`")
	return (*columns, *found)


def _load() -> tuple[Rules, ...]:
	takeover_after = default_takeover_after()
	of_site, of_bench = _rows_of_config_files()
	return (
		Rules(_from_desk(takeover_after)),
		Rules(_from_config(of_site, "site_config", takeover_after)),
		Rules(_from_config(of_bench, "common_site_config", takeover_after)),
		Rules(
			Rule(job, server_id, "annotation", takeover_after)
			for job, server_id in annotations.load().items()
		),
	)


def default_takeover_after() -> float:
	"""Seconds after which a server counts as gone where its rule does not say so itself."""
	value = frappe.local.conf.get(TAKEOVER_KEY)
	return value if _is_duration(value) else TAKEOVER_AFTER


def _from_desk(takeover_after: float) -> Iterable[Rule]:
	# Also asked while a migrate has not made the table, or a column, yet.
	if not frappe.db.table_exists("Scheduler Config", cached=False):
		return
	for row in frappe.get_all("Scheduler Config", filters={"enabled": 1}, fields=["*"]):
		if not (row.job and row.server_id):
			# As an import, or a statement by hand, may leave it.
			continue
		own = row.get("takeover_after")
		reads = (row.get("reads") or "Primary").lower()
		after = takeover_after if own is None else float(own)
		try:
			need = need_of_desk(row)
		except (TypeError, ValueError) as error:
			# Not by the desk, which checks it: its server counts all the same.
			log_event("configuration", problem=f"Scheduler Config for {row.job}: {error}")
			need = AS_CONFIGURED
		yield Rule(row.job, row.server_id, "desk", after, reads, need)


def need_of_desk(row: Any) -> Need:
	"""What a rule of the desk asks of a replica; its empty number is a 0.

	:raises TypeError, ValueError: naming the field that is wrong
	"""
	consistency = (row.get("consistency") or "").lower() or None
	return Need(consistency=consistency, max_lag=row.get("max_lag") or None)


def _rows_of_config_files() -> tuple[Any, Any]:
	"""What the site says, and what the bench says for all sites: Frappe lets one take the other's place."""
	path = os.path.join(frappe.local.sites_path, "common_site_config.json")
	of_bench = frappe.get_file_json(path).get(CONFIG_KEY) if os.path.exists(path) else None
	of_site = frappe.local.conf.get(CONFIG_KEY)
	return (None if of_site == of_bench else of_site), of_bench


def _from_config(rows: Any, source: Any, takeover_after: float) -> Iterable[Rule]:
	sound, problems = _split_by_soundness(rows, source)
	for problem in problems:
		log_event("configuration", problem=problem)
	for row in sound:
		after = row.get("takeover_after", takeover_after)
		reads = row.get("reads", "primary")
		yield Rule(row["job"].strip(), row["server_id"].strip(), source, after, reads, _need_of(row))


def problems_of_rules() -> list[str]:
	"""What is wrong with the rules of site_config.json and common_site_config.json, in sentences."""
	of_site, of_bench = _rows_of_config_files()
	problems = _split_by_soundness(of_site, "site_config")[1]
	problems += _split_by_soundness(of_bench, "common_site_config")[1]
	problems += _rules_of_desk_without_job_or_server()
	value = frappe.local.conf.get(TAKEOVER_KEY)
	if value is not None and not _is_duration(value):
		problems.append(f"{TAKEOVER_KEY}: {value!r} is not a number of seconds. Write 900, or 0 for never.")
	return problems


def _rules_of_desk_without_job_or_server() -> list[str]:
	if not frappe.db.table_exists("Scheduler Config", cached=False):
		return []
	rows = frappe.get_all("Scheduler Config", filters={"enabled": 1}, fields=["name", "job", "server_id"])
	broken = [row.name for row in rows if not (row.job and row.server_id)]
	return [f"Scheduler Config {name!r} names no job or no server, so it is no rule." for name in broken]


def _split_by_soundness(rows: Any, source: str) -> tuple[list[dict], list[str]]:
	"""The rules that can be used, and a sentence about each of the others."""
	example = 'Write {"job": "dotted.path.of.the.method", "server_id": "primary"}'
	example += ', and beside them, as needed, "takeover_after" (seconds), "reads" ("primary" or "replica"),'
	example += ' "consistency" ("eventual", "session" or "strong") and "max_lag" (seconds).'
	key = f"{CONFIG_KEY} of {source}.json"
	if rows is None:
		return [], []
	if not isinstance(rows, list):
		return [], [f"{key}: {rows!r} is not a list of rules. {example}"]
	sound, problems = [], []
	for row in rows:
		if problem := _problem_of(row):
			problems.append(f"{key}: {row!r} is not a rule: {problem}. {example}")
		else:
			sound.append(row)
	return sound, problems


def _problem_of(row: Any) -> str | None:
	"""What is wrong with a rule of a configuration file, by its key; None if it can be used."""
	if not isinstance(row, dict):
		return "it is no object"
	for key in ("job", "server_id"):
		if not isinstance(row.get(key), str) or not row[key].strip():
			return f"{key} is {row.get(key)!r}"
	for key in row:
		if key not in KEYS:
			return f"{key!r} is no key of a rule"
	if "takeover_after" in row and not _is_duration(row["takeover_after"]):
		return f"takeover_after is {row['takeover_after']!r}"
	if row.get("reads", "primary") not in ("primary", "replica"):
		return f"reads is {row['reads']!r}"
	try:
		_need_of(row)
	except (TypeError, ValueError) as error:
		return str(error)
	return None


def _need_of(row: dict) -> Need:
	return Need(consistency=row.get("consistency"), max_lag=row.get("max_lag"))


def _is_duration(value: Any) -> bool:
	return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
