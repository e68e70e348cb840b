# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A web process that lives for weeks keeps nothing of the requests that it has answered."""

import gc
import sys
from collections import Counter

import frappe

from read_replica.engine.health import lag

from .conftest import connected

ROUNDS = 100
WARM_UP = 50


def test_a_process_keeps_no_object_of_the_requests_that_it_has_answered(browser, monkeypatch):
	# How the positions of a minute are remembered is tested elsewhere; here it would take a minute to fill.
	monkeypatch.setattr(lag, "MOST_SAMPLES", 4)
	todo = _insert_todo()
	_round(browser, todo, WARM_UP)
	before = _live_objects()
	_round(browser, todo, ROUNDS)
	more = _live_objects() - before
	# One object that each round leaves behind makes as many as there were rounds.
	assert more.total() < ROUNDS, more.most_common(20)


def _round(browser, todo: str, times: int) -> None:
	"""What users do: lists and counts, own methods, a write that the next read must show, an error."""
	for number in range(times):
		browser.call("frappe.desk.reportview.get", doctype="ToDo", fields=["name"], page_length=20)
		browser.call("sample_app.api.several_calls")
		browser.call(
			"frappe.client.set_value", doctype="ToDo", name=todo, fieldname="description", value=str(number)
		)
		assert browser.call("sample_app.api.todo_exists", name=todo)
		browser.call("sample_app.api.writes_a_todo", description="of a round")
		assert browser.ask("sample_app.api.writes_and_fails").status_code != 200


def _insert_todo() -> str:
	with connected():
		todo = frappe.get_doc({"doctype": "ToDo", "description": "of a round"}).insert()
		frappe.db.commit()
		return todo.name


def _live_objects() -> Counter:
	# They keep so much, and no more, of what was met last.
	for module in [module for name, module in sys.modules.items() if name.startswith("read_replica.")]:
		for cached in [one for one in vars(module).values() if hasattr(one, "cache_parameters")]:
			if cached.cache_parameters()["maxsize"]:
				cached.cache_clear()
	gc.collect()
	return Counter(_name(type(one)) for one in gc.get_objects())


def _name(kind: type) -> str:
	return f"{kind.__module__}.{kind.__qualname__}"
