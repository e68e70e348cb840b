# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which server enqueues which scheduled job: SERVER_ID against Scheduler Config."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import frappe
from croniter import croniter
from frappe import _
from frappe.core.doctype.scheduled_job_type.scheduled_job_type import ScheduledJobType
from frappe.utils import get_datetime

from read_replica import scheduled_runs, servers
from read_replica.logs import log_event

DEFAULT_SERVER = "primary"
CONFIG_KEY = "scheduler_config"


@dataclass(frozen=True)
class Rule:
	"""The server that enqueues a job, and where that is written."""

	job: str
	server_id: str
	source: Literal["desk", "site_config", "default"]


class SplitScheduledJobType(ScheduledJobType):
	"""Core's Scheduled Job Type, which enqueues itself on one server only, and each due run once."""

	def enqueue(self, force: bool = False) -> bool:
		"""As core's, but False, with nothing written, where the rule names another server.

		`force` is "Run now": that runs where it is clicked.
		"""
		if force:
			return super().enqueue(force=True)
		if rule_for(self.method).server_id != this_server():
			return False
		servers.note(this_server())
		if not self.is_event_due() or self.is_job_in_queue():
			return False
		try:
			run = scheduled_runs.claim(self.name, self.method, self.due_at, this_server())
		except Exception as error:
			if frappe.db.is_missing_table(error):
				# A migrate has not made the table yet.
				return super().enqueue()
			raise
		if not run:
			return False
		frappe.enqueue(
			"read_replica.scheduled_runs.run_once",
			queue=self.get_queue_name(),
			job_id=self.rq_job_id,
			run=run,
			job_type=self.method,
			scheduled_job_type=self.name,
		)
		return True

	@property
	def due_at(self) -> datetime:
		"""When the next run is due: the same on all servers, without what core adds at random."""
		self.get_next_execution()
		last_execution = get_datetime(self.last_execution or self.creation)
		return croniter(self.cron_format, last_execution).get_next(datetime)


def this_server() -> str:
	"""The id of this server: the environment variable SERVER_ID, else `primary`."""
	return os.environ.get("SERVER_ID", "").strip() or DEFAULT_SERVER


def rule_for(job: str) -> Rule:
	"""The rule for a scheduled method: the desk's, else site_config's, else the default server."""
	return rules().get(job) or Rule(job, DEFAULT_SERVER, "default")


def rules() -> dict[str, Rule]:
	"""All rules of the site by job; read once per request, or per tick of the scheduler."""
	known = getattr(frappe.local, "read_replica_rules", None)
	if known is None:
		known = {rule.job: rule for rule in (*_from_site_config(), *_from_desk())}
		frappe.local.read_replica_rules = known
	return known


def forget_rules() -> None:
	"""Read the rules anew when they are next asked for."""
	frappe.local.read_replica_rules = None


def rules_without_job() -> list[Rule]:
	"""Rules for methods that nothing schedules on this site."""
	scheduled = set(frappe.get_all("Scheduled Job Type", pluck="method"))
	return [rule for rule in rules().values() if rule.job not in scheduled]


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
	"""Raise a message for people if `job` cannot be a scheduled method.

	A method that no app schedules now is accepted: the rule may come before the app does.
	"""
	if not all(part.isidentifier() for part in job.split(".")) or "." not in job:
		frappe.throw(
			_(
				"{0} is not the dotted path of a method, such as erpnext.stock.reorder_item.reorder_item."
			).format(frappe.bold(job))
		)
