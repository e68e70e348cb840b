# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Who works in German or Hindi finds no English of this app on its pages."""

import json
from collections.abc import Iterator

import frappe
import pytest

from read_replica import api
from read_replica.database.host import shared_of_site
from read_replica.watch import examination
from support.bench import ADMIN_PASSWORD
from support.desk_counts import count_a_site_in_use, forget_counts
from support.strings import texts, translated

from ..conftest import forget_examination, in_another_worker

# A page of the desk, what shows that it has been drawn, and what of it is ours; the docs themselves are in English.
PAGES = {
	"replica-monitor": (".replica-monitor [data-panel=replicas] :is(table, p)", ".replica-monitor"),
	"routed-methods": (".rm-rows tbody tr", ".routed-methods"),
	"read-replica-settings": (".rr-replicas", ".form-layout"),
	"replica-help": (".replica-help h1", ".page-head"),
	"replicas": (".links-widget-box", ".layout-main-section"),
	"read-replica-outage": (".frappe-list .no-result, .frappe-list .result", ".page-head"),
}


@pytest.fixture(autouse=True)
def in_use(desk_bench) -> Iterator[None]:
	in_another_worker(count_a_site_in_use)
	yield
	in_another_worker(speak, "en")
	in_another_worker(forget_examination)
	in_another_worker(forget_counts)


def speak(language: str) -> None:
	frappe.db.set_value("User", "Administrator", "language", language)
	frappe.db.commit()
	frappe.clear_cache()


def examine() -> list[str]:
	"""Let the doctor look at the site of these tests, and return his sentences in English."""
	api.examine_servers()
	found = json.loads(shared_of_site().kept_text(examination.NAME))["findings"]
	told = [one for one in found if one["status"] in ("fail", "warn", "unknown")]
	return [one["seen"] for one in told] + [one["fix"] for one in told if not one["fix"].startswith("bench ")]


@pytest.mark.parametrize("language", ["de", "hi"])
def test_no_page_shows_a_text_of_this_app_in_english(desk, language):
	in_another_worker(speak, language)
	found = translated(language)
	english = {text for text in texts() if found.get(text, text) != text}
	of_doctor = in_another_worker(examine)
	assert of_doctor
	user = desk("Administrator", ADMIN_PASSWORD)
	for route, (drawn, ours) in PAGES.items():
		page = user.open(route)
		page.wait_for_selector(drawn, state="attached")
		page.wait_for_load_state("networkidle")
		user.screenshot(f"{language}-{route}")
		lines = {line.strip() for line in page.locator(ours).first.inner_text().splitlines()}
		assert lines - {""}, route
		assert not english & lines, route
		if route == "replica-monitor":
			shown = page.locator(".rr-findings li").all_inner_texts()
			assert len(shown) >= len(of_doctor) / 2
			assert not [text for text in of_doctor if any(text in one for one in shown)]
	assert user.errors == []
