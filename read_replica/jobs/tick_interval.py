# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells how often a scheduler ticks, and since when without a pause: during a pause it saw no other server.

During maintenance, on a paused scheduler, or while the primary is down, no server writes that it is alive.
After it, the first scheduler to tick would otherwise take all other servers for gone, and take their jobs
over.
"""

from datetime import datetime
from typing import NamedTuple

import frappe
from frappe.utils.scheduler import get_scheduler_tick

SECONDS_A_RESTART_TAKES = 30


class TickInterval(NamedTuple):
	"""The ticks of a server's scheduler on this site.

	:param seconds: the usual interval; longer than core's setting where a scheduler serves many sites
	:param since: the first tick after the last pause, by the database's clock; None: the present one
	"""

	seconds: float
	since: datetime | None


def interval_of(server_id: str) -> TickInterval:
	"""Returns the interval of a server's scheduler, including the tick that begins now."""
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
	# The maximum keeps a pause from counting much; the decay lets the interval shrink again after some ticks.
	usual = max(0.9 * usual, min(seconds, most))
	return TickInterval(usual, since if seconds <= most else None)
