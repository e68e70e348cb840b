# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells apart the clients that share one user: programs with one API key, and visitors, who are all Guest.

Many programs log in with the API keys of one user, and all visitors are Guest: if each had to be shown
what all of them have committed, all would wait for each other, and read the primary on a busy site. So each
is shown what it has committed itself, by its address and User-Agent. Whoever works in a session of the desk
is one user, on whichever device.
"""

import hashlib
from typing import Any

import frappe

DIGITS = 16

# Core gives this role to all users but Website Users.
DESK_USER = "Desk User"

# No user's name has one.
SEPARATOR = " "


def reader(user: str, asked_by: str | None) -> str:
	"""Returns the name under which the commits are kept that a call for this user must be shown.

	:param asked_by: who has made the request, where that is known already
	"""
	request = getattr(frappe.local, "request", None)
	if not request or _has_session():
		return user
	is_shared = "Authorization" in request.headers or user_of(asked_by or user) == "Guest"
	return f"{user}{SEPARATOR}{_client(request)}" if is_shared else user


def user_of(reader: str) -> str:
	"""Returns the user in a name that `reader` has made."""
	return reader.partition(SEPARATOR)[0]


def name_to_count(called: str, user: str) -> str:
	"""Returns the name under which a request is counted: `method(subject)`, or the method alone for a website user.

	Anybody may become one on many sites, and could fill the memory with subjects of their own making.
	"""
	method, bracket, _ = called.partition("(")
	if not bracket:
		return called
	try:
		return called if DESK_USER in frappe.get_roles(user) else method
	except Exception:
		# The connection may be lost by now; the response is ready, and must not be spoiled.
		return method


def _has_session() -> bool:
	"""Returns whether the request has a session: core puts the user's name in the place of its id if not."""
	session = getattr(frappe.local, "session", None) or {}
	return session.get("sid") not in (None, session.get("user"), "Guest")


def _client(request: Any) -> str:
	address = getattr(frappe.local, "request_ip", None) or request.remote_addr or ""
	text = f"{address}|{request.headers.get('User-Agent', '')}"
	return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:DIGITS]
