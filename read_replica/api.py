# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whitelisted methods for the desk."""

import frappe
from werkzeug.wrappers import Response

from read_replica.database.host import shared_of_site
from read_replica.jobs import schedulers
from read_replica.watch import job_findings


@frappe.whitelist()
def scheduled_methods() -> list[str]:
	"""The methods that are scheduled on this site, for the desk to suggest."""
	frappe.only_for("System Manager")
	return frappe.get_all("Scheduled Job Type", pluck="method", order_by="method", distinct=True)


@frappe.whitelist()
def job_problems() -> list[str]:
	"""What is wrong with the servers of jobs, for core's System Health Report, in sentences."""
	frappe.only_for("System Manager")
	return job_findings.problems()


@frappe.whitelist()
def where_scheduler_runs() -> str:
	"""Where a scheduler ticks, for the same report, which looks for a process on this host alone; "" if nowhere."""
	frappe.only_for("System Manager")
	return schedulers.where()


@frappe.whitelist(methods=["POST"])
def clear_writers(method: str | None = None) -> int:
	"""Let a method that was caught writing, or all of them, back to the replicas; how many there were."""
	frappe.only_for("System Manager")
	return shared_of_site().clear_writers(*([method] if method else []))


@frappe.whitelist(allow_guest=True, methods=["GET"])
def metrics() -> Response:
	"""The site's numbers, as Prometheus reads them, for whoever sends its token."""
	# Only here, as no other request needs its library.
	from read_replica.watch import prometheus

	return prometheus.answer()
