# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The form of Read Replica Settings: figures, the test of each replica, and keys as they stand in files."""

from collections.abc import Iterator

import frappe
import pytest

from support.desk_counts import count_a_site_in_use, forget_counts

from ..conftest import full_form, in_another_worker

ROUTE = "read-replica-settings"
OPEN = {"paused": 0, "consistency": "", "max_lag": 0, "on_unavailable": "", "on_write": ""}


def stored(field: str) -> str:
	return frappe.db.get_single_value("Read Replica Settings", field, cache=False)


def open_all() -> None:
	frappe.get_doc("Read Replica Settings").update(OPEN).save()
	frappe.db.commit()


@pytest.fixture(autouse=True)
def in_use(desk_bench) -> Iterator[None]:
	in_another_worker(count_a_site_in_use)
	yield
	in_another_worker(forget_counts)
	in_another_worker(open_all)


@pytest.fixture
def form(desk, sites, servers):
	"""The form, with max_lag in site_config.json, and a replica whose user is not there."""
	before = sites.config()
	form = full_form(servers, max_lag=45)
	form["replicas"].append(form["replicas"][0] | {"name": "denied", "user": "nobody", "password": "s3cret"})
	sites.configure(read_replica=form)
	user = desk()
	page = user.open(ROUTE)
	page.wait_for_selector(".rr-replicas")
	yield user
	sites.write_config(before)
	assert user.errors == [] and user.refused == []


def test_the_form_says_in_numbers_what_replicas_do_and_where_each_key_stands(form):
	page = form.page
	form.screenshot("settings-light")
	assert "91 % of today's reading" in page.inner_text(".rr-overview")
	assert "7.5 s an hour could still move" in page.inner_text(".rr-overview")
	assert "since midnight (" in page.inner_text(".frappe-control[data-fieldname=overview]")
	row = page.locator("[data-fieldname=keys] tr").filter(has_text="read_replica.max_lag")
	assert row.inner_text().split() == ["read_replica.max_lag", "45", "site_config.json"]
	assert "s3cret" not in page.content()
	field = page.locator(".frappe-control[data-fieldname=max_lag]")
	assert "which counts in place of this field" in field.inner_text()
	assert field.locator("input:visible").count() == 0, "it can be changed, and that would do nothing"


def test_a_test_of_a_connection_says_that_it_works_or_what_mends_it(form):
	page = form.page
	for name, said in (("replica01", "can be read at"), ("denied", "does not let the user in")):
		page.locator(f"[data-replica={name}]").click()
		result = page.locator(".rr-replicas > div").filter(has=page.locator(f"[data-replica={name}]"))
		result.locator(".rr-test .indicator-pill").wait_for()
		assert said in result.inner_text()
	sql = page.inner_text(".rr-test pre")
	assert "CREATE USER IF NOT EXISTS 'nobody'@'" in sql and "GRANT SELECT ON" in sql
	assert "s3cret" not in sql and "IDENTIFIED BY '…'" in sql
	form.screenshot("settings-tested")
	form.use_theme("dark")
	form.screenshot("settings-dark")


def test_a_translation_is_shown_as_text_whatever_it_has(form):
	page = form.page
	page.evaluate(
		"""() => {
			const ours = ["Test Connection", "Pool {0}, weight {1}", "Up, {0} s behind", "Stands in", "Testing …",
				"{0} in the configuration says {1}, which counts in place of this field."];
			for (const text of ours) frappe._messages[text] = `"><img src=nowhere>${text}`;
			cur_frm.refresh();
		}"""
	)
	button = page.locator("[data-replica=replica01]")
	page.wait_for_function("document.querySelector('[data-replica]')?.innerText.includes('<img')")
	assert button.get_attribute("aria-label") == '"><img src=nowhere>Test Connection: replica01'
	button.click()
	page.locator(".rr-test .indicator-pill").wait_for()
	layout = page.locator(".form-layout")
	assert layout.locator("img[src=nowhere]").count() == 0
	assert layout.get_by_text("<img src=nowhere>").count() >= 5


def test_the_switch_is_saved_and_the_form_says_so(form):
	page = form.page
	page.locator("[data-fieldname=paused] input.input-with-feedback").check()
	with page.expect_response(lambda answer: "savedocs" in answer.url):
		page.keyboard.press("Control+s")
	page.wait_for_function(
		"document.querySelector('.rr-overview').innerText.includes('stays on the primary')"
	)
	assert int(in_another_worker(stored, "paused")) == 1
