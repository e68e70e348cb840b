# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Gathers the steps for a new replica of the current site's primary."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

import frappe

from read_replica.config.settings import settings_from
from read_replica.deploy.facts import Databases
from read_replica.deploy.replication import all_steps
from read_replica.deploy.replication_account import ids_of_replicas
from read_replica.deploy.replication_plan import Plan, make_plan
from read_replica.deploy.replication_report import ReplicationReport
from read_replica.deploy.replication_steps import Pair, Seen, Step, carry_out
from read_replica.deploy.servers import Login
from read_replica.deploy.site_logins import primary_login, replica_login
from read_replica.engine.settings import DEFAULT_PORT, Endpoint


@dataclass(frozen=True)
class Given:
	"""What the command was given; None: taken from the site and its servers.

	:param replica: the name of a replica in site_config.json, or the host of one that is not there yet
	:param root: a user who may make users on the primary, and begin replication on the replica
	:param replica_root: the same on the replica, if it is another one; the copy brings the primary's
	"""

	replica: str | None = None
	port: int | None = None
	primary_host: str | None = None
	user: str | None = None
	from_host: str | None = None
	ssl_ca: str | None = None
	position: str | None = None
	root: str = "root"
	root_password: str | None = field(default=None, repr=False)
	replica_root: str | None = None
	replica_root_password: str | None = field(default=None, repr=False)


def replication(given: Given, runs: bool, shows_password: bool) -> ReplicationReport:
	"""Returns how the steps stand, after those that can be run were run if that is asked for.

	:raises ConfigurationError: if the site's configuration is wrong
	:raises ValueError: if a value cannot be
	:raises frappe.ValidationError: if it is not said which replica
	:raises Skipped: if the primary does not answer
	"""
	conf = frappe.local.conf
	settings = settings_from(conf)
	endpoints = settings.replicas if settings else ()
	endpoint = _endpoint(given, endpoints)
	site_login = primary_login(conf)
	pair = _pair(given, site_login, replica_login(endpoint, site_login))
	is_admin = given.root_password is not None
	plan = make_plan(
		pair.ask(),
		given.primary_host or site_login.host,
		given.user,
		given.from_host,
		given.ssl_ca,
		given.position,
		_ids_of(endpoints, endpoint, site_login),
		ids_of_replicas(pair.primary) if is_admin else (),
	)
	steps = [*all_steps(pair, plan, is_admin, shows_password), _reading(endpoint, endpoints)]
	found = carry_out(pair, steps, runs)
	return ReplicationReport(
		site=frappe.local.site,
		at=datetime.now(timezone.utc),
		primary=f"{plan.primary_host}:{plan.primary_port}",
		replica=f"{plan.replica_host}:{plan.replica_port}",
		server_id=plan.server_id,
		user=str(plan.account),
		steps=found,
		has_changed=any(step.ran for step in found),
		password=plan.password if shows_password else None,
	)


def _endpoint(given: Given, endpoints: Sequence[Endpoint]) -> Endpoint:
	if given.replica is None:
		if len(endpoints) == 1:
			return endpoints[0]
		frappe.throw("Say which server is to be the replica: --replica NAME of site_config.json, or its host")
	named = [each for each in endpoints if given.replica in (each.name, each.host)]
	if named and given.port in (None, named[0].port):
		return named[0]
	return Endpoint(given.replica, given.replica, given.port or DEFAULT_PORT)


def _pair(given: Given, primary: Login, replica: Login) -> Pair:
	site_user = primary.user
	if given.root_password is not None:
		primary = replace(primary, user=given.root, password=given.root_password)
		replica = replace(replica, user=given.root, password=given.root_password)
	if given.replica_root_password is not None:
		user = given.replica_root or given.root
		replica = replace(replica, user=user, password=given.replica_root_password)
	return Pair(primary, replica, frappe.local.conf.db_name, site_user)


def _ids_of(endpoints: Sequence[Endpoint], new: Endpoint, primary: Login) -> list[int]:
	"""Returns the server_ids of the site's other replicas, as far as they answer."""
	logins = [replica_login(each, primary) for each in endpoints if each is not new]
	servers = Databases(primary, logins, frappe.local.conf.db_name, primary.user).replicas
	return [int(server.variables["server_id"]) for server in servers if not server.error]


def _reading(endpoint: Endpoint, endpoints: Sequence[Endpoint]) -> Step:
	row = {"name": endpoint.name, "host": endpoint.host, "port": endpoint.port}
	# Of a first replica, core's own keys, which other apps read as well.
	of_core = {"read_from_replica": 1, "replica_host": endpoint.host, "replica_db_port": endpoint.port}
	is_configured = endpoint in endpoints
	bench = f"bench --site {frappe.local.site} read-replica"
	return Step(
		"reads",
		"lets the site read from the replica, with a user who can only read",
		"this machine",
		lambda _: Seen("done") if is_configured else Seen("to do", "site_config.json does not name it"),
		config=[json.dumps({"read_replica": {"replicas": [row]}} if endpoints else of_core)],
		shell=[f"{bench} replica-user --run", f"{bench} doctor"],
	)
