# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whitelisted methods for the desk."""

import frappe
from werkzeug.wrappers import Response

from read_replica.database.host import shared_of_site
from read_replica.jobs import schedulers
from read_replica.policy import desk, report_rules, sources
from read_replica.watch import job_findings

# Who may see where a site reads; only a System Manager changes it, and sees hosts and users of databases.
MAY_LOOK = ("System Manager", "Read Replica Viewer")


@frappe.whitelist()
def scheduled_methods() -> list[str]:
	"""Returns the methods that are scheduled on this site, as suggestions for a field of the desk."""
	frappe.only_for(MAY_LOOK)
	return frappe.get_all("Scheduled Job Type", pluck="method", order_by="method", distinct=True)


@frappe.whitelist()
def job_problems() -> list[str]:
	"""Returns the problems with the servers of jobs, in sentences, for core's System Health Report."""
	frappe.only_for("System Manager")
	return job_findings.problems()


@frappe.whitelist()
def where_scheduler_runs() -> str:
	"""Returns where a scheduler ticks, or "" if none does, for core's System Health Report.

	The report itself looks for a process of the scheduler on this host alone.
	"""
	frappe.only_for("System Manager")
	return schedulers.where_it_runs()


@frappe.whitelist(methods=["POST"])
def clear_writers(method: str | None = None) -> int:
	"""Let a method that was caught writing, or all of them, back to the replicas; returns their number."""
	frappe.only_for("System Manager")
	return shared_of_site().clear_writers(*([method] if method else []))


@frappe.whitelist(methods=["POST"])
def set_methods(names: str | list[str], where: str) -> None:
	"""Set where methods read, by the names of their rows in Routed Method.

	:param names: as JSON, or a list
	:param where: Replica, Primary or Default
	"""
	frappe.only_for("System Manager")
	for name in frappe.parse_json(names):
		row = frappe.get_doc("Routed Method", name)
		row.reads = where
		row.save()


@frappe.whitelist()
def ships_methods() -> bool:
	"""Returns whether the shipped list counts on this site, for the list of Routed Method."""
	frappe.only_for(MAY_LOOK)
	return sources.is_shipped_list_on()


@frappe.whitelist(methods=["POST"])
def undo_move(name: str) -> None:
	"""Undo that a method was moved by itself; from now on its row is changed by hand only."""
	frappe.only_for("System Manager")
	desk.undo(name, frappe.session.user)


@frappe.whitelist()
def rule_of_report(report: str) -> dict:
	"""Returns where a report reads, and by which rule, for the button on its form."""
	frappe.only_for("System Manager")
	return report_rules.rule_of(report)


@frappe.whitelist(methods=["POST"])
def set_reports(reports: str | list[str], rule: str | dict) -> None:
	"""Set where reports read.

	:param reports: their names, as JSON or a list
	:param rule: as JSON or a dict, with fields of Routed Method: reads, consistency, max_lag, pool, timeout, reason
	"""
	frappe.only_for("System Manager")
	report_rules.set_rule(frappe.parse_json(reports), frappe.parse_json(rule))


@frappe.whitelist(allow_guest=True, methods=["GET"])
def metrics() -> Response:
	"""Returns the metrics of the site as Prometheus reads them, if the request sends the site's token."""
	# Not at the top: no other request needs the library prometheus_client.
	from read_replica.watch import prometheus

	return prometheus.metrics_response()
