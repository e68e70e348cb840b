# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The response header X-Read-Replica: which replicas answered, and how fresh their data is.

What it says depends on the roles of the user who made the request.
"""

import ipaddress
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

import frappe

from read_replica.database.client_identity import DESK_USER, user_of
from read_replica.database.event_log import log_event
from read_replica.engine.request import RequestState
from read_replica.engine.settings import Endpoint

HEADER = "X-Read-Replica"

SYSTEM_MANAGER = "System Manager"


def add_header(response: Any, state: RequestState, replicas: tuple[Endpoint, ...]) -> None:
	"""Add a header with the replicas that answered and the time of their data, if any replica answered.

	Guests and website users get no header, and only System Managers get the primary's position.
	Never raises: the response itself is ready, and an error here must not spoil it. It is logged.
	"""
	if state.as_of is None or not hasattr(response, "headers"):
		return
	try:
		roles = _roles_of(state)
		if DESK_USER not in roles:
			return
		response.headers[HEADER] = _header_value(state, replicas, with_position=SYSTEM_MANAGER in roles)
	except Exception as error:
		log_event("header_not_told", error=f"{type(error).__name__} {error}")


def _roles_of(state: RequestState) -> set[str]:
	"""Returns the roles of the user who made the request.

	The handler may have switched to another user with more roles: only those of both count then.
	Core keeps roles in its cache. A response from the primary does not look them up at all.
	"""
	now = frappe.session.user
	roles = set(frappe.get_roles(now))
	asked_by = user_of(state.asked_by or now)
	if asked_by != now:
		roles &= set(frappe.get_roles(asked_by))
	return roles


def _header_value(state: RequestState, replicas: tuple[Endpoint, ...], with_position: bool) -> str:
	names = public_names(replicas)
	servers = ",".join(sorted(names.get(name, "replica") for name in state.servers))
	at = datetime.fromtimestamp(state.as_of.time, timezone.utc).isoformat(timespec="milliseconds")
	position = f"; position={state.as_of.position}" if with_position else ""
	return f"server={servers}; as_of={at}{position}"


@lru_cache(maxsize=64)
def public_names(replicas: tuple[Endpoint, ...]) -> dict[str, str]:
	"""Returns the name that users see for each replica: its own, or such as `replica1` if that is an address."""
	hosts = {replica.host for replica in replicas}
	return {
		replica.name: f"replica{place}"
		if replica.name in hosts or _is_address(replica.name)
		else replica.name
		for place, replica in enumerate(replicas, start=1)
	}


def _is_address(name: str) -> bool:
	try:
		ipaddress.ip_address(name.rpartition(":")[0] if name.count(":") == 1 else name.strip("[]"))
	except ValueError:
		return False
	return True
