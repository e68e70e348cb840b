# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What Frappe's hooks call at the begin and the end of a request or job."""

from typing import Any

import frappe

from read_replica import scheduler_split, site
from read_replica.config.source import reload_keys
from read_replica.core.patching import log_what_others_replaced
from read_replica.core.replica_switch import leave_core_replica, switch_core_on
from read_replica.database import transaction
from read_replica.database.routed import primary_of
from read_replica.jobs import enqueue, enqueue_hook, positions, servers
from read_replica.site import finish, is_mariadb, router_of_site, routing_of_site
from read_replica.watch.freshness_header import add_header

# A script that reads from replicas, and that no hook has begun, also puts jobs into queues.
site.before_routing.append(enqueue_hook.install)


def begin(*args, **kwargs) -> None:
	"""before_request and before_job: the site has this app, and core's read_only goes through it."""
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
			# Until now, core has only read the session.
			state.committed = False
			transaction.note_that_it_only_read(primary_of(frappe.local.db))
		# Not by `begins_here`: a cache that core fills before the hooks has the primary watched already.
		if state.asked_by is None and not _is_known_later():
			state.asked_by = router.host.reader()
		if is_job:
			positions.restore(state, kwargs["method"])
	if is_job and is_mariadb():
		servers.note_worker()
		positions.method_begins()
		enqueue.open_scope_of_job(kwargs["method"])


def _is_login() -> bool:
	"""Whether the request has logged somebody in, and so has committed, before its hooks."""
	request = getattr(frappe.local, "request", None)
	return bool(request) and (frappe.form_dict.get("cmd") == "login" or request.path == "/api/method/login")


def _is_known_later() -> bool:
	"""Whether core finds out after the hooks who makes the request: by its Authorization."""
	request = getattr(frappe.local, "request", None)
	return bool(request) and "Authorization" in request.headers


def note_asker() -> None:
	"""auth_hooks: by now core knows who makes the request, also by an API key or a token."""
	user = frappe.session.user
	router = routing_of_site().router
	# Another app's hook may come after this one.
	if router and _is_known_later() and user and user != "Guest":
		transaction.request_state().asked_by = router.host.reader()


def end(response: Any = None, **kwargs) -> None:
	"""after_request and after_job: nothing stays open, and what was written is known to all."""
	finish()
	router = router_of_site()
	if response is not None:
		if router:
			add_header(response, transaction.request_state(), router.settings.replicas)
	elif router:
		# The process of a job may end before its watchdog shares what was counted.
		router.share_at_last()
