# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Opens the scope of a request whose method a rule sends to a replica; it is closed at the request's end."""

import frappe

from read_replica.core.replacements import install_in_boot
from read_replica.database.event_log import log_event
from read_replica.database.transaction import request_state
from read_replica.engine.router import Router
from read_replica.engine.scope import Scope
from read_replica.policy.called import DESK, called_now
from read_replica.policy.rules import rules_of
from read_replica.site import on_primary


def open_for_request(router: Router) -> None:
	"""Open a scope around the current request if a rule says so. Called once its user is known.

	Never raises, as an error here would fail every request of the site: it is logged, and the primary answers.
	"""
	try:
		_open(router)
	except Exception as error:
		log_event("policy_failed", error=f"{type(error).__name__}: {error}")


def follow_desk(router: Router) -> None:
	"""Take what the desk says for the whole site, before a job that no rule for methods is asked for. Never raises."""
	try:
		rules_of(router)
	except Exception as error:
		log_event("policy_failed", error=f"{type(error).__name__}: {error}")


def _open(router: Router) -> None:
	called = called_now()
	if called is None:
		return
	name = str(called)
	request_state().called = name
	rules = rules_of(router)
	rule = rules.rule_for(called)
	if rule is None or rule.where == "default" or not rules.needs_a_scope(called.method):
		return
	if rule.where == "primary":
		# What it calls may be decorated.
		router.open_primary(name)
		return
	if _may_be_authenticated_later():
		return
	if called.method == DESK:
		install_in_boot(on_primary)
	scope = router.open(rule.need, name)
	if isinstance(scope, Scope):
		scope.remembers_writes = rule.remembers_writes


def _may_be_authenticated_later() -> bool:
	"""Returns whether an auth hook of another app, which stands after ours, may still say whose request it is.

	Nothing is known yet of what that user has written, and what the hook writes must not be refused.
	"""
	if frappe.session.user not in (None, "", "Guest"):
		return False
	hooks = frappe.get_hooks("auth_hooks")
	ours = max((at for at, hook in enumerate(hooks) if hook.startswith("read_replica.")), default=-1)
	return len(hooks) > ours + 1
