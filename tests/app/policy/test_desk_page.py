# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The page that loads the desk is read on a replica, and what Frappe keeps of it for the user is the primary's."""

import re
from collections.abc import Iterator

import frappe
import pytest

from read_replica.policy.called import DESK
from read_replica.watch.freshness_header import HEADER
from support.browser import Browser
from support.trouble import standing_still

from ..conftest import as_after_an_hour, full_form, in_another_worker, overheard
from .desk_page import PATH, boot_in, make_assets, of_the_site

OF_THE_DESK = re.compile(r"^SELECT\b.*\bFROM `tab(?!DefaultValue)", re.I)


@pytest.fixture(autouse=True)
def assets(configured) -> None:
	make_assets(configured)


@pytest.fixture
def routed(configured, servers, browser) -> Iterator[Browser]:
	"""A user who has loaded the desk before; caches are empty."""
	configured.configure(read_replica=full_form(servers, shipped_methods=1))
	boot_of(browser)
	in_another_worker(frappe.clear_cache)
	servers.catch_up()
	in_another_worker(as_after_an_hour)
	# The first request afterwards notes in the session when it was used.
	browser.call("frappe.ping")
	yield browser
	in_another_worker(frappe.clear_cache)


def boot_of(browser: Browser, on: str | None = None, path: str = PATH) -> dict:
	"""What the page tells the desk.

	:param on: the server that has answered: "replica" or "primary"
	"""
	answer = browser.request(path)
	assert answer.status_code == 200, answer.text
	if on:
		server = "replica" if answer.headers.get(HEADER, "").startswith("server=replica") else "primary"
		assert server == on
	return boot_in(answer.text)


def test_the_desk_is_told_the_same_by_a_replica_as_by_the_primary(configured, servers, routed):
	for _ in range(2):
		told = boot_of(routed, on="replica", path=f"{PATH}/todo")
		configured.configure(read_replica=full_form(servers, shipped_methods=0))
		assert of_the_site(boot_of(routed, on="primary")) == of_the_site(told)
		configured.configure(read_replica=full_form(servers, shipped_methods=1))


def test_the_desk_writes_nothing_and_its_second_load_asks_the_primary_for_nothing_of_its_own(servers, routed):
	before = servers.primary.query("select @@gtid_binlog_pos")
	first = boot_of(routed, on="replica")
	with overheard(servers.primary) as heard:
		second = boot_of(routed, on="replica")
		# Not what this app asks of servers and of its own tables, once a second.
		asked = [line for line in heard().splitlines() if OF_THE_DESK.search(line)]
	assert not first.get("from_cache") and second["from_cache"], "what was made is kept for the user"
	assert second["metadata_version"] == first["metadata_version"], (
		"browsers may keep what they know of forms"
	)
	assert servers.primary.query("select @@gtid_binlog_pos") == before
	assert not asked


def test_a_document_that_is_shown_at_each_load_is_read_once(servers, routed):
	boot_of(routed, on="replica")
	with overheard(servers.primary, *servers.replicas) as heard:
		boot_of(routed, on="replica")
		assert "Navbar Settings" not in heard()


def test_what_is_kept_for_the_user_is_not_that_of_a_late_replica(configured, servers, routed):
	# Not as the user who has changed it, for whom a late replica would not do.
	configured.configure(read_replica=full_form(servers, shipped_methods=1, consistency="eventual"))
	boot_of(routed)
	with standing_still(servers):
		in_another_worker(set_default, "new")
		in_another_worker(frappe.clear_cache)
		assert boot_of(routed, on="replica")["sysdefaults"]["of_the_test"] == "new"
		assert boot_of(routed, on="replica")["sysdefaults"]["of_the_test"] == "new"
		in_another_worker(set_default, None)


def set_default(value: str | None) -> None:
	if value is None:
		frappe.db.delete("DefaultValue", {"defkey": "of_the_test"})
	else:
		frappe.db.set_default("of_the_test", value)
	frappe.db.commit()


def test_the_desk_stays_on_the_primary_without_the_shipped_list_or_by_a_rule(configured, servers, browser):
	configured.configure(read_replica=full_form(servers, shipped_methods=0))
	boot_of(browser, on="primary")
	configured.configure(read_replica=full_form(servers, shipped_methods=1, methods={DESK: "primary"}))
	boot_of(browser, on="primary")
	configured.configure(read_replica=full_form(servers, shipped_methods=0, methods={DESK: "replica"}))
	boot_of(browser)
	boot_of(browser, on="replica")
