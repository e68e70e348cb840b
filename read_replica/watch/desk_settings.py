# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the form of Read Replica Settings shows above and below its fields: figures, replicas, keys, and what counts."""

from typing import Any

import frappe
from frappe import _

from read_replica.config import where_keys_stand
from read_replica.config.settings import settings_from, ships_methods
from read_replica.database.host import shared_of_site
from read_replica.engine.errors import ConfigurationError
from read_replica.engine.sentence import said
from read_replica.engine.settings import DEFAULTS, Need, Settings
from read_replica.policy import site_policy, sources
from read_replica.policy.rules import Rules
from read_replica.policy.suggestions import suggestions
from read_replica.site import routing_of_site
from read_replica.watch import shares
from read_replica.watch.status import replicas_of


def of_settings() -> dict[str, Any]:
	"""Returns all of it as plain data, with hosts and no secrets; users of databases are not named."""
	routing = routing_of_site()
	return {
		**figures(),
		"routing_problem": routing.problem and said(routing.problem, _),
		"replicas": _replicas(routing.router),
		"keys": [key._asdict() for key in where_keys_stand.keys()],
		"counts": _what_counts(),
	}


def figures() -> dict[str, Any]:
	"""Returns how much of today's reading replicas did, and how much more could move, for the sentence on top."""
	could_move = suggestions(shared_of_site().load_requests(), Rules("", sources.load()))
	return {
		"routing": routing_of_site().router is not None,
		"paused": site_policy.load().paused,
		"share_percent": shares.share_of_today(),
		"time_zone": shares.today().time_zone,
		"seconds_an_hour": sum(one.seconds_an_hour for one in could_move),
		"could_move": len(could_move),
	}


def card_of_share() -> dict[str, Any]:
	"""Returns the share of today as a number card shows it; 0 if nothing was read."""
	return _card(int(shares.share_of_today() or 0), "Percent", decimals=0)


def card_of_suggestions() -> dict[str, Any]:
	"""Returns the seconds an hour that could move, as a number card shows them."""
	seconds = round(figures()["seconds_an_hour"], 1)
	return _card(seconds, "Float", decimals=1 if seconds < 10 else 0)


def _card(value: float, fieldtype: str, decimals: int) -> dict[str, Any]:
	# As text, as the desk takes the number 0 for no precision, and shows three decimals.
	return {
		"value": value,
		"fieldtype": fieldtype,
		"precision": str(decimals),
		"route": ["routed-methods"],
	}


def _replicas(router: Any) -> list[dict[str, Any]]:
	if router is None:
		return []
	fields = ("name", "host", "port", "pool", "weight", "state", "lag_seconds")
	return [{field: getattr(replica, field) for field in fields} for replica in replicas_of(router)]


def _what_counts() -> dict[str, dict[str, Any]]:
	"""Returns for each field what counts now, and where that is said: site_config, desk or default."""
	conf = frappe.local.conf
	try:
		configured = settings_from(conf) or Settings()
		ships = ships_methods(conf)
	except ConfigurationError:
		# It is said as the problem of the routing.
		configured, ships = Settings(), None
	in_config = site_policy.configured_keys(conf)
	of_desk = site_policy.load().defaults
	found = {key: _counts(key, in_config, configured, of_desk) for key in site_policy.DEFAULT_FIELDS}
	if ships is not None:
		found["shipped_methods"] = {"value": int(ships), "said_by": "site_config"}
	return found


def _counts(key: str, in_config: set[str], configured: Settings, of_desk: Need) -> dict[str, Any]:
	if key in in_config:
		return {"value": getattr(configured.defaults, key), "said_by": "site_config"}
	chosen = getattr(of_desk, key)
	if chosen is not None:
		return {"value": chosen, "said_by": "desk"}
	return {"value": getattr(DEFAULTS, key), "said_by": "default"}
