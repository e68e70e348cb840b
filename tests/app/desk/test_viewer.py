# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A Read Replica Viewer opens the lists and the settings of this app, and finds nothing that ends in an error."""

import frappe
import pytest

from read_replica.jobs import servers
from read_replica.watch.viewers import VIEWER

from ..conftest import in_another_worker

LOOKER = "looker@example.com"
PASSWORD = "L00ks-but-touches-nothing"
ROUTES = (
	"routed-method",
	"scheduler-config",
	"job-server",
	"job-takeover",
	"scheduled-run",
	"read-replica-outage",
)


@pytest.fixture(scope="module")
def looker(desk_bench):
	in_another_worker(make_looker)


def make_looker() -> None:
	user = {"doctype": "User", "email": LOOKER, "first_name": "Looker", "send_welcome_email": 0}
	if not frappe.db.exists("User", LOOKER):
		user = frappe.get_doc(user | {"roles": [{"role": VIEWER}]}).insert()
		user.new_password = PASSWORD
		user.save()
	servers.note([], {"secondary"})
	frappe.get_doc({"doctype": "Scheduler Config", "job": "some.job", "server_id": "secondary"}).insert()
	frappe.get_doc(
		{
			"doctype": "Read Replica Outage",
			"kind": "Replica Down",
			"subject": "replica01",
			"summary": "Replica replica01 is down",
			"began_at": "2026-01-31 09:30:00",
			"told_at": "2026-01-31 09:30:00",
		}
	).insert()
	frappe.db.commit()


@pytest.mark.parametrize("route", ROUTES)
def test_a_viewer_opens_a_list_without_an_error(looker, desk, route):
	user = desk(LOOKER, PASSWORD)
	page = user.open(route)
	page.wait_for_selector(".frappe-list .result, .frappe-list .no-result", state="attached")
	page.wait_for_load_state("networkidle")
	user.screenshot(f"viewer-{route}")
	assert user.errors == [] and user.refused == []
	assert page.locator(".msgprint:visible").count() == 0


def test_a_viewer_opens_a_rule_and_the_settings_without_an_error(looker, desk):
	user = desk(LOOKER, PASSWORD)
	[name] = in_another_worker(lambda: frappe.get_all("Scheduler Config", pluck="name"))
	for route in (f"scheduler-config/{name}", "read-replica-settings"):
		page = user.open(route)
		page.wait_for_selector(".form-layout:visible")
		page.wait_for_load_state("networkidle")
		user.screenshot(f"viewer-{route.partition('/')[0]}-form")
		assert page.locator(".btn-primary:visible", has_text="Save").count() == 0
	for section in ("Replicas", "Keys in site_config.json"):
		assert page.locator(".section-head:visible").get_by_text(section, exact=True).count() == 0, (
			"it is empty"
		)
	assert page.locator(".section-head:visible").get_by_text("Notices", exact=True).count() == 1
	assert user.errors == [] and user.refused == []


def test_a_viewer_may_not_mark_rows_to_change_them(looker, desk):
	user = desk(LOOKER, PASSWORD)
	page = user.open("routed-method")
	page.wait_for_selector(".frappe-list .result, .frappe-list .no-result", state="attached")
	assert page.get_by_text("Read on Replicas", exact=True).count() == 0
