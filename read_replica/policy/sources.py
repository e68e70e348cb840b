# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Reads rules for methods: from Routed Method in the desk, site_config.json, apps' hooks, and the shipped list."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import frappe

from read_replica.config.keys import FULL_KEY
from read_replica.config.settings import ships_methods
from read_replica.database.bookkeeping import is_before_migrate
from read_replica.database.event_log import log_event
from read_replica.engine.sentence import Sentence, sentence_of
from read_replica.engine.settings import AS_CONFIGURED, Need
from read_replica.policy.rule_set import MethodRule, RuleSet, Source, Where
from read_replica.policy.shipped import READS, REMEMBERS_NO_WRITES

HOOK = "read_replica_methods"
KEY = f"{FULL_KEY}.methods"
SETTINGS = "Read Replica Settings"
NEEDS = ("consistency", "max_lag", "pool", "timeout")

EXAMPLE = Sentence(
	'Write {"frappe.client.get_list(Item)": "replica"}, or in place of "replica" an object with "where" ("replica",'
	' "primary" or "default") and, as needed, "consistency", "max_lag", "pool" and "timeout".'
)


def load() -> tuple[RuleSet, ...]:
	"""Returns the rules of each source, in the order in which they count; to be called with the primary in place."""
	sources = [from_desk(), from_config(frappe.local.conf), from_hooks()]
	if is_shipped_list_on():
		sources.append(shipped())
	return tuple(RuleSet(rules) for rules in sources)


def is_shipped_list_on() -> bool:
	"""Returns whether the shipped list counts: as site_config.json says, else as Read Replica Settings do."""
	configured = ships_methods(frappe.local.conf)
	if configured is not None:
		return configured
	return is_switched_on("shipped_methods")


def is_switched_on(switch: str) -> bool:
	"""Returns whether a switch of Read Replica Settings is on; off until a migrate has added it."""
	rows = frappe.db.sql("SELECT value FROM tabSingles WHERE doctype = %s AND field = %s", (SETTINGS, switch))
	return bool(rows) and rows[0][0] == "1"


def shipped() -> Iterator[MethodRule]:
	"""Yields the rules of the list that this app ships."""
	for name, reason in READS.items():
		yield MethodRule(name, "replica", "shipped", reason=reason)
	for name, reason in REMEMBERS_NO_WRITES.items():
		yield MethodRule(name, "replica", "shipped", reason=reason, remembers_writes=False)


def from_desk() -> list[MethodRule]:
	"""Returns the rules of Routed Method; none before a migrate has made it. A row that is wrong is logged."""
	try:
		# All columns, as some may be missing until the next migrate.
		rows = frappe.db.sql("SELECT * FROM `tabRouted Method`", as_dict=True)
	except Exception as error:
		if not is_before_migrate(error):
			raise
		return []
	rules = []
	for row in rows:
		if row.source == "Shipped":
			# It only shows what the list has.
			continue
		# A report that was renamed is linked by its new name.
		subject = row.report or row.subject
		name = f"{row.method}({subject})" if subject else row.method
		try:
			rules.append(
				MethodRule(name, row.reads.lower(), "desk", need_of_desk(row), reason=row.reason or "")
			)
		except (TypeError, ValueError, AttributeError) as error:
			# Not written in the desk, which checks this.
			log_event("configuration", problem=f"Routed Method for {name}: {error}")
	return rules


def need_of_desk(row: Mapping[str, Any]) -> Need:
	"""Returns what a row asks of a replica; an empty Max Lag or Timeout is stored as 0.

	:raises TypeError, ValueError: naming the field that is wrong
	"""
	values = {key: row.get(key) or None for key in NEEDS}
	if values["consistency"]:
		values["consistency"] = values["consistency"].lower()
	return _need(values)


def _need(values: Mapping[str, Any]) -> Need:
	return Need(**values) if any(value is not None for value in values.values()) else AS_CONFIGURED


def from_config(conf: Mapping[str, Any]) -> list[MethodRule]:
	"""Returns the valid rules of site_config.json; what is wrong with others is logged."""
	return _valid(_rows_of_config(conf), "site_config", KEY)


def from_hooks() -> list[MethodRule]:
	"""Returns the valid rules that apps have in the hook `read_replica_methods`; what is wrong is logged."""
	return _valid(_rows_of_hooks(), "app", _the_hook())


def problems() -> list[str]:
	"""Returns what is wrong with the rules of site_config.json and of apps, in sentences."""
	of_config = _split(_rows_of_config(frappe.local.conf), "site_config", KEY)[1]
	return of_config + _split(_rows_of_hooks(), "app", _the_hook())[1]


def _the_hook() -> Sentence:
	return Sentence("The hook {0}", HOOK)


def _rows_of_config(conf: Mapping[str, Any]) -> Any:
	full = conf.get(FULL_KEY)
	return full.get("methods") if isinstance(full, Mapping) else None


def _rows_of_hooks() -> dict[str, Any]:
	"""Returns the hook's rules by name. Frappe makes a list of each value, as several apps may have one: the last counts."""
	rows = frappe.get_hooks(HOOK) or {}
	return {name: _last(row) for name, row in rows.items()} if isinstance(rows, dict) else {}


def _last(value: Any) -> Any:
	if isinstance(value, Mapping):
		return {key: _last(inner) for key, inner in value.items()}
	return value[-1] if isinstance(value, list) and value else value


def _valid(rows: Any, source: Source, where: str) -> list[MethodRule]:
	rules, problems = _split(rows, source, where)
	for problem in problems:
		log_event("configuration", problem=problem)
	return rules


def _split(rows: Any, source: Source, key: str) -> tuple[list[MethodRule], list[str]]:
	"""Returns the rules that can be used, and a sentence about each of the others."""
	if rows is None:
		return [], []
	if not isinstance(rows, Mapping):
		return [], [Sentence("{0}: {1} is not an object of rules. {2}", key, repr(rows), EXAMPLE)]
	rules, problems = [], []
	for name, row in rows.items():
		try:
			rules.append(_rule(name, {"where": row} if isinstance(row, str) else row, source))
		except (TypeError, ValueError) as error:
			problem = sentence_of(error)
			problems.append(
				Sentence("{0}: the rule for {1} is not used: {2}. {3}", key, repr(name), problem, EXAMPLE)
			)
	return rules, problems


def _rule(name: str, row: Any, source: Source) -> MethodRule:
	if not isinstance(row, Mapping):
		raise TypeError(Sentence("{0} is no rule", repr(row)))
	if unknown := row.keys() - {"where", "reason", *NEEDS}:
		raise ValueError(Sentence("{0} is no key of a rule", repr(min(unknown))))
	if row.get("where") not in get_args(Where):
		raise ValueError(Sentence("{0} is {1}", "where", repr(row.get("where"))))
	need = _need({key: row[key] for key in NEEDS if key in row})
	return MethodRule(name.strip(), row["where"], source, need, reason=str(row.get("reason") or ""))
