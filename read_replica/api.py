# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whitelisted methods for the desk."""

import frappe
from werkzeug.wrappers import Response

from read_replica.config.keys import names_and_passwords
from read_replica.database.host import shared_of_site
from read_replica.jobs import schedulers
from read_replica.policy import desk, sources
from read_replica.watch import examination, job_findings, monitor, status
from read_replica.watch.json_output import plain

# Who may see where a site reads; only a System Manager changes it, and sees hosts and users of databases.
MAY_LOOK = ("System Manager", "Read Replica Viewer")


@frappe.whitelist()
def scheduled_methods() -> list[str]:
	"""Returns the methods that are scheduled on this site, as suggestions for a field of the desk."""
	frappe.only_for("System Manager")
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
	frappe.only_for("System Manager")
	return sources.is_shipped_list_on()


@frappe.whitelist(methods=["POST"])
def undo_move(name: str) -> None:
	"""Undo that a method was moved by itself; from now on its row is changed by hand only."""
	frappe.only_for("System Manager")
	desk.undo(name, frappe.session.user)


@frappe.whitelist(allow_guest=True, methods=["GET"])
def metrics() -> Response:
	"""Returns the metrics of the site as Prometheus reads them, if the request sends the site's token."""
	# Not at the top: no other request needs the library prometheus_client.
	from read_replica.watch import prometheus

	return prometheus.metrics_response()


@frappe.whitelist(methods=["GET"])
def replica_monitor() -> dict:
	"""Returns what the page Replica Monitor shows, as docs/replica-monitor.md says; times are in UTC."""
	frappe.only_for(MAY_LOOK)
	now = monitor.monitor(shows_details="System Manager" in frappe.get_roles())
	return plain(now, names_and_passwords(frappe.local.conf))


@frappe.whitelist(methods=["POST"])
def end_statement(replica: str, query: int | str) -> bool:
	"""End a statement that runs on a replica for this site; returns False if it has ended already.

	:param query: the server's number for it, as the monitor shows it
	"""
	frappe.only_for("System Manager")
	return monitor.end_statement(replica, frappe.utils.cint(query))


@frappe.whitelist(methods=["POST"])
def examine_servers() -> None:
	"""Let the doctor look at all servers of the site; the monitor shows what he has found."""
	frappe.only_for("System Manager")
	# Not at the top: no other request needs what looks at servers.
	from read_replica.deploy import site_doctor

	report = site_doctor.examine((), (), "warn", status.findings())
	examination.keep(report, names_and_passwords(frappe.local.conf))
