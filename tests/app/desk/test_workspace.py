# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The workspace Replicas: its cards tell numbers, and it leads to the pages and lists of the app."""

import re
from collections.abc import Iterator

import frappe
import pytest

from read_replica.core.desk_address import DESK
from support.desk_counts import count_a_site_in_use, forget_counts

from ..conftest import in_another_worker

VERSION = int(frappe.__version__.partition(".")[0])


@pytest.fixture(autouse=True)
def in_use(desk_bench) -> Iterator[None]:
	in_another_worker(count_a_site_in_use)
	yield
	in_another_worker(forget_counts)


def test_the_workspace_tells_numbers_and_leads_to_pages_and_lists(desk):
	user = desk()
	page = user.open("replicas")
	for label, number in (("Reading by Replicas Today", "91%"), ("Seconds an Hour That Could Move", "7.5")):
		card = page.locator(".number-widget-box", has_text=label)
		shown = re.compile(rf"^\s*{re.escape(number)}\s*$")
		card.locator(".widget-content .number").filter(has_text=shown).wait_for()
	for label in (
		"Scheduler Config",
		"Job Server",
		"Scheduled Run",
		"Job Takeover",
		"Rules for Methods",
		"Replica Help",
	):
		assert page.locator(".links-widget-box").get_by_text(label, exact=True).first.is_visible()
	user.screenshot("workspace")
	page.locator(".shortcut-widget-box", has_text="Routed Methods").click()
	page.wait_for_selector(".routed-methods .rm-rows tbody tr")
	assert user.errors == [] and user.refused == []


@pytest.mark.skipif(VERSION < 16, reason="Frappe has a sidebar for each app from v16 on")
def test_the_sidebar_of_the_app_leads_to_its_pages(desk):
	user = desk()
	page = user.open("replicas")
	page.locator(".body-sidebar").get_by_text("Routed Methods", exact=True).first.click()
	page.wait_for_selector(".routed-methods")
	user.screenshot("sidebar")


@pytest.mark.skipif(VERSION < 15, reason="Frappe has a screen of apps from v15 on")
def test_the_screen_of_apps_has_a_tile_that_leads_to_the_workspace():
	def tile() -> dict:
		from frappe.apps import get_apps

		return next(app for app in get_apps() if app["name"] == "read_replica")

	assert in_another_worker(tile)["route"] == f"{DESK}/replicas"
