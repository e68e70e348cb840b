# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Methods are moved by what was counted of them, back for good by their first write, and each move can be undone."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import frappe
import pytest

from read_replica import api
from read_replica.database.host import shared_of_site
from read_replica.policy import desk, learning, rules, shipped_rows
from read_replica.policy.shipped import READS
from support.frappe_request import connected

from ..conftest import REPLICAS, full_form, in_another_worker
from .test_suggestions import NOW, READS_MUCH

METHOD = "sample_app.api.writes_when_asked"
DOCTYPE = "Routed Method"
SETTINGS = "Read Replica Settings"


@pytest.fixture
def learned(configured, servers, browser) -> Iterator[Callable]:
	"""Routes, with nothing counted but what is given; what was moved is gone afterwards."""
	configured.configure(read_replica=full_form(servers, shipped_methods=0))

	def learned(auto: int, **counted) -> None:
		in_another_worker(lambda: _learn(auto, counted))
		servers.catch_up()

	in_another_worker(_forget)
	yield learned
	in_another_worker(_forget)


def _learn(auto: int, counted: dict) -> None:
	frappe.db.set_single_value(SETTINGS, "auto", auto)
	frappe.db.commit()
	if counted:
		shared_of_site().add_counts({}, {METHOD: replace(READS_MUCH, **counted)}, {})
	learning.learn()
	rules._of_process.clear()


def _forget() -> None:
	for name in frappe.get_all(DOCTYPE, {"source": ("!=", "Shipped")}, pluck="name"):
		frappe.delete_doc(DOCTYPE, name)
	frappe.db.set_single_value(SETTINGS, "auto", 0)
	shared_of_site().forget_requests()
	shared_of_site().clear_writers()
	frappe.db.commit()
	rules._of_process.clear()


def row(method: str = METHOD) -> frappe._dict:
	with connected():
		return frappe.db.get_value(DOCTYPE, {"method": method}, "*", as_dict=True) or frappe._dict()


def comments(name: str) -> list[str]:
	with connected():
		return frappe.get_all(
			"Comment", {"reference_doctype": DOCTYPE, "reference_name": name}, pluck="content"
		)


def test_what_reads_much_and_has_never_written_is_moved_by_itself_once_that_is_switched_on(learned, browser):
	learned(auto=0, calls=1000)
	assert not row() and browser.call(METHOD)[0] == 1
	learned(auto=1)
	moved = row()
	assert (moved.reads, moved.consistency, moved.source) == ("Replica", "Strong", "Learned")
	assert "never written in 100" in moved.reason
	assert any("never written" in comment for comment in comments(moved.name))
	assert browser.call(METHOD)[0] in REPLICAS


def test_the_first_write_moves_it_back_for_good(learned, browser):
	learned(auto=1, calls=1000)
	assert browser.call(METHOD)[0] in REPLICAS
	# On the primary from the write on, in each process, long before the next run of the job.
	assert browser.call(METHOD, description="written after all")[0] in REPLICAS
	assert browser.call(METHOD)[0] == 1
	learned(auto=1)
	back = row()
	assert (back.reads, back.source) == ("Default", "Learned") and "it has written" in back.reason
	with connected():
		shared_of_site().clear_writers()
		shared_of_site().forget_requests()
	learned(auto=1, calls=5000)
	assert row().reads == "Default" and browser.call(METHOD)[0] == 1


def test_a_move_is_undone_by_a_click_and_not_made_again(learned, browser):
	learned(auto=1, calls=1000)
	in_another_worker(undo)
	assert (row().reads, row().source) == ("Default", "By Hand") and "Undone" in row().reason
	learned(auto=1, calls=1000)
	assert row().reads == "Default" and browser.call(METHOD)[0] == 1


def undo() -> None:
	api.undo_move(frappe.db.get_value(DOCTYPE, {"method": METHOD}))
	frappe.db.commit()


def test_a_step_that_fails_keeps_no_other_method_from_being_moved(learned, monkeypatch):
	def fails(counted):
		raise ValueError("a broken row")

	monkeypatch.setattr(learning.row_counts, "renew", fails)
	learned(auto=1, calls=1000)
	assert row().reads == "Replica"


def test_a_row_tells_what_the_requests_have_done_that_it_is_for(learned, browser):
	learned(auto=1, calls=1000, rows=70_000_000_000)
	learned(auto=1)
	told = row()
	assert (told.calls, told.writes, told.last_write) == (1000, 0, None)
	assert told.rows_read == 70_000_000_000
	with connected():
		age = frappe.utils.now_datetime() - told.last_call
	assert abs(age.total_seconds() - (time.time() - NOW)) < 5
	modified = told.modified
	learned(auto=1, calls=3, writes=0)
	assert row().calls == 1003 and row().modified == modified


def test_the_desk_shows_the_shipped_list_and_a_change_makes_a_rule_of_it(learned):
	name = "frappe.client.get_count"
	shown = row(name)
	assert (shown.source, shown.reads, shown.reason) == ("Shipped", "Replica", READS[name])
	assert not row("erpnext.stock.get_item_details.get_pos_profile_x")

	def of_the_desk() -> list[str]:
		return [rule.name for rule in rules.sources.from_desk()]

	with connected():
		assert name not in of_the_desk()
		api.set_methods([shown.name], "Primary")
		assert of_the_desk() == [name]
		assert row_of(name) == ("By Hand", "Primary")
		frappe.delete_doc(DOCTYPE, shown.name)
		assert row_of(name) == ("Shipped", "Replica") and of_the_desk() == []
		with pytest.raises(frappe.ValidationError, match="what the app ships"):
			frappe.delete_doc(DOCTYPE, frappe.db.get_value(DOCTYPE, {"method": name}))
		frappe.get_doc({"doctype": DOCTYPE, "method": name, "reads": "Default"}).insert()
		assert row_of(name) == ("By Hand", "Default")
		frappe.db.rollback()


def row_of(name: str) -> tuple:
	[found] = frappe.get_all(DOCTYPE, {"method": name}, ["source", "reads"], as_list=True)
	return found


def test_the_shown_list_follows_the_apps_of_the_site(learned):
	with connected():
		shown = frappe.get_all(DOCTYPE, {"source": "Shipped"}, pluck="method")
		assert all(method.startswith(("/", "frappe.", *apps())) for method in shown)
		frappe.db.delete(DOCTYPE, {"method": "frappe.client.get_count"})
		gone = frappe.get_doc(
			{"doctype": DOCTYPE, "method": "gone.api.get", "reads": "Replica", "source": "Shipped"}
		)
		gone.db_insert()
		shipped_rows.sync()
		assert sorted(frappe.get_all(DOCTYPE, {"source": "Shipped"}, pluck="method")) == sorted(shown)
		frappe.db.rollback()


def apps() -> list[str]:
	return [f"{app}." for app in frappe.get_installed_apps()]


def test_only_a_system_manager_moves_methods(learned):
	with connected():
		frappe.set_user("Guest")
		for call in (lambda: api.set_methods([], "Replica"), lambda: api.undo_move("x"), api.ships_methods):
			with pytest.raises(frappe.PermissionError):
				call()


def test_nothing_is_moved_while_servers_have_different_redises_as_none_has_counted_all(learned):
	def note(redis_id: str) -> None:
		frappe.db.sql(
			"insert into `tabCache Redis` (name, redis_id, host, address, in_use_since, seen_at)"
			" values (%s, %s, 'another', '10.0.0.9:6379', utc_timestamp(6), utc_timestamp(6))",
			(redis_id, redis_id),
		)
		frappe.db.commit()

	def forget() -> None:
		frappe.db.sql("delete from `tabCache Redis` where host = 'another'")
		frappe.db.commit()

	in_another_worker(lambda: (note("first"), note("second")))
	try:
		learned(auto=1, calls=1000)
		assert not row()
	finally:
		in_another_worker(forget)
	learned(auto=1)
	assert row().reads == "Replica"


def test_a_method_that_has_a_row_is_left_to_that(learned):
	def make() -> None:
		frappe.get_doc({"doctype": DOCTYPE, "method": METHOD, "reads": "Primary"}).insert()
		frappe.db.commit()
		desk.move(METHOD, "it reads")
		frappe.db.commit()

	learned(auto=0)
	in_another_worker(make)
	assert (row().reads, row().source) == ("Primary", "By Hand")
