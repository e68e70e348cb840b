# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The page Routed Methods: suggestions that are taken and undone by a click, and where all the rest reads and why."""

from collections.abc import Iterator

import frappe
import pytest

from read_replica.policy.desk import name_of
from support.desk_browser import PHONE
from support.desk_counts import (
	FORM,
	JOB,
	LIST,
	READER,
	SECOND_READER,
	WRITER,
	count_a_site_in_use,
	forget_counts,
)

from ..conftest import in_another_worker

ROUTE = "routed-methods"


@pytest.fixture(autouse=True)
def in_use(desk_bench) -> Iterator[None]:
	in_another_worker(count_a_site_in_use)
	yield
	in_another_worker(forget_counts)


@pytest.fixture
def page(desk):
	user = desk()
	page = user.open(ROUTE)
	page.wait_for_selector(".rm-rows tbody tr")
	yield page
	assert user.errors == [] and user.refused == []


def row_of(page, name: str):
	method, _, subject = name.partition("(")
	rows = page.locator(".rm-rows tbody tr").filter(has=page.locator(".rm-name", has_text=method))
	return rows.filter(has_text=subject[:-1]) if subject else rows


def rules() -> dict[str, tuple]:
	rows = frappe.get_all(
		"Routed Method", {"source": ("!=", "Shipped")}, ["method", "subject", "reads", "source"]
	)
	return {name_of(row.method, row.subject): (row.reads, row.source) for row in rows}


def test_the_page_says_in_numbers_what_replicas_do_and_what_could_still_move(page):
	assert page.inner_text(".rm-headline") == (
		"Replicas did 91 % of the reading of the last hour. 7.5 s an hour could still move."
	)


def test_a_suggestion_is_taken_by_a_click_and_undone_by_another(page):
	suggested = page.locator(".rm-suggestions tbody tr")
	assert suggested.count() == 2
	assert "5.0 s an hour" in suggested.first.inner_text()
	suggested.first.get_by_role("button").click()
	page.wait_for_function("document.querySelectorAll('.rm-suggestions tbody tr').length === 1")
	assert in_another_worker(rules) == {READER: ("Replica", "Learned")}
	taken = row_of(page, READER)
	assert "Replicas" in taken.inner_text() and "Taken on" in taken.inner_text()
	taken.get_by_role("button").click()
	page.wait_for_function("document.querySelectorAll('.rm-suggestions tbody tr').length === 2")
	assert in_another_worker(rules) == {}


def test_all_suggestions_are_taken_at_once(page):
	page.get_by_role("button", name="Take All").click()
	page.wait_for_selector(".rm-suggestions .rm-note")
	assert in_another_worker(rules).keys() == {READER, SECOND_READER}


def test_each_row_says_where_it_reads_and_why(page):
	for name, where, why in (
		(READER, "Primary", "No rule. It has never written in 400 calls."),
		(WRITER, "Primary", "It has written in 7 of 400 calls."),
		(FORM, "Primary", "Never on a replica"),
		(LIST, "Replicas", "Its function is decorated as read-only."),
		(JOB, "Replicas", "A job: its rule stands in Scheduler Config."),
	):
		text = row_of(page, name).inner_text()
		assert where in text and why in text, name
	assert row_of(page, FORM).get_by_role("checkbox").count() == 0, "no rule can move a form"
	assert "91 %" in row_of(page, LIST).inner_text()


def test_several_are_set_at_once_and_undone_at_once(page):
	for name in (READER, WRITER):
		row_of(page, name).get_by_role("checkbox").check()
	page.get_by_role("button", name="Keep on the Primary").click()
	page.wait_for_function("document.querySelectorAll('[data-undo]').length === 2")
	assert in_another_worker(rules) == {name: ("Primary", "By Hand") for name in (READER, WRITER)}
	for name in (READER, WRITER):
		row_of(page, name).get_by_role("checkbox").check()
	page.locator(".rm-tools [data-where=undo]").click()
	page.wait_for_function("document.querySelectorAll('[data-undo]').length === 0")
	assert in_another_worker(rules) == {}


def test_what_is_searched_for_is_shown_alone(page):
	page.fill(".rm-search", "GETDOC(TODO)")
	page.locator(".rm-rows tbody tr:only-child", has_text="getdoc").wait_for()
	page.fill(".rm-search", "job:")
	page.select_option(".rm-reads", "replica")
	page.locator(".rm-rows tbody tr:only-child", has_text=JOB).wait_for()
	page.select_option(".rm-reads", "primary")
	page.wait_for_selector(".rm-rows .rm-note")
	page.fill(".rm-search", "no such method")
	page.wait_for_selector(".rm-rows .rm-note")


def test_the_page_can_be_read_in_the_dark_and_on_a_phone(desk):
	for name, options in (("light", {}), ("phone", {"viewport": PHONE})):
		user = desk(**options)
		user.open(ROUTE).wait_for_selector(".rm-rows tbody tr")
		user.screenshot(f"routed-methods-{name}")
		too_wide = user.page.evaluate(
			"document.querySelector('.routed-methods').scrollWidth > document.documentElement.clientWidth"
		)
		assert not too_wide
	user = desk()
	user.open(ROUTE).wait_for_selector(".rm-rows tbody tr")
	user.use_theme("dark")
	user.screenshot("routed-methods-dark")
