# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The lists of this app open in the desk without an error, and say in words what one would open a row for."""

import frappe
import pytest

from ..conftest import in_another_worker


@pytest.mark.parametrize("route", ["routed-method", "scheduler-config", "job-server", "scheduled-run"])
def test_a_list_opens_without_an_error(desk, route):
	user = desk()
	page = user.open(route)
	page.wait_for_selector(".frappe-list .result, .frappe-list .no-result", state="attached")
	user.screenshot(route)
	assert user.errors == [] and user.refused == []


def add_rows() -> None:
	"""A server that is alive and one that is gone, a rule for each, runs in each state, and a takeover that goes on."""
	forget_rows()
	now, long_ago = "utc_timestamp(6)", "utc_timestamp(6) - interval 3 hour"
	for server_id, seen in (("primary", now), ("secondary", long_ago)):
		frappe.get_doc(
			{"doctype": "Job Server", "server_id": server_id, "host": f"{server_id}.test"}
		).db_insert()
		frappe.db.sql(
			f"update `tabJob Server` set workers_alive_at = {seen}, scheduler_alive_at = {seen},"
			f" missed_since = {long_ago}, workers = 2, jobs = 3, queues = server_id"
			" where server_id = %s",
			server_id,
		)
		frappe.get_doc(
			{"doctype": "Scheduler Config", "job": f"app.{server_id}_job", "server_id": server_id}
		).insert()
	for job, begun, executed in (
		("waits", "null", "null"),
		("runs", long_ago, "null"),
		("done", long_ago, now),
	):
		frappe.get_doc({"doctype": "Scheduled Run", "job": job, "server_id": "primary"}).db_insert()
		frappe.db.sql(
			f"update `tabScheduled Run` set due_at = now(), claimed_at = {long_ago}, begun_at = {begun},"
			f" executed_at = {executed} where job = %s",
			job,
		)
	frappe.get_doc({"doctype": "Job Takeover", "server_id": "secondary", "taken_by": "primary"}).db_insert()
	frappe.db.sql(f"update `tabJob Takeover` set began_at = {long_ago}")
	frappe.db.commit()


def forget_rows() -> None:
	for doctype in ("Job Server", "Scheduler Config", "Scheduled Run", "Job Takeover"):
		frappe.db.delete(doctype)
	frappe.db.commit()


@pytest.fixture
def rows(desk_bench):
	in_another_worker(add_rows)
	yield
	in_another_worker(forget_rows)


SAID = {
	"job-server": {"primary": ("Alive",), "secondary": ("Gone", "3 hours ago", "2 for 3 jobs")},
	"scheduler-config": {
		"app.primary_job": ("Reads primary",),
		"app.secondary_job": ("Taken over",),
	},
	"scheduled-run": {"waits": ("Waits for 3 hours",), "runs": ("Runs for 3 hours",), "done": ("Executed",)},
	"job-takeover": {"secondary": ("Going on for 3 hours",)},
}


@pytest.mark.parametrize("route", SAID)
def test_a_row_says_what_one_would_open_it_for(rows, desk, route):
	user = desk()
	page = user.open(route)
	for name, sentences in SAID[route].items():
		row = page.locator(".list-row-container", has_text=name).first
		for sentence in sentences:
			row.get_by_text(sentence).first.wait_for(state="attached")
	user.screenshot(f"list-{route}")
	assert user.errors == [] and user.refused == []
