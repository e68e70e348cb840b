# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whitelisted methods for the desk."""

from collections.abc import Iterator
from contextlib import contextmanager

import frappe
from frappe import _
from frappe.utils import escape_html
from werkzeug.wrappers import Response

from read_replica.config.keys import names_and_passwords
from read_replica.database.host import shared_of_site
from read_replica.engine.errors import ConfigurationError
from read_replica.engine.sentence import said, sentence_of
from read_replica.jobs import schedulers
from read_replica.policy import clicks, desk, report_rules, sources
from read_replica.watch import (
	desk_methods,
	desk_settings,
	examination,
	help_pages,
	job_findings,
	job_notes,
	monitor,
	status,
)
from read_replica.watch.json_output import plain

# Who may see where a site reads; only a System Manager changes it, and sees hosts and users of databases.
MAY_LOOK = ("System Manager", "Read Replica Viewer")


def may_look() -> bool:
	"""Returns whether the user may see where a site reads, for the tile on the screen of apps."""
	return not set(MAY_LOOK).isdisjoint(frappe.get_roles())


@frappe.whitelist()
def scheduled_methods() -> list[str]:
	"""Returns the methods that are scheduled on this site, as suggestions for a field of the desk."""
	frappe.only_for(MAY_LOOK)
	return frappe.get_all("Scheduled Job Type", pluck="method", order_by="method", distinct=True)


@frappe.whitelist()
def job_problems() -> list[str]:
	"""Returns the problems with the servers of jobs in the user's language, for core's System Health Report."""
	frappe.only_for("System Manager")
	return [said(sentence, _) for sentence in job_findings.problems()]


@frappe.whitelist()
def where_scheduler_runs() -> str:
	"""Returns where a scheduler ticks in the user's language, or "" if none does, for core's System Health Report.

	The report itself looks for a process of the scheduler on this host alone.
	"""
	frappe.only_for("System Manager")
	return said(schedulers.where_it_runs(), _)


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
def routed_methods(search: str = "", reads: str = "") -> dict:
	"""Returns what the page Routed Methods shows.

	:param search: a part of the names that are wanted
	:param reads: replica or primary; empty: both
	"""
	frappe.only_for(MAY_LOOK)
	return desk_methods.of_page(search, reads)


@frappe.whitelist(methods=["POST"])
def take_suggestions(names: str | list[str]) -> None:
	"""Let methods that are suggested read on replicas.

	:param names: as JSON, or a list
	"""
	frappe.only_for("System Manager")
	clicks.take(frappe.parse_json(names))


@frappe.whitelist(methods=["POST"])
def set_rules(names: str | list[str], where: str) -> None:
	"""Set where methods read, by the names under which they are counted.

	:param names: as JSON, or a list
	:param where: replica, primary or default
	"""
	frappe.only_for("System Manager")
	clicks.set_rules(frappe.parse_json(names), where)


@frappe.whitelist(methods=["POST"])
def undo_rules(names: str | list[str]) -> None:
	"""Undo what was taken, moved or set in the desk for methods.

	:param names: as JSON, or a list
	"""
	frappe.only_for("System Manager")
	clicks.undo(frappe.parse_json(names))


@frappe.whitelist()
def card_of_share(filters: str | None = None) -> dict:
	"""Returns how much of the reading replicas do, for a number card.

	:param filters: of the card, which has none
	"""
	frappe.only_for(MAY_LOOK)
	return desk_settings.card_of_share()


@frappe.whitelist()
def card_of_suggestions(filters: str | None = None) -> dict:
	"""Returns how many seconds an hour could still move to replicas, for a number card."""
	frappe.only_for(MAY_LOOK)
	return desk_settings.card_of_suggestions()


@frappe.whitelist()
def card_of_job_problems(filters: str | None = None) -> dict:
	"""Returns how many problems there are with the servers of jobs, for a number card."""
	frappe.only_for(MAY_LOOK)
	return {"value": len(job_findings.problems()), "fieldtype": "Int", "route": ["List", "Job Server"]}


@frappe.whitelist()
def notes_on_jobs() -> dict[str, str]:
	"""Returns in a word what becomes of jobs whose server is not alive, by the names of their rows in Scheduler Config."""
	frappe.only_for(MAY_LOOK)
	return job_notes.of_rows()


@frappe.whitelist()
def settings_overview() -> dict:
	"""Returns what the form of Read Replica Settings shows beside its fields, with hosts and no secrets."""
	frappe.only_for("System Manager")
	return desk_settings.of_settings()


@frappe.whitelist(methods=["POST"])
def test_connection(replica: str) -> dict:
	"""Returns what a test of a replica has found, from this server.

	:param replica: its name
	:raises frappe.ValidationError: if site_config.json is wrong, or has no replica of that name
	"""
	frappe.only_for("System Manager")
	# Not at the top: no other request logs in to a server by itself.
	from read_replica.deploy import site_connection

	with _refusing_a_wrong_configuration():
		return site_connection.try_replica(replica)


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


@frappe.whitelist(methods=["GET"])
def replica_monitor() -> dict:
	"""Returns what the page Replica Monitor shows, as docs/replica-monitor.md says; times are in UTC."""
	frappe.only_for(MAY_LOOK)
	now = monitor.monitor(shows_details="System Manager" in frappe.get_roles())
	return plain(now, names_and_passwords(frappe.local.conf), _)


@frappe.whitelist(methods=["GET"])
def help_page(name: str = "") -> dict:
	"""Returns a page of the docs for the page Replica Help, and the titles of all.

	:param name: as its file is called, such as `jobs`; empty: the first one
	"""
	frappe.only_for(MAY_LOOK)
	return help_pages.page(name)


@frappe.whitelist(methods=["POST"])
def end_statement(replica: str, query: int | str) -> bool:
	"""End a statement that runs on a replica for this site; returns False if it has ended already.

	:param query: the server's number for it, as the monitor shows it
	"""
	frappe.only_for("System Manager")
	return monitor.end_statement(replica, frappe.utils.cint(query))


@frappe.whitelist(methods=["POST"])
def examine_servers() -> None:
	"""Let the doctor look at all servers of the site; the monitor shows what he has found.

	:raises frappe.ValidationError: if site_config.json is wrong, so that it names no servers
	"""
	frappe.only_for("System Manager")
	# Not at the top: no other request needs what looks at servers.
	from read_replica.deploy import site_doctor

	with _refusing_a_wrong_configuration():
		report = site_doctor.examine((), (), "warn", status.findings())
	examination.keep(report, names_and_passwords(frappe.local.conf))


@contextmanager
def _refusing_a_wrong_configuration() -> Iterator[None]:
	"""Let the user read in his language what is wrong with site_config.json, as of any value that is refused.

	:raises frappe.ValidationError: in place of a ConfigurationError
	"""
	try:
		yield
	except ConfigurationError as error:
		frappe.throw(escape_html(said(sentence_of(error), _)))
