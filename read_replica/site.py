# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The router of the current site.

There is one per process and site, made when it is first asked for, and again when the site's keys change.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import frappe

from read_replica.cache.guard import cache_guards
from read_replica.config.settings import log_doctypes, settings_from
from read_replica.config.source import fingerprint
from read_replica.core.callers import caller_of_connect_replica
from read_replica.core.replacements import install_in_reads
from read_replica.core.replica_switch import is_entering_maintenance
from read_replica.database import request_counts, transaction
from read_replica.database.event_log import log_event
from read_replica.database.host import FrappeHost
from read_replica.database.routed import primary_of
from read_replica.engine.errors import ConfigurationError
from read_replica.engine.locks import Lock
from read_replica.engine.router import Router
from read_replica.engine.scope import Scope
from read_replica.engine.sentence import Sentence, sentence_of
from read_replica.engine.settings import AS_CONFIGURED, Need
from read_replica.patches import moved

APP = "read_replica"


@dataclass(frozen=True)
class Routing:
	"""The router of a site, made from its keys; None with routing off, or with a problem that is named.

	:param source: the values that it was made from, as `config.source.fingerprint` returns them
	:param problem: a Sentence
	"""

	site: str
	source: tuple = ()
	router: Router | None = None
	problem: str | None = None


OFF = Routing(site="")

# While one of these flags is set, the site's tables may be changing, and a replica may lag behind that.
FLAGS_OF_CHANGES = frozenset(("in_migrate", "in_patch", "in_install", "in_uninstall", "in_setup_wizard"))
SITE_IS_CHANGING = Routing(site="", problem=Sentence("the site is being installed or migrated"))

# Called before a router is made; `lifecycle`, which knows of jobs, adds to it.
before_routing: list[Callable[[], None]] = []

# Tells what the site's rules ask for a function, by its name; `lifecycle`, which knows of the policy, sets it.
ask_rules: Callable[[Router, str], Need | None] | None = None

_known: dict[str, Routing] = {}
_lock = Lock()


def router_of_site() -> Router | None:
	"""Returns the router of the current site; None without the app, or with routing off or misconfigured.

	Sees to it that commits on the primary are noticed from now on.
	"""
	router = routing_of_site().router
	if router:
		_watch_primary(router)
	return router


def routing_of_site() -> Routing:
	"""Returns the routing of the current site, by its configuration at the begin of the request."""
	site = getattr(frappe.local, "site", None)
	routing = getattr(frappe.local, "read_replica_routing", None)
	if routing is None or routing.site != site:
		if not has_app():
			return OFF
		if not is_mariadb():
			return OFF
		routing = frappe.local.read_replica_routing = _routing_of(site)
	flags = frappe.local.flags
	# Each request pays for this several times; nearly always none of them is there.
	if not FLAGS_OF_CHANGES.isdisjoint(flags) and any(flags.get(flag) for flag in FLAGS_OF_CHANGES):
		return SITE_IS_CHANGING
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
			known = _known[site] = _make_routing(site, source)
		return known


def has_app() -> bool:
	"""Returns whether the current site has this app; False where there is no site or no connection."""
	return bool(getattr(frappe.local, "site", None) and getattr(frappe.local, "db", None)) and is_installed()


def is_mariadb() -> bool:
	"""Returns whether the site's database is MariaDB; on others, this app does nothing."""
	return frappe.local.conf.get("db_type", "mariadb") == "mariadb"


def is_installed() -> bool:
	"""Returns whether the current site has this app; looked up once per request."""
	site, installed = getattr(frappe.local, "read_replica_installed", None) or (None, False)
	if site != frappe.local.site:
		if frappe.flags.in_install_db:
			return False
		installed = APP in frappe.get_installed_apps()
		frappe.local.read_replica_installed = (frappe.local.site, installed)
	return installed


def _make_routing(site: str, source: tuple) -> Routing:
	try:
		settings = settings_from(frappe.local.conf)
	except ConfigurationError as error:
		# Cached like a router, so that it is logged once per process; the site runs on its primary.
		log_event("configuration", problem=str(error))
		return Routing(site, source, problem=sentence_of(error))
	if not settings:
		return Routing(site, source)
	try:
		for prepare in before_routing:
			prepare()
		install_in_reads(open_scope_for_core, lambda: cache_guards(on_primary))
	except AttributeError as error:
		# This Frappe lacks a function that is to be replaced. Without guarded caches, no replica is read.
		log_event("incompatible", problem=str(error))
		said = Sentence("this version of Frappe is not supported: {0}", error)
		return Routing(site, source, problem=said)
	return Routing(site, source, Router(settings, FrappeHost(lambda: log_doctypes(frappe.local.conf))))


def open_scope_for_core(connect_replica: Callable[[], bool]) -> bool:
	"""Open a scope for a function that core's read_only decorates.

	Called in place of connect_replica, and returns what that does: whether core is to close frappe.local.db
	at the end of the function, which closes the scope.

	:param connect_replica: core's own, called on a site without routing
	"""
	router = router_of_site()
	if not router:
		# Not core's own if the site is misconfigured: it then runs on its primary.
		return False if routing_of_site().problem else connect_replica()
	if is_entering_maintenance():
		# Core would read the session from the replica, and delete one that has not arrived there.
		frappe.local.db.begin(read_only=True)
		return False
	# Between this one and core's wrapper stands the function that was put in place of connect_replica.
	method = caller_of_connect_replica(depth=2)
	need = need_of(router, method)
	if need is None:
		router.open_primary(method)
		return False
	return isinstance(router.open(need, method), Scope)


def need_of(router: Router, method: str) -> Need | None:
	"""Returns what the site's rules ask of a replica for a function that is decorated as read-only.

	None: it reads from the primary. Never raises, as the function must run: an error is logged.
	"""
	try:
		return ask_rules(router, method) if ask_rules else AS_CONFIGURED
	except Exception as error:
		log_event("policy_failed", error=f"{type(error).__name__}: {error}")
		return AS_CONFIGURED


@contextmanager
def on_primary() -> Iterator[None]:
	"""A block in which frappe.db is the primary, on any site and inside any scope."""
	router = router_of_site()
	if router is None:
		yield
		return
	with router.primary():
		yield


def _close(routing: Routing | None) -> None:
	if routing and routing.router:
		routing.router.stop()
		routing.router.host.shared.close()


def forget() -> None:
	"""Close the router of the current site in this process, and what it keeps open; for an uninstall."""
	with _lock:
		_close(_known.pop(frappe.local.site, None))
	frappe.local.read_replica_installed = frappe.local.read_replica_routing = None


def _watch_primary(router: Router) -> None:
	"""Notice all commits on the primary from now on, also on a connection that no request has opened."""
	primary = primary_of(frappe.local.db)
	if not transaction.is_watched(primary):
		# If it is connected, it may have committed before.
		transaction.request_state().committed = primary._conn is not None
		transaction.watch(primary, after_commit=router.committed, before_close=finish)


def finish() -> None:
	"""Close the open scopes of the request, and tell all processes the position of what it has committed.

	May be called several times. Also called when the primary's connection is closed, as a hook of another app
	that fails keeps `lifecycle.end` from being called. The request is counted then, as v16 writes until then.
	"""
	if router := router_of_site():
		primary = primary_of(frappe.local.db)
		router.finish(primary)
		request_counts.count(router, transaction.request_state(), primary)


def __getattr__(name: str) -> Any:
	"""Returns functions that stood here in version 0.1, which Frappe's cache of hooks may still name."""
	return moved.attribute(__name__, name)
