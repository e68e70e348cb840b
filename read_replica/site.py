# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""One router per process and site, made when it is first asked for and when its keys change."""

from dataclasses import dataclass
from typing import Any

import frappe

from read_replica.config.settings import settings_from
from read_replica.config.source import fingerprint, renew
from read_replica.core import replacements
from read_replica.database import transaction
from read_replica.database.event_log import log_event
from read_replica.database.host import FrappeHost
from read_replica.database.routed import primary_of
from read_replica.engine.errors import ConfigurationError
from read_replica.engine.locks import Lock
from read_replica.engine.router import Router
from read_replica.jobs import enqueue, positions, servers
from read_replica.watch.freshness_header import tell

APP = "read_replica"


@dataclass(frozen=True)
class Routing:
	"""What the keys of a site amount to: a router; or none, and the problem with them if there is one."""

	site: str
	source: tuple = ()
	router: Router | None = None
	problem: str | None = None


OFF = Routing(site="")

# While one of these flags is set, what a replica knows of the site's tables may be about to change.
CHANGES_THE_SITE = ("in_migrate", "in_patch", "in_install", "in_uninstall", "in_setup_wizard")
CHANGING = Routing(site="", problem="the site is being installed or migrated")

_known: dict[str, Routing] = {}
_lock = Lock()


def router_of_site() -> Router | None:
	"""The router of the current site; None without the app, or with routing off or misconfigured."""
	router = routing_of_site().router
	if router:
		_watch_primary(router)
	return router


def routing_of_site() -> Routing:
	"""The routing of the current site, as its configuration stood when the request began."""
	site = getattr(frappe.local, "site", None)
	routing = getattr(frappe.local, "read_replica_routing", None)
	if routing is None or routing.site != site:
		if not has_app():
			return OFF
		if not is_mariadb():
			return OFF
		routing = frappe.local.read_replica_routing = _routing_of(site)
	flags = frappe.local.flags
	if any(flags.get(flag) for flag in CHANGES_THE_SITE):
		return CHANGING
	return routing


def _routing_of(site: str) -> Routing:
	source = fingerprint(frappe.local.conf)
	known = _known.get(site)
	if known and known.source == source:
		return known
	with _lock:
		known = _known.get(site)
		if not known or known.source != source:
			_close(known)
			known = _known[site] = _make(site, source)
		return known


def has_app() -> bool:
	"""As is_installed, also asked where there is no site or no connection."""
	return bool(getattr(frappe.local, "site", None) and getattr(frappe.local, "db", None)) and is_installed()


def is_mariadb() -> bool:
	"""Whether the site's database is one that this app works with; on others it does nothing."""
	return frappe.local.conf.get("db_type", "mariadb") == "mariadb"


def is_installed() -> bool:
	"""Whether the current site has this app; asked once per request."""
	site, installed = getattr(frappe.local, "read_replica_installed", None) or (None, False)
	if site != frappe.local.site:
		if frappe.flags.in_install_db:
			return False
		installed = APP in frappe.get_installed_apps()
		frappe.local.read_replica_installed = (frappe.local.site, installed)
	return installed


def _make(site: str, source: tuple) -> Routing:
	try:
		settings = settings_from(frappe.local.conf)
	except ConfigurationError as error:
		# Kept like a good one: logged once per process, and the site runs on its primary.
		log_event("configuration", problem=str(error))
		return Routing(site, source, problem=str(error))
	if not settings:
		return Routing(site, source)
	try:
		replacements.install()
	except AttributeError as error:
		# A Frappe in which something that we replace is gone. Without its guard, no replica is read.
		log_event("incompatible", problem=str(error))
		return Routing(site, source, problem=f"this version of Frappe is not supported: {error}")
	return Routing(site, source, Router(settings, FrappeHost()))


def _close(routing: Routing | None) -> None:
	if routing and routing.router:
		routing.router.stop()
		routing.router.host.shared.close()


def forget() -> None:
	"""Close what this process keeps open for the current site, as on uninstall."""
	with _lock:
		_close(_known.pop(frappe.local.site, None))
	frappe.local.read_replica_installed = frappe.local.read_replica_routing = None


def begin(*args, **kwargs) -> None:
	"""before_request and before_job: the site has this app, and core's read_only goes through it."""
	is_job = kwargs.get("transaction_type") == "job"
	frappe.local.read_replica_installed = (frappe.local.site, True)
	if is_mariadb():
		replacements.install_in_controllers()
		replacements.install_in_queues()
	renew(frappe.local.conf)
	frappe.local.read_replica_routing = None
	begins_here = not transaction.is_watched(primary_of(frappe.local.db))
	router = router_of_site()
	replacements.log_what_others_replaced()
	replacements.leave_core_replica(router)
	if router:
		replacements.switch_core_on(frappe.local.conf)
		state = transaction.request_state()
		if begins_here and not _is_login():
			# Until now, core has only read the session.
			state.committed = False
			transaction.note_that_it_only_read(primary_of(frappe.local.db))
		# Not by `begins_here`: a cache that core fills before the hooks has the primary watched already.
		if state.asked_by is None and not _is_known_later():
			state.asked_by = router.host.reader()
		if is_job:
			positions.take_over(state, kwargs["method"])
	if is_job and is_mariadb():
		servers.note_worker()
		positions.method_begins()
		enqueue.begin_job(kwargs["method"])


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


def _watch_primary(router: Router) -> None:
	"""Know of all that is committed from now on, also on a connection that no request has opened."""
	primary = primary_of(frappe.local.db)
	if not transaction.is_watched(primary):
		# What has been done on it before was not seen.
		transaction.request_state().committed = primary._conn is not None
		transaction.watch(primary, after_commit=router.committed, before_close=finish)


def end(response: Any = None, **kwargs) -> None:
	"""after_request and after_job: nothing stays open, and what was written is known to all."""
	finish()
	router = router_of_site()
	if response is not None:
		if router:
			tell(response, transaction.request_state(), router.settings.replicas)
	elif router:
		# The process of a job may end before its watchdog shares what was counted.
		router.share_at_last()


def finish() -> None:
	"""Close what is open, and let all processes know what was committed; once or several times.

	Also called when the connection is closed: a broken hook of another app keeps `end` from being called.
	"""
	if router := router_of_site():
		router.finish(primary_of(frappe.local.db))
