# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the page Routed Methods is told, who may ask for it and change it, and what an undo leaves behind."""

from collections.abc import Iterator

import frappe
import pytest

from read_replica.database.host import shared_of_site
from read_replica.policy import clicks
from read_replica.watch import desk_methods
from support.bench import SITE
from support.browser import Browser
from support.desk_counts import READER, WRITER, count_a_site_in_use, forget_counts

from ..conftest import in_another_worker

VIEWER, PASSWORD = "looks-at-methods@example.com", "of-the-viewer-1"
CHANGES = {
	"take_suggestions": {"names": [READER]},
	"set_rules": {"names": [READER], "where": "replica"},
	"undo_rules": {"names": [READER]},
	"test_connection": {"replica": "replica01"},
}


@pytest.fixture(autouse=True)
def in_use(site) -> Iterator[None]:
	count_a_site_in_use()
	yield
	forget_counts()
	frappe.db.set_single_value("Read Replica Settings", "auto", 0)
	frappe.db.commit()


@pytest.fixture
def viewer(site) -> Iterator[Browser]:
	if not frappe.db.exists("User", VIEWER):
		user = frappe.get_doc(
			{"doctype": "User", "email": VIEWER, "first_name": "Viewer", "send_welcome_email": 0}
		)
		user.new_password = PASSWORD
		user.append("roles", {"role": "Read Replica Viewer"})
		user.flags.ignore_password_policy = True
		user.insert()
		frappe.db.commit()
	browser = Browser(SITE)
	browser.log_in(VIEWER, PASSWORD)
	yield browser
	browser.close()


def row(name: str) -> dict:
	return next(one for one in desk_methods.of_page()["rows"] if one["name"] == name)


def source_of(method: str) -> tuple | None:
	return frappe.db.get_value("Routed Method", {"method": method}, ["reads", "source"])


def test_a_viewer_may_look_and_change_nothing(viewer):
	assert viewer.call("read_replica.api.routed_methods")["suggestions"]
	for method, arguments in CHANGES.items():
		assert viewer.ask(f"read_replica.api.{method}", **arguments).status_code == 403, method
	assert viewer.ask("read_replica.api.settings_overview").status_code == 403, "it has hosts"


def test_nothing_is_changed_by_a_request_that_only_gets(browser):
	for method in CHANGES:
		assert browser.request(f"/api/method/read_replica.api.{method}").status_code == 403, method


def test_a_method_that_was_caught_writing_says_so(site):
	shared_of_site().add_writer(READER, 2_000_000_000)
	assert row(READER)["reads"] == "primary"
	assert "caught writing" in row(READER)["why"]


def test_what_is_no_suggestion_is_not_taken_and_nothing_beside_it(site):
	with pytest.raises(frappe.ValidationError):
		clicks.take([READER, WRITER])
	frappe.db.rollback()
	assert source_of(READER) is None


def test_an_undo_makes_a_suggestion_again_or_stays_where_methods_are_moved_by_themselves(site):
	clicks.take([READER])
	assert source_of(READER) == ("Replica", "Learned")
	clicks.undo([READER])
	assert source_of(READER) is None
	clicks.take([READER])
	frappe.db.set_single_value("Read Replica Settings", "auto", 1)
	clicks.undo([READER])
	assert source_of(READER) == ("Default", "By Hand"), "it would be moved again"


def test_a_job_and_a_place_that_is_none_are_refused(site):
	for names, where in ((["job:a.b"], "replica"), ([READER], "elsewhere")):
		with pytest.raises(frappe.ValidationError):
			clicks.set_rules(names, where)
