# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

""" "Run now": a run that somebody asks for, on the server that the job's rule names, if that is alive."""

from typing import Any

import frappe
from frappe import _

from read_replica.jobs import queues, scheduled_runs, tick, workers
from read_replica.jobs.placement import Place, Placement
from read_replica.jobs.rules import TAKEOVER_AFTER, Rule, rule_for


def run(job: Any) -> bool:
	"""Put a job into its server's queue, or ask that server's scheduler to; False if it is under way.

	Tells the user where it runs.
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
	if tick.is_under_way(job):
		return _tell_that_it_waits(job)
	place = place or Place(placement.this_server, None, rule.server_id)
	# Whoever asks may have written something that is not to be committed yet.
	tick.put(scheduled_runs.request_claimed(job, place), job, place, "asked for here")
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
	frappe.msgprint(message, alert=True)
