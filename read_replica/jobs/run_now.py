# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

""" "Run now" in the desk: runs a job on the server that its rule names, or here if that is not alive."""

from typing import Any

import frappe
from frappe import _
from frappe.utils import escape_html

from read_replica.jobs import queues, scheduled_runs, tick, under_way, workers
from read_replica.jobs.placement import Place, Placement
from read_replica.jobs.rule_set import TAKEOVER_AFTER, Rule
from read_replica.jobs.rules import rule_for


def run(job: Any) -> bool:
	"""Enqueue a job for its server, or ask that server's scheduler to; False if it is under way.

	Shows the user a message that says where it runs.

	:param job: the document of Scheduled Job Type
	"""
	rule = rule_for(job.method)
	placement = tick.placement_with(workers.seen(queues.listed_workers()))
	place = placement.for_run(rule)
	if not place and _is_alive(rule, placement):
		if scheduled_runs.has_pending_run(job):
			return _tell_that_it_waits(job)
		scheduled_runs.request(job, rule.server_id)
		_tell(
			_("{0} runs on server {1}, at the next tick of its scheduler.").format(job.method, rule.server_id)
		)
		return True
	if under_way.is_under_way(job):
		return _tell_that_it_waits(job)
	place = place or Place(placement.this_server, None, rule.server_id)
	# Does not commit: the request may have written what is not to be committed yet.
	tick.enqueue_run(scheduled_runs.request_claimed(job, place), job, place, "asked for here")
	_tell(_where(job.method, place))
	return True


def _tell_that_it_waits(job: Any) -> bool:
	_tell(_("{0} is in the queue already.").format(job.method))
	return False


def _is_alive(rule: Rule, placement: Placement) -> bool:
	server = placement.servers.get(rule.server_id)
	return bool(server and server.was_seen and not server.is_gone(rule.takeover_after or TAKEOVER_AFTER))


def _where(method: str, place: Place) -> str:
	if place.taken_from:
		return _("Server {0} is not alive, so {1} runs on server {2}.").format(
			place.taken_from, method, place.server_id
		)
	return _("{0} runs on server {1}.").format(method, place.server_id)


def _tell(message: str) -> None:
	# A job may be called anything, as a Server Script is, and this is shown as HTML.
	frappe.msgprint(escape_html(message), alert=True)
