# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells the desk at once that a replica has gone down, or has come back.

The thread that checks the replicas belongs to no request, and cannot tell it. So the first request or job that ends
after the change does; a site without any has nobody to tell but those who look at its pages, which ask by themselves.
"""

import frappe
from frappe.realtime import get_doctype_room

from read_replica.engine.router import Router

EVENT = "read_replica_changed"

# Whoever may read it is told: System Managers, unless the site has given it to others.
DOCTYPE = "Read Replica Settings"

# Each process of the site notices the change; the first one tells of it.
SECONDS_ONE_TELLS = 10

_known: dict[str, frozenset[str]] = {}


def tell(router: Router) -> None:
	"""Tell the desk if other replicas are down than this process has known. Nothing is asked without a change."""
	site, down = frappe.local.site, router.health.down
	# Each request pays for this.
	if _known.get(site) == down:
		return
	is_new = site in _known
	_known[site] = down
	names = ", ".join(sorted(down))
	if is_new and router.host.shared.is_first_to_log("told", names, SECONDS_ONE_TELLS):
		frappe.publish_realtime(EVENT, {"down": sorted(down)}, room=get_doctype_room(DOCTYPE))
