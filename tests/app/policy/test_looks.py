# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""When a process looks at its rules again: in a transaction of the present, and in nobody's way."""

import time
from collections.abc import Iterator

import frappe
import pytest

from read_replica import read_only
from read_replica.database import revision
from read_replica.engine.router import Router
from read_replica.policy import rules
from read_replica.site import router_of_site

from ..conftest import REPLICAS, in_another_worker, server_id


@read_only
def reads_nothing() -> None:
	"""As the primary is busy with rows: there it would end them."""


@read_only
def decorated() -> int:
	return server_id()


@pytest.fixture
def router(site) -> Iterator[Router]:
	"""The router of a request that has read something, and of a process that knows its rules."""
	router = router_of_site()
	rules.rules_of(router)
	frappe.db.commit()
	frappe.db.get_value("ToDo", {"description": "none"})
	yield router
	rules._of_process.clear()


def change() -> None:
	revision.change()
	frappe.db.commit()


def hear_of_a_change(router: Router) -> str:
	"""Let something change, which this process hears of; returns the new revision."""
	in_another_worker(change)
	router.health.check_now()
	time.sleep(rules.SECONDS_BETWEEN_LOOKS)
	return router.health.revision


def test_a_request_with_an_old_snapshot_takes_up_a_change(router):
	wanted = hear_of_a_change(router)
	assert rules.rules_of(router).revision == wanted


def test_one_that_has_written_does_not_let_old_rules_pass_for_new(router):
	frappe.db.sql("update tabToDo set description = '' where name = 'none'")
	old = rules.rules_of(router).revision
	wanted = hear_of_a_change(router)
	assert rules.rules_of(router).revision == old
	# Another thread of the process, at once after that.
	assert in_another_worker(lambda: rules.rules_of(router_of_site()).revision) == wanted


def test_rows_that_are_read_one_by_one_are_left_alone(router):
	if not hasattr(frappe.db, "unbuffered_cursor"):
		pytest.skip("frappe.db has no unbuffered_cursor in this version")
	hear_of_a_change(router)
	for known in (True, False):
		if not known:
			rules._of_process.clear()
		with frappe.db.unbuffered_cursor():
			rows = frappe.db.sql("select name from tabDocType order by name", as_list=True, as_iterator=True)
			first = next(rows)
			reads_nothing()
			assert len([first, *rows]) > 50
	assert decorated() in REPLICAS
