# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a scope has cached from a late replica is hidden while the primary works, and does not outlive what made it old."""

from collections.abc import Callable

import frappe
import pytest
from frappe.utils.caching import site_cache

from read_replica import primary, read_only
from read_replica.database.routed import RoutedMethods
from read_replica.database.scope_cache import ScopeCache

from ..conftest import CLERK, REPLICAS, server_id
from .test_cache import late, next_request, on_a_replica, written

# Core lets the desk be none of Guest's, whatever is saved.
ROLE = "Script Manager"


@pytest.fixture
def access(late) -> tuple[int, int]:  # noqa: F811
	"""What the replicas have in a column of a role, and what the primary has."""
	before = frappe.db.get_value("Role", ROLE, "desk_access")
	written(("update tabRole set desk_access = %s where name = %s", 1 - before, ROLE))
	yield before, 1 - before
	frappe.db.rollback()
	frappe.db.sql("update tabRole set desk_access = %s where name = %s", (before, ROLE))
	frappe.db.commit()
	frappe.clear_cache()


def cached() -> int:
	return frappe.get_cached_doc("Role", ROLE).desk_access


def change(value: int) -> None:
	"""Change the role as an app does, so that core clears what it has cached of it."""
	role = frappe.get_doc("Role", ROLE)
	role.desk_access = value
	role.save()


@read_only(consistency="eventual")
def inner() -> int:
	return server_id()


@read_only(consistency="eventual", on_write="error")
def strict() -> int:
	return inner()


@site_cache
def kept_by_the_process() -> int:
	return strict()


def test_nothing_in_a_primary_block_reads_a_replica_not_even_in_a_call_that_may_not_write(late):  # noqa: F811
	with primary():
		assert strict() == 1
	assert strict() in REPLICAS

	def work() -> tuple:
		with primary():
			in_block = strict()
		return in_block, frappe.cache().get_value("rr_strict", strict), kept_by_the_process()

	try:
		assert on_a_replica(work) == (1, 1, 1)
		next_request()
		assert frappe.cache().get_value("rr_strict") == 1
		frappe.cache().delete_value("rr_strict")
		assert frappe.cache().get_value("rr_strict", strict) == 1, "outside a scope as well"
	finally:
		frappe.cache().delete_value("rr_strict")
		kept_by_the_process.clear_cache()


def in_a_block(write: Callable[[], None]) -> None:
	with primary():
		write()


def in_a_block_that_commits(write: Callable[[], None]) -> None:
	with primary():
		write()
		frappe.db.commit()


def in_an_inner_scope(write: Callable[[], None]) -> None:
	read_only(consistency="strong")(lambda: (server_id(), write()))()


def in_a_block_of_a_scope_that_has_written(write: Callable[[], None]) -> None:
	frappe.db.sql("update tabRole set modified = modified where name = 'System Manager'")
	assert frappe.get_cached_doc("Role", ROLE)
	in_a_block(write)


@pytest.mark.parametrize(
	"where",
	[in_a_block, in_a_block_that_commits, in_an_inner_scope, in_a_block_of_a_scope_that_has_written],
)
def test_after_a_write_inside_it_a_scope_sees_what_was_written(access, where):
	old, _fresh = access

	def work() -> tuple:
		found = cached()
		where(lambda: change(old))
		frappe.db.sql("update tabRole set desk_access = 7 where name = %s", ROLE)
		in_database = frappe.db.get_value("Role", ROLE, "desk_access")
		return found, cached(), in_database

	found, afterwards, in_database = on_a_replica(work)
	assert found == old
	assert (afterwards, in_database) == (7, 7)


def test_what_was_made_of_a_write_that_is_undone_does_not_come_back(access):
	old, fresh = access

	def work() -> tuple:
		change(old)
		made = cached()
		frappe.db.rollback()
		return made, cached()

	assert on_a_replica(work) == (old, fresh)


def test_what_is_deleted_in_a_primary_block_is_gone_afterwards(late):  # noqa: F811
	def work() -> tuple:
		cache = frappe.cache()
		cache.set_value("rr_deleted", "of the scope")
		cache.hset("rr_deleted_hash", "field", "of the scope")
		cache.set_value("rr_kept", "of the scope")
		with primary():
			pass
		found = cache.get_value("rr_kept")
		with primary():
			cache.delete_value("rr_deleted")
			cache.hdel("rr_deleted_hash", "field")
		return found, cache.get_value("rr_deleted"), cache.hget("rr_deleted_hash", "field")

	assert on_a_replica(work) == ("of the scope", None, None)


def test_a_generator_in_a_function_that_core_sends_to_the_primary_sees_nothing_of_the_scope(access):
	old, fresh = access

	@frappe.write_only()
	def leaves_the_scope() -> int:
		return frappe.cache().get_value("rr_write_only", cached)

	def work() -> tuple:
		return cached(), leaves_the_scope(), cached()

	try:
		assert on_a_replica(work)[:2] == (old, fresh)
		assert cached() == fresh
		next_request()
		assert frappe.cache().get_value("rr_write_only") == fresh
	finally:
		frappe.cache().delete_value("rr_write_only")


def test_a_write_that_goes_past_the_scope_is_seen_in_it_and_one_to_a_log_keeps_it_on_the_replica(access):
	@frappe.write_only()
	def write(statement: str) -> None:
		frappe.db.sql(statement)

	def work() -> tuple:
		write("update `tabAccess Log` set modified = modified")
		after_a_log = server_id()
		write(f"update tabRole set desk_access = 7 where name = '{ROLE}'")
		return after_a_log, server_id(), frappe.db.get_value("Role", ROLE, "desk_access")

	after_a_log, afterwards, found = on_a_replica(work)
	assert after_a_log in REPLICAS and (afterwards, found) == (1, 7)


def test_the_permissions_of_one_user_are_never_given_to_another(late):  # noqa: F811
	def work() -> list:
		found = []
		for user in ("Administrator", CLERK):
			frappe.set_user(user)
			assert frappe.get_user().name == user
			with primary():
				found.append(frappe.get_user().name)
			found.append(frappe.get_user().name)
		return found

	frappe.get_user()
	try:
		assert on_a_replica(work) == ["Administrator", "Administrator", CLERK, CLERK]
		assert frappe.session.user == frappe.get_user().name == CLERK
	finally:
		frappe.set_user("Administrator")


def test_the_permissions_object_from_before_a_scope_is_not_filled_in_it(late):  # noqa: F811
	frappe.local.user_perms = None
	before = frappe.get_user()
	on_a_replica(lambda: frappe.get_user().get_can_read())
	assert not before.can_read and frappe.local.user_perms is before


def test_a_value_of_the_scope_around_it_is_not_stored_by_an_inner_one_that_has_not_read_yet(late):  # noqa: F811
	@read_only(consistency="strong")
	def fresh(value: object) -> None:
		frappe.cache().set_value("rr_of_the_outer", value)

	@read_only(consistency="eventual", on_write="error")
	def careful(value: object) -> None:
		frappe.cache().set_value("rr_of_the_outer", value)

	for store in (fresh, careful):
		on_a_replica(lambda: store(server_id()))
		next_request()
		assert frappe.cache().get_value("rr_of_the_outer") is None


def test_what_a_scope_makes_again_in_place_of_what_was_there_goes_with_it(late):  # noqa: F811
	frappe.local.role_permissions["rr"] = before = {"read": 1}

	def work() -> tuple:
		frappe.local.role_permissions.pop("rr")
		frappe.local.role_permissions["rr"] = {"read": 0}
		with primary():
			in_block = frappe.local.role_permissions["rr"]
		return in_block, frappe.local.role_permissions["rr"]

	in_block, in_scope = on_a_replica(work)
	assert in_block is before and frappe.local.role_permissions["rr"] is before
	assert in_scope in ({"read": 0}, before)


def test_the_system_settings_that_a_scope_has_read_go_with_it(late):  # noqa: F811
	before = frappe.get_system_settings("number_format")
	other = "#,###.##" if before != "#,###.##" else "#.###,##"
	statement = (
		"update tabSingles set value = %s where doctype = 'System Settings' and field = 'number_format'"
	)
	written((statement, other))

	def work() -> tuple:
		# Another document first, as the scope has then read.
		found = frappe.get_system_settings("number_format")
		with primary():
			return found, frappe.get_system_settings("number_format")

	try:
		found, in_block = on_a_replica(work)
		assert in_block == other and frappe.get_system_settings("number_format") == other
		assert found in (before, other)
	finally:
		frappe.db.sql(statement, before)
		frappe.db.commit()
		frappe.clear_cache()


def test_a_query_that_core_builds_does_not_hide_and_show_all_that_a_scope_has_cached(late, monkeypatch):  # noqa: F811
	hidden = []
	hide = ScopeCache.hide
	monkeypatch.setattr(ScopeCache, "hide", lambda self, *a: hidden.append(1) or hide(self, *a))
	frappe.get_all("ToDo", limit=1)

	def work() -> int:
		frappe.get_all("ToDo", limit=1)
		hidden.clear()
		frappe.get_all("ToDo", fields=["name", "status"], limit=1)
		return len(hidden)

	assert on_a_replica(work) == 0


def test_the_columns_of_a_table_are_those_of_the_primary(late):  # noqa: F811
	frappe.cache().delete_value("table_columns")
	frappe.db.sql_ddl("alter table `tabRole` add column rr_added int")
	try:
		frappe.clear_cache()
		next_request()
		assert "rr_added" in on_a_replica(lambda: frappe.db.get_db_table_columns("tabRole"))
		next_request()
		assert "rr_added" in frappe.db.get_db_table_columns("tabRole")
	finally:
		frappe.db.sql_ddl("alter table `tabRole` drop column rr_added")
		frappe.clear_cache()


def test_a_scope_that_is_cut_off_as_it_opens_leaves_the_one_around_it_as_it_was(access, monkeypatch):
	old, fresh = access
	adopt = RoutedMethods.adopt

	def work() -> tuple:
		found = cached()
		frappe.cache().set_value("rr_of_the_scope", 1)

		def interrupted(self, connection) -> None:
			if connection:
				raise KeyboardInterrupt
			adopt(self, connection)

		monkeypatch.setattr(RoutedMethods, "adopt", interrupted)
		with pytest.raises(KeyboardInterrupt):
			read_only(consistency="eventual", max_lag=7)(server_id)()
		monkeypatch.undo()
		kept = frappe.cache().get_value("rr_of_the_scope")
		with primary():
			return found, kept, cached(), frappe.cache().get_value("rr_of_the_scope")

	assert on_a_replica(work) == (old, 1, fresh, None)
	assert cached() == fresh and frappe.cache().get_value("rr_of_the_scope") is None


@site_cache
def access_of_the_role() -> int:
	return frappe.db.get_value("Role", ROLE, "desk_access")


def test_what_is_kept_for_all_is_the_primarys_also_while_the_site_begins_to_migrate_in_a_scope(access):
	_old, fresh = access

	def work() -> int:
		frappe.flags.in_migrate = True
		try:
			return access_of_the_role()
		finally:
			frappe.flags.in_migrate = False

	try:
		assert on_a_replica(work) == fresh
	finally:
		access_of_the_role.clear_cache()
