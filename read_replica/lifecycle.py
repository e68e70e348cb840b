# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Prepares routing at the beginning of a request or job, and ends it: what Frappe's hooks call."""

from typing import Any

import frappe

from read_replica import scheduler_split, site
from read_replica.config.source import reload_keys
from read_replica.core.patching import log_what_others_replaced
from read_replica.core.replica_switch import leave_core_replica, switch_core_on
from read_replica.database import client_identity, request_counts, transaction
from read_replica.database.client_identity import user_of
from read_replica.database.routed import primary_of
from read_replica.jobs import enqueue, enqueue_hook, positions, servers
from read_replica.policy import opening, rules
from read_replica.site import finish, is_mariadb, router_of_site, routing_of_site
from read_replica.watch import state_changes
from read_replica.watch.freshness_header import add_header

# A script in which no hook was called may also read from replicas, and enqueue jobs.
site.before_routing.append(enqueue_hook.install)
site.ask_rules = rules.need_of


def begin(*args: Any, **kwargs: Any) -> None:
	"""Prepare routing for a request or job (hooks before_request and before_job).

	Makes core's read_only and queues go through this app, and restores what a job carries from its request.

	:param kwargs: for a job, Frappe's `method` and `transaction_type` among others
	"""
	is_job = kwargs.get("transaction_type") == "job"
	frappe.local.read_replica_installed = (frappe.local.site, True)
	if is_mariadb():
		scheduler_split.install()
		enqueue_hook.install()
	reload_keys(frappe.local.conf)
	frappe.local.read_replica_routing = None
	begins_here = not transaction.is_watched(primary_of(frappe.local.db))
	router = router_of_site()
	log_what_others_replaced()
	leave_core_replica(router)
	if router:
		switch_core_on(frappe.local.conf)
		state = transaction.request_state()
		if begins_here and not _is_login():
			# Until here, core has only read the session.
			state.committed = False
			transaction.note_that_it_only_read(primary_of(frappe.local.db))
		# Not only if `begins_here`: if core has filled a cache before the hooks, the primary is watched
		# already.
		if state.asked_by is None and not _is_known_later():
			state.asked_by = router.host.reader()
		if is_job:
			positions.restore(state, kwargs["method"])
			opening.follow_desk(router)
		request_counts.begin(state, positions.name_of_job(kwargs) if is_job else None)
	if is_job and is_mariadb():
		servers.note_worker()
		positions.method_begins()
		enqueue.open_scope_of_job(kwargs["method"])


def _is_login() -> bool:
	"""Whether the request is a login, which core has executed, and committed, before the hooks."""
	request = getattr(frappe.local, "request", None)
	return bool(request) and (frappe.form_dict.get("cmd") == "login" or request.path == "/api/method/login")


def _is_known_later() -> bool:
	"""Whether core authenticates the request only after before_request, by its Authorization header."""
	request = getattr(frappe.local, "request", None)
	return bool(request) and "Authorization" in request.headers


def note_asker() -> None:
	"""Note the user of a request that is authenticated by an API key or a token (hook auth_hooks)."""
	user = frappe.session.user
	router = routing_of_site().router
	# A Guest may still be authenticated by another app's hook after this one.
	if router and _is_known_later() and user and user != "Guest":
		transaction.request_state().asked_by = router.host.reader()


def route_request() -> None:
	"""Open a scope around the request if a rule sends what it calls to a replica (hook auth_hooks)."""
	# `begin` has seen to it that commits are noticed.
	if router := routing_of_site().router:
		opening.open_for_request(router)


def end(response: Any = None, **kwargs: Any) -> None:
	"""Close what is open, and share the positions of writes (hooks after_request and after_job).

	:param response: the response of a request; None for a job
	"""
	finish()
	router = router_of_site()
	if not router:
		return
	state_changes.tell(router)
	state = transaction.request_state()
	request_counts.end(state)
	if response is None and "request" not in kwargs:
		request_counts.count(router, state, primary_of(frappe.local.db))
		# The process of a job may end before its watchdog thread shares the counts.
		router.share_at_last()
		return
	if response is not None:
		add_header(response, state, router.settings.replicas)
	# Names come from requests: those of strangers, and of what is not there, would fill the memory. Before v16,
	# the hooks are not given the response of some errors.
	asked_by = user_of(state.asked_by or "Guest")
	if response is None or response.status_code >= 400 or asked_by == "Guest":
		state.called = None
	elif state.called:
		state.called = client_identity.name_to_count(state.called, asked_by)
	router.share_soon()
