# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tests a replica of the current site, and says in words what is wrong and what mends it."""

import json
from typing import Any

import frappe
from frappe import _
from frappe.utils import escape_html

from read_replica.config.settings import settings_from
from read_replica.deploy.connection_test import ConnectionTest, try_connection
from read_replica.deploy.site_logins import primary_login, replica_login
from read_replica.engine.sentence import said
from read_replica.engine.settings import Endpoint
from read_replica.site import routing_of_site

TABLE = "tabDocType"


def try_replica(name: str) -> dict[str, Any]:
	"""Returns what a test from this server has found: `works`, what it `says`, what a server
	has `said`, and what `mends` it, as lines.

	:param name: of the replica, as site_config.json has it
	:raises ConfigurationError: if site_config.json is wrong
	:raises frappe.ValidationError: if it has no replica of that name
	"""
	conf = frappe.local.conf
	settings = settings_from(conf)
	endpoint = next((one for one in settings.replicas if one.name == name), None) if settings else None
	if endpoint is None:
		frappe.throw(_("site_config.json has no replica {0}").format(escape_html(name)))
	primary = primary_login(conf)
	replica = replica_login(endpoint, primary)
	test = try_connection(replica, primary, conf.db_name, TABLE)
	if test.found != "works":
		says, mends = _trouble(test, endpoint, replica.user == primary.user)
		return {"works": False, "says": says, "said": said(test.said, _), "mends": mends}
	trouble, mends = _replication_trouble(endpoint)
	says = trouble or _("The site's database can be read at {0}.").format(_address(endpoint))
	return {"works": not trouble, "says": says, "said": "", "mends": mends}


def _address(endpoint: Endpoint) -> str:
	return f"{endpoint.host}:{endpoint.port}"


def _trouble(test: ConnectionTest, endpoint: Endpoint, is_sites_user: bool) -> tuple[str, list[str]]:
	at = _address(endpoint)
	command = f"bench --site {frappe.local.site} read-replica replica-user"
	says, mends = {
		"unreachable": (
			_(
				"No database server answers at {0}. Is the address right, and does its firewall let this server in?"
			),
			[_key("host", endpoint.host), _key("port", endpoint.port)],
		),
		"tls": (
			_("The connection to {0} cannot be encrypted as it should be. The key tls says how."),
			[_key("tls", {"ca": "/etc/ssl/db-ca.pem"})],
		),
		"host_refused": (
			_("{0} has no account for this server's address. Make one on the primary."),
			test.sql,
		),
		"login_refused": (
			_(
				"{0} does not let the user in: there is no such account, or it has another password. On the primary:"
			),
			test.sql,
		),
		"not_granted": (_("The user may not read the site's database at {0}. Run on the primary:"), test.sql),
		"no_database": (
			_(
				"{0} does not have the site's database, or not all of it. Make the replica anew from the primary."
			),
			[],
		),
		"primary_itself": (
			_("{0} is the primary itself. Name the replica's own address."),
			[_key("host", "10.0.0.2")],
		),
	}[test.found]
	if is_sites_user and test.found in ("host_refused", "login_refused"):
		# An account of that name with fewer rights would be taken on the primary as well.
		says = _("{0} does not let the site's own user in. Give the replicas a user that can only read:")
		mends = [command]
	return says.format(at), [f"{line};" if line in test.sql else line for line in mends]


def _key(key: str, value: Any) -> str:
	"""Returns a key of the replica as it stands in the full form of site_config.json."""
	return f'"{key}": {json.dumps(value)}'


def _replication_trouble(endpoint: Endpoint) -> tuple[str, list[str]]:
	"""Returns what keeps a replica that answers from being used, or what it should not do, and what mends it."""
	router = routing_of_site().router
	if router is None:
		return "", []
	router.health.check_now()
	verdict = router.health.verdict_of(endpoint.name)
	at = _address(endpoint)
	if verdict is None or verdict.state == "down":
		error = _(verdict.error) if verdict else ""
		return _("{0} answers, but its health check has failed: {1}").format(at, error), []
	if verdict.lag is None:
		says = _(
			"{0} answers, but it is not known how late it is, so it is not used. Does replication run there?"
		)
		return says.format(at), ["SHOW REPLICA STATUS;", "START REPLICA;"]
	if verdict.read_only is False:
		return _("{0} accepts writes from others. Run there:").format(at), ["SET GLOBAL read_only = 1;"]
	return "", []
