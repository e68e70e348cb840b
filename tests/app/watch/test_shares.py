# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The share of today is that since the site's midnight, whatever the clock of the server says."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import frappe
import pytest
import time_machine

from read_replica.database.host import shared_of_site
from read_replica.watch import desk_settings, shares


@pytest.fixture
def in_zone(site) -> Iterator:
	"""Sets the time zone of the site; it is that of before at the test's end."""
	before = frappe.db.get_single_value("System Settings", "time_zone")

	def use(zone: str | None) -> ZoneInfo | None:
		frappe.db.set_single_value("System Settings", "time_zone", zone)
		frappe.db.commit()
		frappe.clear_cache()
		if hasattr(frappe.local, "system_settings"):
			del frappe.local.system_settings
		return zone and ZoneInfo(zone)

	yield use
	use(before)
	shared_of_site().forget()


def read(*, primary: int = 0, replica01: int = 0) -> None:
	shared_of_site().add_counts({}, statements={"primary": primary, "replica01": replica01})


def test_today_begins_at_midnight_in_the_time_zone_of_the_site(in_zone):
	zone = in_zone("Asia/Kathmandu")
	with time_machine.travel(datetime(2026, 3, 1, 2, 30, tzinfo=zone), tick=False):
		assert shares.today() == (datetime(2026, 3, 1, tzinfo=zone).timestamp(), "Asia/Kathmandu")


def test_a_day_on_which_the_clocks_are_set_back_has_an_hour_more(in_zone):
	zone = in_zone("Europe/Berlin")
	noon = datetime(2026, 10, 25, 12, tzinfo=zone)
	with time_machine.travel(noon, tick=False):
		assert noon.timestamp() - shares.today().began_at == 13 * 3600


def test_what_was_read_before_midnight_is_not_of_today_and_what_was_read_hours_ago_is(in_zone):
	zone = in_zone("Asia/Kathmandu")
	shared_of_site().forget()
	with time_machine.travel(datetime(2026, 3, 1, 23, 30, tzinfo=zone), tick=False):
		read(primary=1_000)
	with time_machine.travel(datetime(2026, 3, 2, 0, 30, tzinfo=zone), tick=False):
		assert desk_settings.figures()["share_percent"] is None
		read(primary=9, replica01=61)
	with time_machine.travel(datetime(2026, 3, 2, 22, 0, tzinfo=zone), tick=False):
		read(replica01=30)
		assert desk_settings.figures()["share_percent"] == 91
		assert desk_settings.figures()["time_zone"] == "Asia/Kathmandu"
		assert desk_settings.card_of_share()["value"] == 91
		assert shares.replica_share(shares.of_last_hour()) == 100
