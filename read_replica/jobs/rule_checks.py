# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Checks rules as they are written: whether the job exists, and whether the server may be called so."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

import frappe
from frappe import _
from frappe.utils import escape_html

from read_replica.config.patterns import WILDCARDS
from read_replica.core.whitelist import function_of
from read_replica.jobs.queues import QUEUES_OF_ALL
from read_replica.jobs.rule_set import Rule
from read_replica.jobs.rules import cached_rules

PATH_OR_GLOB = re.compile(r"(?!\d)[\w*?]+(\.(?!\d)[\w*?]+)*")

# A server's queue is named after it, and `bench worker --queue` takes names with commas between them.
SERVER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_job(job: str) -> None:
	"""Refuse a rule's job that is neither a dotted path nor a glob; show a warning if it matches no job.

	A scheduled method is accepted whatever it looks like, as a Server Script's method is made from its name.
	A path that matches nothing is accepted, as the rule may be written before its app is installed.

	:raises frappe.ValidationError: with a message for people
	"""
	rule = Rule(job, "", "desk")
	scheduled = _scheduled_methods()
	if job and any(rule.matches(method) for method in scheduled):
		return
	is_glob = rule.is_glob
	if not PATH_OR_GLOB.fullmatch(job) or not (is_glob or "." in job):
		frappe.throw(
			_(
				"{0} is neither the dotted path of a method, such as erpnext.stock.reorder_item.reorder_item,"
				" nor a pattern, such as erpnext.stock.*"
			).format(frappe.bold(escape_html(job)))
		)
	if _is_method(job):
		return
	similar = similar_to(job, scheduled)
	hint = " " + _("Did you mean {0}?").format(escape_html(", ".join(similar))) if similar else ""
	frappe.msgprint(
		_("No job that is scheduled on this site is called {0}.").format(frappe.bold(escape_html(job)))
		+ hint,
		indicator="orange",
		alert=True,
	)


def check_server_id(server_id: str) -> None:
	"""Refuse a server id that cannot name a queue.

	:raises frappe.ValidationError: with a message for people
	"""
	if not SERVER_ID.fullmatch(server_id) or server_id in QUEUES_OF_ALL:
		frappe.throw(
			_(
				"A server cannot be called {0}: use letters, digits, and . _ - between them,"
				" and none of short, default, long"
			).format(frappe.bold(escape_html(server_id)))
		)


def rules_without_job() -> list[tuple[Rule, list[str]]]:
	"""Returns the rules that match no scheduled job and no other method, each with similar names."""
	scheduled = _scheduled_methods()
	written = [rule for rules in cached_rules() for rule in rules.all if rule.source != "annotation"]
	return [
		(rule, similar_to(rule.job, scheduled))
		for rule in written
		if not any(rule.matches(job) for job in scheduled) and not _is_method(rule.job)
	]


def similar_to(job: str, scheduled: Iterable[str]) -> list[str]:
	"""Returns up to three scheduled methods with a similar name, as suggestions."""
	return get_close_matches(job.strip(WILDCARDS), list(scheduled), n=3, cutoff=0.6)


def _scheduled_methods() -> list[str]:
	return frappe.get_all("Scheduled Job Type", pluck="method", distinct=True, order_by="method")


def _is_method(job: str) -> bool:
	"""Whether there is a method of this name, which may be enqueued without being scheduled."""
	return not Rule(job, "", "desk").is_glob and callable(function_of(job))
