# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""How much of the reading replicas do: statements that read, by the server that has answered them."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from frappe.utils import get_system_timezone

from read_replica.database.host import shared_of_site
from read_replica.engine.metrics import PRIMARY

AN_HOUR = 3600


class Today(NamedTuple):
	"""The present day of a site.

	:param began_at: the time.time() of its midnight
	:param time_zone: the site's
	"""

	began_at: float
	time_zone: str


def today() -> Today:
	"""Returns the present day in the site's time zone."""
	zone = get_system_timezone()
	midnight = datetime.now(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
	return Today(midnight.timestamp(), zone)


def of_last_hour() -> dict[str, int]:
	"""Returns how many statements each server has answered in the last hour, or up to ten minutes more."""
	return shared_of_site().load_statements(since=time.time() - AN_HOUR)


def replica_share(statements: Mapping[str, int]) -> float | None:
	"""Returns how many per cent of statements replicas have answered; None if there were none.

	:param statements: how many each server has answered
	"""
	total = sum(statements.values())
	return 100 * (total - statements.get(PRIMARY, 0)) / total if total else None


def share_of_today() -> float | None:
	"""Returns the share of replicas since the site's midnight; None if nothing was read."""
	return replica_share(shared_of_site().load_statements(since=today().began_at))
