# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What becomes of the jobs that a row of Scheduler Config is for while its server is not alive, for the list."""

from typing import Literal

import frappe

from read_replica.jobs import rule_sources, servers
from read_replica.jobs.rule_set import Rule
from read_replica.jobs.rules import DEFAULT_SERVER
from read_replica.watch.job_findings import note_on

Fate = Literal["taken_over", "late", "waits"]


def of_rows() -> dict[str, Fate]:
	"""Returns a word by the name of each enabled row whose server is not alive.

	taken_over: the default server runs its jobs; late: it will, if this goes on; waits: nobody does.
	"""
	names = dict(frappe.get_all("Scheduler Config", {"enabled": 1}, ["job", "name"], as_list=True))
	known = servers.load()
	found = rule_sources.from_desk(rule_sources.default_takeover_after())
	return {
		names[rule.job]: _fate_of(rule, known) for rule in found if rule.job in names and note_on(rule, known)
	}


def _fate_of(rule: Rule, known: dict[str, servers.Server]) -> Fate:
	if rule.server_id == DEFAULT_SERVER or not rule.takeover_after:
		return "waits"
	server = known.get(rule.server_id)
	return "taken_over" if server and server.is_gone(rule.takeover_after) else "late"
