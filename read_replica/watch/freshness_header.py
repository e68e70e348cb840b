# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells whoever asked how fresh the data of an answer is, as far as that is theirs to know."""

import ipaddress
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

import frappe

from read_replica.database.client_identity import user_of
from read_replica.database.event_log import log_event
from read_replica.engine.request import RequestState
from read_replica.engine.settings import Endpoint

HEADER = "X-Read-Replica"

# Roles that tell who somebody is; core gives the first one to all users who are no Website Users.
DESK_USER = "Desk User"
SYSTEM_MANAGER = "System Manager"


def tell(response: Any, state: RequestState, replicas: tuple[Endpoint, ...]) -> None:
	"""Name in a response's header the replicas that answered, and the time of their data.

	Guests and website users get no header, and the primary's position is told to System Managers only.
	Never raises: the answer itself is ready.
	"""
	if state.as_of is None or not hasattr(response, "headers"):
		return
	try:
		roles = _roles_of(state)
		if DESK_USER not in roles:
			return
		response.headers[HEADER] = _told(state, replicas, with_position=SYSTEM_MANAGER in roles)
	except Exception as error:
		log_event("header_not_told", error=f"{type(error).__name__} {error}")


def _roles_of(state: RequestState) -> set[str]:
	"""The roles that whoever asked has, also where the handler went on as somebody with more of them.

	Core keeps them in its cache; an answer from the primary does not even ask for them.
	"""
	now = frappe.session.user
	roles = set(frappe.get_roles(now))
	asked_by = user_of(state.asked_by or now)
	if asked_by != now:
		roles &= set(frappe.get_roles(asked_by))
	return roles


def _told(state: RequestState, replicas: tuple[Endpoint, ...], with_position: bool) -> str:
	names = public_names(replicas)
	servers = ",".join(sorted(names.get(name, "replica") for name in state.servers))
	at = datetime.fromtimestamp(state.as_of.time, timezone.utc).isoformat(timespec="milliseconds")
	position = f"; position={state.as_of.position}" if with_position else ""
	return f"server={servers}; as_of={at}{position}"


@lru_cache(maxsize=64)
def public_names(replicas: tuple[Endpoint, ...]) -> dict[str, str]:
	"""What users are told each replica is called: its name, or its place in the list if that is an address."""
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
