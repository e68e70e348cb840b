# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""When no scheduler ticks, no server is seen; that is not for the others to make something of."""

import frappe

from read_replica.jobs import servers, tick_interval

from ..watch.test_job_findings import minutes_pass, takeovers, worker
from .test_jobs import HOURLY, rule, tick
from .test_scheduled_runs import as_with_another_queue, hourly, later

__all__ = ["hourly"]


def test_after_a_pause_of_all_schedulers_the_default_server_takes_nothing_over(hourly, monkeypatch):
	rule(HOURLY, "secondary")
	with worker("default"):
		tick(monkeypatch, "secondary")
		tick(monkeypatch, "primary")
	as_with_another_queue()
	later(61 * 60)
	minutes_pass(60, ticking=())
	assert tick(monkeypatch, "primary") == [], "maintenance is over, and it is the first to tick"
	assert takeovers() == []
	minutes_pass(14)
	assert tick(monkeypatch, "primary") == []
	minutes_pass(2)
	assert tick(monkeypatch, "primary") == [HOURLY], "the other one has not come back"


def test_a_server_is_not_gone_before_it_has_missed_a_tick(hourly, monkeypatch):
	rule(HOURLY, "secondary", takeover_after=60)
	with worker("default"):
		tick(monkeypatch, "secondary")
		ticks_every("secondary", 240)
	as_with_another_queue()
	minutes_pass(4)
	later(61)
	assert tick(monkeypatch, "primary") == []
	minutes_pass(4.5)
	assert tick(monkeypatch, "primary") == [HOURLY]


def ticks_every(server_id: str, seconds: float) -> None:
	frappe.db.sql(
		"update `tabJob Server` set seconds_between_ticks = %s where server_id = %s", (seconds, server_id)
	)
	frappe.db.commit()


def test_a_scheduler_that_has_become_slow_is_not_paused_for_ever(hourly, monkeypatch):
	monkeypatch.delenv("SERVER_ID", raising=False)
	seconds = 10 * tick_interval.get_scheduler_tick()
	servers.note([], ())
	is_paused = []
	for _ in range(8):
		tell_again_after(seconds)
		is_paused.append(tick_interval.interval_of("primary").since is None)
		servers.note([], ())
	assert is_paused[0] and not any(is_paused[-3:])
	for _ in range(30):
		tell_again_after(seconds / 10)
		servers.note([], ())
	tell_again_after(seconds)
	assert tick_interval.interval_of("primary").since is None, "it has become fast again, and pauses"


def tell_again_after(seconds: float) -> None:
	frappe.db.sql(
		"update `tabJob Server` set scheduler_alive_at = utc_timestamp(6) - interval %s second", seconds
	)
	frappe.db.commit()


def test_what_a_restart_takes_is_no_pause(hourly, monkeypatch):
	monkeypatch.delenv("SERVER_ID", raising=False)
	servers.note([], ())
	tell_again_after(50)
	assert tick_interval.interval_of("primary").since
