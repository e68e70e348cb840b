# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""How often a scheduler ticks, and since when it has done so: before, it cannot tell who else was alive.

During maintenance, on a paused scheduler, or while the primary is down, no server notes that it is alive.
The first one that ticks again would take all others for gone, and their jobs over.
"""

from datetime import datetime
from typing import NamedTuple

import frappe
from frappe.utils.scheduler import get_scheduler_tick

SECONDS_A_RESTART_TAKES = 30


class TickInterval(NamedTuple):
	"""The ticks of a server's scheduler on this site.

	:param seconds: between two of them, usually; longer than core's where it serves many sites
	:param since: the first one after the last pause, by the database's clock; None: this one
	"""

	seconds: float
	since: datetime | None


def interval_of(server_id: str) -> TickInterval:
	"""As it is with the tick that begins now."""
	rows = frappe.db.sql(
		"select timestampdiff(microsecond, scheduler_alive_at, utc_timestamp(6)), seconds_between_ticks,"
		" ticks_since from `tabJob Server` where server_id = %s and binary server_id = %s"
		" and scheduler_alive_at is not null order by scheduler_alive_at desc limit 1",
		(server_id, server_id),
	)
	if not rows:
		return TickInterval(0, None)
	[[microseconds, usual, since]] = rows
	seconds = microseconds / 1e6
	most = 2 * max(usual, get_scheduler_tick(), SECONDS_A_RESTART_TAKES)
	# A pause counts for little, and a scheduler that has become slow is known for it after some ticks.
	usual = max(0.9 * usual, min(seconds, most))
	return TickInterval(usual, since if seconds <= most else None)
