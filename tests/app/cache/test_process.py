# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What core keeps in a process's memory: made on the primary, once, also if a call on a replica needs it first."""

import frappe
import pytest
from frappe.model import base_document
from frappe.model.utils import is_virtual_doctype
from frappe.utils.caching import redis_cache, site_cache

from read_replica import read_only

from ..conftest import server_id
from .test_cache import late, next_request, on_a_replica, written

CHANGED = "update tabRole set desk_access = 1 - desk_access where name = 'Guest'"


@site_cache
def access(role: str, field: str = "desk_access"):
	return frappe.db.get_value("Role", role, field)


@site_cache(ttl=3600, maxsize=2)
def two_at_most(number: int):
	return server_id() * 10 + number


@site_cache
def server_unless_it_fails(failures: tuple = ()):
	if TO_FAIL:
		raise TO_FAIL.pop()
	return server_id()


@redis_cache(ttl=60)
def in_redis(role: str):
	return frappe.db.get_value("Role", role, "desk_access")


TO_FAIL: list[Exception] = []


@pytest.fixture
def changed(late):  # noqa: F811
	"""Returns what a role had before; the replicas miss what it has now."""
	before = frappe.db.get_value("Role", "Guest", "desk_access")
	written((CHANGED,))
	yield before
	written((CHANGED,))


def test_what_a_function_keeps_in_the_process_is_fresh_afterwards(changed):
	on_a_replica(lambda: access("Guest"))
	next_request()
	assert access("Guest") == 1 - changed


def test_a_function_that_is_the_first_to_read_in_its_call_leaves_nothing_old(changed):
	read_only(consistency="eventual")(lambda: access("Guest", field="desk_access"))()
	next_request()
	assert access("Guest", field="desk_access") == 1 - changed


def test_a_function_sees_the_primary_inside_a_call_as_its_value_is_kept_for_others(changed):
	assert on_a_replica(lambda: frappe.db.get_value("Role", "Guest", "desk_access")) == changed
	assert on_a_replica(lambda: access("Guest")) == 1 - changed
	assert on_a_replica(server_id) != 1, "and later calls read from replicas"


def test_a_value_is_made_once_for_all_calls(site):
	made_by = []

	@site_cache
	def function(*args, **kwargs):
		made_by.append(server_id())
		return len(made_by)

	def calls():
		return function(1), function(a=1), function(1)

	assert on_a_replica(calls) == (1, 2, 1)
	next_request()
	assert on_a_replica(calls) == (1, 2, 1)
	next_request()
	assert calls() == (1, 2, 1)
	assert made_by == [1, 1]
	function.clear_cache()
	assert on_a_replica(calls) == (3, 4, 3)


def test_no_more_values_are_kept_than_the_function_says(site):
	two_at_most.clear_cache()
	assert on_a_replica(lambda: [two_at_most(number) for number in range(5)]) == [10, 11, 12, 13, 14]
	kept = frappe.utils.caching._SITE_CACHE
	function = two_at_most.__wrapped__
	values = kept.get(function) or kept[f"{function.__module__}.{function.__name__}"][frappe.local.site]
	assert len(values) <= 2


@pytest.mark.parametrize("error", [KeyError, RuntimeError, ValueError])
def test_a_function_that_fails_leaves_nothing_from_a_replica(site, error):
	def call():
		TO_FAIL.append(error("of the test"))
		try:
			return server_unless_it_fails()
		except error:
			return None

	server_unless_it_fails.clear_cache()
	on_a_replica(call)
	next_request()
	TO_FAIL.clear()
	assert server_unless_it_fails() == 1


def test_a_doctype_that_has_become_virtual_is_so_for_others(late):  # noqa: F811
	change = "update tabDocType set is_virtual = 1 - is_virtual where name = 'Note'"
	written((change,))
	try:
		on_a_replica(lambda: is_virtual_doctype("Note"))
		next_request()
		assert is_virtual_doctype("Note")
	finally:
		written((change,))


def test_the_class_of_a_doctype_that_has_become_a_tree_is_that_of_a_tree(site, servers):
	from frappe.utils.nestedset import NestedSet

	from ..conftest import standing_still

	name = "Tree of the Test"
	frappe.get_doc(
		doctype="DocType",
		name=name,
		module="Custom",
		custom=1,
		fields=[{"fieldname": "title", "fieldtype": "Data", "label": "Title"}],
		permissions=[{"role": "System Manager", "read": 1}],
	).insert()
	frappe.db.commit()
	try:
		servers.catch_up()
		with standing_still(servers):
			written((f"update tabDocType set is_tree = 1 where name = '{name}'",))
			on_a_replica(lambda: base_document.get_controller(name))
			next_request()
			assert issubclass(base_document.get_controller(name), NestedSet)
			written((f"update tabDocType set is_tree = 0 where name = '{name}'",))
	finally:
		servers.catch_up()
		frappe.delete_doc("DocType", name, force=True)
		frappe.db.commit()
		frappe.clear_cache()


def test_what_a_function_keeps_in_redis_is_fresh_afterwards(changed):
	assert on_a_replica(lambda: in_redis("Guest")) == changed, "it may read much, and is not kept"
	next_request()
	assert in_redis("Guest") == 1 - changed
	in_redis.clear_cache()


def test_of_a_doctype_that_is_not_there_a_scope_says_what_core_says_outside_it(site):
	def asked(name: str) -> str:
		try:
			return f"answered {bool(is_virtual_doctype(name))}"
		except frappe.DoesNotExistError:
			return "raised"

	outside = asked("No Such DocType Outside")
	said_outside = len(frappe.local.message_log)
	assert on_a_replica(lambda: asked("No Such DocType")) == outside
	assert len(frappe.local.message_log) == 2 * said_outside
