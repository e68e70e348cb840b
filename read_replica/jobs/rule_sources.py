# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Reads rules from Scheduler Config in the desk, and from `scheduler_config` in the configuration files.

Also tells what is wrong with them, for the log and for `status`.
"""

import os
from collections.abc import Iterable
from typing import Any

import frappe

from read_replica.database.event_log import log_event
from read_replica.engine.sentence import Sentence, sentence_of
from read_replica.engine.settings import AS_CONFIGURED, Need
from read_replica.jobs.rule_set import TAKEOVER_AFTER, Rule

CONFIG_KEY = "scheduler_config"
TAKEOVER_KEY = "scheduler_takeover_after"
KEYS = ("job", "server_id", "takeover_after", "reads", "consistency", "max_lag")


def default_takeover_after() -> float:
	"""Returns the seconds after which a server counts as gone if a job's rule does not say; 0: never."""
	value = frappe.local.conf.get(TAKEOVER_KEY)
	return value if _is_duration(value) else TAKEOVER_AFTER


def from_desk(takeover_after: float) -> Iterable[Rule]:
	"""Yields the enabled rules of Scheduler Config; of a row that is wrong, what can be used.

	:param takeover_after: seconds, for rules that do not say
	"""
	# Also called before a migrate has made the table or a column.
	if not frappe.db.table_exists("Scheduler Config", cached=False):
		return
	for row in frappe.get_all("Scheduler Config", filters={"enabled": 1}, fields=["*"]):
		if not (row.job and row.server_id):
			# As an import or a statement by hand may leave a row; see `problems`.
			continue
		own = row.get("takeover_after")
		reads = (row.get("reads") or "Primary").lower()
		after = takeover_after if own is None else float(own)
		try:
			need = need_of_desk(row)
		except (TypeError, ValueError) as error:
			# Not written in the desk, which checks this. The rule's server still counts.
			log_event("configuration", problem=f"Scheduler Config for {row.job}: {error}")
			need = AS_CONFIGURED
		yield Rule(row.job, row.server_id, "desk", after, reads, need)


def need_of_desk(row: Any) -> Need:
	"""Returns what a row of Scheduler Config asks of a replica; an empty Max Lag is stored as 0.

	:raises TypeError, ValueError: naming the field that is wrong
	"""
	consistency = (row.get("consistency") or "").lower() or None
	return Need(consistency=consistency, max_lag=row.get("max_lag") or None)


def rows_of_config_files() -> tuple[Any, Any]:
	"""Returns the rules as they stand in site_config.json and in common_site_config.json; None for none."""
	path = os.path.join(frappe.local.sites_path, "common_site_config.json")
	of_bench = frappe.get_file_json(path).get(CONFIG_KEY) if os.path.exists(path) else None
	# Frappe's merged configuration has the bench's rules only where the site has none.
	of_site = frappe.local.conf.get(CONFIG_KEY)
	return (None if of_site == of_bench else of_site), of_bench


def from_config(rows: Any, source: Any, takeover_after: float) -> Iterable[Rule]:
	"""Yields the valid ones of the rules in a configuration file; logs what is wrong with the others.

	:param rows: the value of `scheduler_config`
	:param source: "site_config" or "common_site_config"
	:param takeover_after: seconds, for rules that do not say
	"""
	valid, problems = _split_by_validity(rows, source)
	for problem in problems:
		log_event("configuration", problem=problem)
	for row in valid:
		after = row.get("takeover_after", takeover_after)
		reads = row.get("reads", "primary")
		yield Rule(row["job"].strip(), row["server_id"].strip(), source, after, reads, _need_of(row))


def problems() -> list[str]:
	"""Returns what is wrong with the rules of the configuration files and the desk, in sentences."""
	of_site, of_bench = rows_of_config_files()
	problems = _split_by_validity(of_site, "site_config")[1]
	problems += _split_by_validity(of_bench, "common_site_config")[1]
	problems += _rules_of_desk_without_job_or_server()
	value = frappe.local.conf.get(TAKEOVER_KEY)
	if value is not None and not _is_duration(value):
		problems.append(
			Sentence(
				"{0}: {1} is not a number of seconds. Write 900, or 0 for never.", TAKEOVER_KEY, repr(value)
			)
		)
	return problems


def _rules_of_desk_without_job_or_server() -> list[str]:
	if not frappe.db.table_exists("Scheduler Config", cached=False):
		return []
	rows = frappe.get_all("Scheduler Config", filters={"enabled": 1}, fields=["name", "job", "server_id"])
	broken = [row.name for row in rows if not (row.job and row.server_id)]
	return [
		Sentence("Scheduler Config {0} names no job or no server, so it is no rule.", repr(name))
		for name in broken
	]


def _split_by_validity(rows: Any, source: str) -> tuple[list[dict], list[str]]:
	"""Returns the rules that can be used, and a sentence about each of the others."""
	example = Sentence(
		'Write {"job": "dotted.path.of.the.method", "server_id": "primary"}, and beside them, as needed, "takeover_after"'
		' (seconds), "reads" ("primary" or "replica"), "consistency" ("eventual", "session" or "strong") and "max_lag"'
		" (seconds)."
	)
	# Not with the key as a value: Frappe itself has a text "{0} of {1}".
	key = Sentence("scheduler_config of {0}", f"{source}.json")
	if rows is None:
		return [], []
	if not isinstance(rows, list):
		return [], [Sentence("{0}: {1} is not a list of rules. {2}", key, repr(rows), example)]
	valid, problems = [], []
	for row in rows:
		if problem := _problem_of(row):
			problems.append(Sentence("{0}: {1} is not a rule: {2}. {3}", key, repr(row), problem, example))
		else:
			valid.append(row)
	return valid, problems


def _problem_of(row: Any) -> str | None:
	"""Returns what is wrong with a rule of a configuration file, by its key; None if it can be used."""
	if not isinstance(row, dict):
		return Sentence("it is no object")
	for key in ("job", "server_id"):
		if not isinstance(row.get(key), str) or not row[key].strip():
			return Sentence("{0} is {1}", key, repr(row.get(key)))
	for key in row:
		if key not in KEYS:
			return Sentence("{0} is no key of a rule", repr(key))
	if "takeover_after" in row and not _is_duration(row["takeover_after"]):
		return Sentence("{0} is {1}", "takeover_after", repr(row["takeover_after"]))
	if row.get("reads", "primary") not in ("primary", "replica"):
		return Sentence("{0} is {1}", "reads", repr(row["reads"]))
	try:
		_need_of(row)
	except (TypeError, ValueError) as error:
		return sentence_of(error)
	return None


def _need_of(row: dict) -> Need:
	return Need(consistency=row.get("consistency"), max_lag=row.get("max_lag"))


def _is_duration(value: Any) -> bool:
	return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def checksum_of_desk() -> tuple | None:
	"""Returns a checksum of Scheduler Config with its columns; None before a migrate has made the table."""
	if not frappe.db.table_exists("Scheduler Config", cached=False):
		return None
	columns = frappe.db.get_table_columns("Scheduler Config")
	text = ", ".join(f"quote(`{column}`)" for column in columns)
	[found] = frappe.db.sql(f"select count(*), sum(crc32(concat({text}))) from `tabScheduler Config`")
	return (*columns, *found)
