# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A report's page tells how old its data are, and a report's form and list set where it reads."""

import re
from datetime import datetime, timezone
from urllib.parse import urlsplit

import frappe
import pytest

from support.bench import SITE
from support.desk_browser import PHONE, Desk
from support.waiting import until

from ..conftest import in_another_worker

REPORT = "ToDo"
ON_PRIMARY = "Writing Report"
AS_OF = ".read-replica-as-of"
OTHER_ZONE = "Asia/Tokyo"


@pytest.fixture(autouse=True)
def no_rules(desk_bench, servers):
	in_another_worker(forget_rules)
	servers.catch_up()
	yield
	in_another_worker(forget_rules)


def forget_rules() -> None:
	frappe.db.delete("Routed Method", {"source": "By Hand"})
	frappe.db.set_value("User", "Administrator", "time_zone", None)
	frappe.db.commit()
	frappe.clear_cache()


def shown_report(user: Desk, report: str = REPORT):
	"""The page of a report, once its answer is there."""
	page = user.open(f"query-report/{report}")
	answered(page, report)
	return page


def answered(page, report: str) -> None:
	page.wait_for_function(
		"(name) => frappe.query_report?.report_name === name && frappe.query_report.data"
		" && frappe.query_report.last_ajax?.readyState === 4",
		arg=report,
	)


def label_of(page) -> str:
	return page.locator(AS_OF).inner_text()


def test_the_page_of_a_report_tells_how_old_its_data_are_and_who_has_answered(desk):
	user = desk()
	page = shown_report(user)
	page.wait_for_selector(AS_OF)
	assert re.fullmatch(r"as of \d\d:\d\d:\d\d from replica0[12]", label_of(page))
	assert "blue" in page.locator(AS_OF).get_attribute("class")
	assert page.locator(AS_OF).get_attribute("title")
	user.screenshot("report-as-of-light")
	user.use_theme("dark")
	user.screenshot("report-as-of-dark")
	assert user.errors == [] and user.refused == []


def test_it_is_shown_on_a_phone(desk):
	user = desk(viewport=PHONE, is_mobile=True)
	page = shown_report(user)
	page.wait_for_selector(AS_OF)
	assert "as of" in label_of(page)
	box = page.locator(AS_OF).bounding_box()
	assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
	user.screenshot("report-as-of-phone")


def test_it_is_gone_when_the_next_report_opens(desk):
	in_another_worker(keep_on_primary)
	user = desk()
	page = shown_report(user)
	page.wait_for_selector(AS_OF)
	user.move("List", "ToDo")
	user.move("query-report", REPORT)
	page.wait_for_selector(AS_OF)
	user.move("query-report", ON_PRIMARY)
	page.wait_for_function("frappe.get_route()[1] === 'Writing Report'")
	assert page.locator(AS_OF).count() == 0
	answered(page, ON_PRIMARY)
	assert page.locator(AS_OF).count() == 0
	user.screenshot("report-of-the-primary")
	user.move("query-report", REPORT)
	page.wait_for_selector(AS_OF)
	assert user.errors == []


def keep_on_primary() -> None:
	frappe.get_doc({"doctype": "Routed Method", "report": ON_PRIMARY, "reads": "Primary"}).insert()
	frappe.db.commit()


def test_it_goes_when_the_same_report_is_answered_by_the_primary(desk):
	user = desk()
	page = shown_report(user)
	page.wait_for_selector(AS_OF)
	page.route("**/frappe.desk.query_report.run*", lambda route: answer(route, None))
	page.evaluate("frappe.query_report.refresh()")
	page.wait_for_selector(AS_OF, state="detached")


def test_data_older_than_a_minute_are_told_in_orange(desk):
	user = desk()
	user.page.route(
		"**/frappe.desk.query_report.run*",
		lambda route: answer(route, "server=replica02; as_of=2026-01-31T09:30:00.000+00:00"),
	)
	page = shown_report(user)
	page.wait_for_selector(f"{AS_OF}.orange")
	assert re.fullmatch(r"as of [\d-]{10} \d\d:\d0:00 from replica02, .+ old", label_of(page))
	user.screenshot("report-as-of-old")


def answer(route, header: str | None) -> None:
	"""Let the server answer, with another header."""
	# Playwright asks outside the browser, which knows the site's name.
	port = urlsplit(route.request.url).port
	url = route.request.url.replace(f"{SITE}:", "127.0.0.1:", 1)
	response = route.fetch(url=url, headers=route.request.headers | {"host": f"{SITE}:{port}"})
	headers = {name: value for name, value in response.headers.items() if name != "x-read-replica"}
	route.fulfill(response=response, headers=headers | ({"x-read-replica": header} if header else {}))


def test_the_time_is_that_of_the_user(desk):
	in_another_worker(set_zone)
	page = shown_report(desk())
	page.wait_for_selector(AS_OF)
	hour = datetime.now(timezone.utc).hour
	assert int(label_of(page)[6:8]) in ((hour + 9) % 24, (hour + 8) % 24)


def set_zone() -> None:
	frappe.db.set_value("User", "Administrator", "time_zone", OTHER_ZONE)
	frappe.db.commit()
	frappe.clear_cache()


def test_the_button_of_a_report_sets_where_it_reads(desk):
	user = desk()
	page = user.open(f"report/{REPORT}")
	page.get_by_role("button", name="Where It Reads").click()
	dialog = page.locator(".modal-dialog:visible")
	dialog.get_by_text("reads where Frappe or its app says").wait_for()
	user.screenshot("report-dialog-light")
	user.use_theme("dark")
	user.screenshot("report-dialog-dark")
	dialog.locator("[data-fieldname=consistency] select").select_option("Eventual")
	for field, value in (
		("pool input", "reports"),
		("max_lag input", "60"),
		("reason textarea", "It is heavy."),
	):
		fieldname, kind = field.split()
		control = dialog.locator(f"[data-fieldname={fieldname}] {kind}")
		control.fill(value)
		# As people leave a field: v14 draws all of them anew then, and what nobody has left yet is lost.
		control.blur()
	dialog.get_by_role("button", name="Set Rule", exact=True).click()
	dialog.wait_for(state="hidden")
	[row] = in_another_worker(rules_by_hand)
	assert (row.report, row.subject, row.reads, row.pool) == (REPORT, REPORT, "Replica", "reports")
	assert (row.max_lag, row.timeout, row.consistency, row.reason) == (60, 0, "Eventual", "It is heavy.")
	page.get_by_role("button", name="Where It Reads").click()
	dialog = page.locator(".modal-dialog:visible")
	dialog.get_by_text("A rule in Routed Method, changed here").wait_for()
	assert dialog.locator("[data-fieldname=pool] input").input_value() == "reports"
	dialog.locator("[data-fieldname=reads] select").select_option("Primary")
	dialog.locator("[data-fieldname=pool] input").wait_for(state="hidden")
	user.screenshot("report-dialog-primary")
	dialog.get_by_role("button", name="Set Rule", exact=True).click()
	dialog.wait_for(state="hidden")
	[row] = in_another_worker(rules_by_hand)
	assert row.reads == "Primary"
	assert user.refused == []


def rules_by_hand() -> list:
	return frappe.get_all("Routed Method", {"source": "By Hand"}, ["*"], order_by="subject")


def test_the_list_of_reports_sets_where_several_read(desk):
	user = desk()
	page = user.open("report?module=Desk")
	rows = page.locator(".list-row-checkbox")
	rows.first.wait_for()
	names = page.evaluate(
		"cur_list.data.filter((d) => d.report_type !== 'Report Builder').map((d) => d.name)"
	)[:2]
	assert len(names) > 0
	for name in names:
		page.locator(f".list-row-checkbox[data-name='{name}']").check()
	page.locator(".actions-btn-group > button:visible").click()
	page.get_by_text("Where They Read").click()
	dialog = page.locator(".modal-dialog:visible")
	dialog.wait_for()
	user.screenshot("report-list-dialog")
	dialog.locator("[data-fieldname=reads] select").select_option("Primary")
	dialog.get_by_role("button", name="Set Rule", exact=True).click()
	dialog.wait_for(state="hidden")
	until(lambda: [row.subject for row in in_another_worker(rules_by_hand)] == sorted(names))
	assert user.errors == [] and user.refused == []


def test_a_report_that_shows_a_list_has_no_rule_of_its_own(desk_bench):
	def refused() -> None:
		from read_replica.policy import report_rules

		report = {"doctype": "Report", "report_name": "Of a List", "ref_doctype": "ToDo", "is_standard": "No"}
		frappe.get_doc(report | {"report_type": "Report Builder"}).insert()
		with pytest.raises(frappe.ValidationError, match="shows a list"):
			report_rules.set_rule(["Of a List"], {"reads": "Primary"})
		frappe.db.rollback()

	in_another_worker(refused)
