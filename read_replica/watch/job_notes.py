# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What becomes of the jobs that a row of Scheduler Config is for while its server is not alive, for the list."""

import frappe

from read_replica.jobs import rule_sources, servers
from read_replica.watch.job_findings import note_on


def of_rows() -> dict[str, str]:
	"""Returns a sentence by the name of each enabled row whose server is not alive."""
	names = dict(frappe.get_all("Scheduler Config", {"enabled": 1}, ["job", "name"], as_list=True))
	known = servers.load()
	notes = {
		names[rule.job]: note_on(rule, known)
		for rule in rule_sources.from_desk(rule_sources.default_takeover_after())
		if rule.job in names
	}
	return {name: note for name, note in notes.items() if note}
