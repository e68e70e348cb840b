# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is read from a late replica stays out of the caches that others read (core's bugs C and K)."""

import json

import frappe
import pytest
from frappe.utils.caching import request_cache

from read_replica import primary, read_only

from ..conftest import CLERK, REPLICAS, connect, disconnect, server_id


@pytest.fixture
def late(site, stale):
	"""The replicas miss what is committed from now on; every cache of the site is empty."""
	yield site
	frappe.db.rollback()


def next_request() -> None:
	"""Forget what a request keeps for itself."""
	disconnect()
	connect()


def written(*statements: tuple) -> None:
	"""Commit statements that no replica will see, and empty the caches."""
	for statement, *values in statements:
		frappe.db.sql(statement, values)
	frappe.db.commit()
	frappe.clear_cache()
	next_request()


@read_only(consistency="eventual")
def on_a_replica(read):
	# A first statement, so that the scope is known to have read there.
	assert server_id() in REPLICAS
	return read()


def test_a_cached_document_read_on_a_late_replica_is_fresh_afterwards(late):
	written(("update tabRole set desk_access = 0 where name = 'Guest'",))
	on_a_replica(lambda: frappe.get_cached_doc("Role", "Guest"))
	next_request()
	assert frappe.get_cached_doc("Role", "Guest").desk_access == 0
	assert frappe.get_cached_value("Role", "Guest", "desk_access") == 0
	frappe.db.sql("update tabRole set desk_access = 1 where name = 'Guest'")
	frappe.db.commit()
	frappe.clear_cache()


def test_a_cached_document_is_fresh_in_the_same_request_after_the_scope(late):
	written(("update tabRole set desk_access = 0 where name = 'Guest'",))
	on_a_replica(lambda: frappe.get_cached_doc("Role", "Guest"))
	assert frappe.get_cached_doc("Role", "Guest").desk_access == 0
	frappe.db.sql("update tabRole set desk_access = 1 where name = 'Guest'")
	frappe.db.commit()
	frappe.clear_cache()


def test_the_metadata_of_a_doctype_is_fresh_afterwards(late):
	written(("update tabDocType set description = 'changed' where name = 'ToDo'",))
	on_a_replica(lambda: frappe.get_meta("ToDo"))
	assert frappe.get_meta("ToDo").description == "changed"
	next_request()
	assert frappe.get_meta("ToDo").description == "changed"


def test_the_roles_of_a_user_are_fresh_afterwards(late):
	role = frappe.get_doc("User", CLERK).append("roles", {"role": "Report Manager"})
	role.db_insert()
	frappe.db.commit()
	frappe.clear_cache()
	next_request()
	on_a_replica(lambda: frappe.get_roles(CLERK))
	assert "Report Manager" in frappe.get_roles(CLERK)
	next_request()
	assert "Report Manager" in frappe.get_roles(CLERK)
	frappe.db.delete("Has Role", {"name": role.name})
	frappe.db.commit()
	frappe.clear_cache()


def test_defaults_and_user_permissions_are_fresh_afterwards(late):
	frappe.db.set_default("of_the_test", "new")
	frappe.get_doc(
		{"doctype": "User Permission", "user": CLERK, "allow": "Role", "for_value": "Guest"}
	).insert()
	frappe.db.commit()
	frappe.clear_cache()
	next_request()

	def read():
		frappe.db.get_default("of_the_test")
		frappe.permissions.get_user_permissions(CLERK)

	on_a_replica(read)
	for _ in range(2):
		assert frappe.db.get_default("of_the_test") == "new"
		assert "Role" in frappe.permissions.get_user_permissions(CLERK)
		next_request()
	frappe.db.delete("User Permission", {"user": CLERK})
	frappe.db.delete("DefaultValue", {"defkey": "of_the_test"})
	frappe.db.commit()
	frappe.clear_cache()


def test_notification_counts_and_table_columns_are_fresh_afterwards(late):
	from frappe.desk.notifications import get_notifications

	frappe.db.sql_ddl("alter table `tabToDo` add column of_the_test int")
	frappe.clear_cache()
	next_request()
	on_a_replica(lambda: (frappe.db.get_table_columns("ToDo"), get_notifications()))
	assert "of_the_test" in frappe.db.get_table_columns("ToDo")
	next_request()
	assert "of_the_test" in frappe.db.get_table_columns("ToDo")
	frappe.db.sql_ddl("alter table `tabToDo` drop column of_the_test")
	frappe.clear_cache()


def test_a_value_with_a_generator_is_made_on_the_primary(late):
	made_by = []

	def generator():
		made_by.append(server_id())
		return "value"

	def read():
		return (
			frappe.cache().get_value("of_the_test", generator),
			frappe.cache().hget("of_the_test_h", "field", generator),
		)

	assert on_a_replica(read) == ("value", "value")
	assert made_by == [1, 1]
	frappe.cache().delete_value(["of_the_test", "of_the_test_h"])


def test_a_value_is_seen_inside_the_scope_and_not_stored_beyond(late):
	def read():
		frappe.cache().set_value("of_the_test", "from a replica")
		frappe.cache().hset("of_the_test_h", "field", "from a replica")
		return frappe.cache().get_value("of_the_test"), frappe.cache().hget("of_the_test_h", "field")

	assert on_a_replica(read) == ("from a replica", "from a replica")
	assert frappe.cache().get_value("of_the_test") is None
	assert frappe.cache().hget("of_the_test_h", "field") is None
	next_request()
	assert frappe.cache().get_value("of_the_test") is None


PASS = ("import_progress:1", "lock:stock", "rate_limit:user", "login_attempts", "job_in_progress")


@pytest.mark.parametrize("key", PASS)
def test_progress_locks_and_rate_limits_are_stored_for_all(late, key):
	def work():
		frappe.cache().set_value(key, 1)
		frappe.cache().hset(f"{key}:h", "field", 2)

	on_a_replica(work)
	next_request()
	assert frappe.cache().get_value(key) == 1
	assert frappe.cache().hget(f"{key}:h", "field") == 2
	frappe.cache().delete_value([key, f"{key}:h"])


@pytest.mark.parametrize(
	"key",
	[
		"exchange_rate:USD",
		"credit_limit:C1",
		"stock_blocked",
		"clock",
		"unlocked_items",
		"document_cache::Item::Door Lock",
		"item_price|Lock",
	],
)
def test_a_key_that_only_resembles_one_of_these_is_not(late, key):
	on_a_replica(lambda: frappe.cache().set_value(key, 1))
	next_request()
	assert frappe.cache().get_value(key) is None


def test_a_generator_that_is_itself_read_only_is_made_on_the_primary(late):
	written(("update tabRole set desk_access = 0 where name = 'Guest'",))

	@read_only(consistency="eventual")
	def access():
		return [server_id(), frappe.db.get_value("Role", "Guest", "desk_access")]

	assert frappe.cache().get_value("of_the_test", generator=access) == [1, 0]
	on_a_replica(lambda: frappe.cache().get_value("of_the_test_too", generator=access))
	next_request()
	assert frappe.cache().get_value("of_the_test_too") == [1, 0]
	frappe.cache().delete_value(["of_the_test", "of_the_test_too"])
	frappe.db.sql("update tabRole set desk_access = 1 where name = 'Guest'")
	frappe.db.commit()
	frappe.clear_cache()


def test_a_value_of_an_inner_scope_is_not_stored_by_the_one_around_it(late):
	@read_only(consistency="eventual", max_lag=10)
	def inner():
		return server_id()

	@read_only(consistency="eventual")
	def outer():
		frappe.cache().set_value("of_the_test", inner())

	outer()
	next_request()
	assert frappe.cache().get_value("of_the_test") is None


def test_a_value_of_an_inner_scope_is_not_stored_by_a_call_that_the_primary_answers_and_that_may_not_write(
	late,
):
	@read_only(consistency="eventual")
	def inner():
		return server_id()

	@read_only(consistency="strong", on_write="error")
	def outer():
		assert server_id() == 1, "the replicas miss what was committed last"
		frappe.cache().set_value("of_the_test", inner())
		return frappe.cache().get_value("of_the_test")

	written(
		("update tabRole set desk_access = 1 where name = 'Guest'",), ("update tabRole set modified = now()",)
	)
	assert outer() in REPLICAS, "the call itself sees it"
	next_request()
	assert frappe.cache().get_value("of_the_test") is None


def test_a_cached_function_that_reads_first_in_its_scope_leaves_nothing(late):
	@request_cache
	def access(role: str):
		return frappe.db.get_value("Role", role, "desk_access")

	@read_only(consistency="eventual")
	def report():
		return access("Guest")

	before = frappe.db.get_value("Role", "Guest", "desk_access")
	written(("update tabRole set desk_access = 1 - desk_access where name = 'Guest'",))
	assert report() == before, "read on a late replica"
	assert access("Guest") != before
	frappe.db.sql("update tabRole set desk_access = %s where name = 'Guest'", before)
	frappe.db.commit()
	frappe.clear_cache()


def test_the_permissions_object_that_is_made_in_a_scope_goes_with_it(late):
	@read_only(consistency="eventual")
	def report():
		user = frappe.get_user()
		user.build_doctype_map()
		return user.doctype_map["ToDo"].in_create

	before = frappe.db.get_value("DocType", "ToDo", "in_create")
	written(("update tabDocType set in_create = 1 - in_create where name = 'ToDo'",))
	# Its document is in Redis from now on, so that the object is made without a statement.
	frappe.get_user()
	next_request()
	frappe.local.user_perms = None
	assert report() == before, "read on a late replica"
	assert frappe.local.user_perms is None
	frappe.db.sql("update tabDocType set in_create = %s where name = 'ToDo'", before)
	frappe.db.commit()
	frappe.clear_cache()


def test_what_a_function_returned_in_a_scope_is_not_returned_to_others_in_the_request(late):
	@request_cache
	def access(role: str):
		return frappe.db.get_value("Role", role, "desk_access")

	written(("update tabRole set desk_access = 0 where name = 'Guest'",))
	assert access("System Manager") == 1
	on_a_replica(lambda: access("Guest"))
	assert access("Guest") == 0
	frappe.db.sql("update tabRole set desk_access = 1 where name = 'Guest'")
	frappe.db.commit()
	frappe.clear_cache()


def test_deletions_counters_and_lists_pass(late):
	cache = frappe.cache()
	cache.set_value("of_the_test", "old")

	def work():
		cache.delete_value("of_the_test")
		cache.rpush("of_the_test_l", "entry")
		cache.incr(cache.make_key("of_the_test_n"))

	on_a_replica(work)
	assert cache.get_value("of_the_test") is None
	assert cache.llen("of_the_test_l") == 1
	assert int(cache.get(cache.make_key("of_the_test_n"))) == 1
	cache.delete_value(["of_the_test_l", "of_the_test_n"])


def test_user_settings_are_read_from_the_primary_and_written_back_unharmed(late):
	"""Core's bug C: a stale read fills the cache, and the hourly sync writes it over the newer row."""
	from frappe.model.utils import user_settings

	frappe.db.sql("delete from `__UserSettings` where user = 'Administrator' and doctype = 'ToDo'")
	frappe.db.sql(
		"insert into `__UserSettings` (user, doctype, data) values ('Administrator', 'ToDo', %s)",
		json.dumps({"List": {"sort_by": "newest"}}),
	)
	frappe.db.commit()
	frappe.cache().delete_value("_user_settings")
	frappe.set_user("Administrator")

	def read():
		return user_settings.get("ToDo"), user_settings.save("ToDo", json.dumps({"last_view": "List"}))

	assert "newest" in on_a_replica(read)[0]
	next_request()
	user_settings.sync_user_settings()
	frappe.db.commit()
	row = frappe.db.sql(
		"select data from `__UserSettings` where user = 'Administrator' and doctype = 'ToDo'"
	)[0][0]
	assert "newest" in row and "last_view" in row


def test_a_value_stored_in_a_primary_block_of_a_scope_is_kept(late):
	def store():
		with primary():
			frappe.cache().set_value("of_the_test", "from the primary")

	on_a_replica(store)
	assert frappe.cache().get_value("of_the_test") == "from the primary"
	frappe.cache().delete_value("of_the_test")


def test_a_document_cached_by_the_process_is_fresh_afterwards(late):
	"""v16 keeps values in the process as well."""
	if not hasattr(frappe, "client_cache"):
		pytest.skip("no client cache in this version")

	def read():
		frappe.client_cache.set_value("of_the_test", "from a replica")

	on_a_replica(read)
	assert frappe.client_cache.get_value("of_the_test") is None


@request_cache
def access_of_guest() -> int:
	return frappe.db.get_value("Role", "Guest", "desk_access")


def test_what_is_made_on_the_primary_inside_a_scope_sees_nothing_that_the_scope_has_cached_from_a_replica(
	late,
):
	before = frappe.db.get_value("Role", "Guest", "desk_access")
	fresh = 1 - before
	written(("update tabRole set desk_access = %s where name = 'Guest'", fresh))

	def cached() -> tuple:
		return frappe.get_cached_doc("Role", "Guest").desk_access, access_of_guest()

	def made() -> tuple:
		frappe.cache().set_value("rr_test_scope_value", "of the scope")
		return *cached(), frappe.cache().get_value("rr_test_scope_value")

	def read() -> list:
		found = [made()]
		found.append(frappe.cache().get_value("rr_test_generated", lambda: cached()))
		with primary():
			found.append((*cached(), frappe.cache().get_value("rr_test_scope_value")))
		# The scope goes on with what it has, but where the primary has made it meanwhile.
		found.append(frappe.cache().get_value("rr_test_scope_value"))
		return found

	try:
		in_scope, generated, in_block, afterwards = on_a_replica(read)
		assert in_scope == (before, before, "of the scope") and afterwards == "of the scope"
		assert generated == (fresh, fresh) and in_block == (fresh, fresh, None)
		next_request()
		assert tuple(frappe.cache().get_value("rr_test_generated")) == (fresh, fresh)
	finally:
		frappe.cache().delete_value("rr_test_generated")
		frappe.db.sql("update tabRole set desk_access = %s where name = 'Guest'", before)
		frappe.db.commit()
		frappe.clear_cache()


def test_an_inner_scope_that_must_be_fresh_and_the_request_afterwards_see_nothing_of_the_outer_one(late):
	before = frappe.db.get_value("Role", "Guest", "desk_access")
	fresh = 1 - before
	written(("update tabRole set desk_access = %s where name = 'Guest'", fresh))

	def cached() -> tuple:
		return frappe.get_cached_doc("Role", "Guest").desk_access, access_of_guest()

	def read() -> list:
		return [cached(), read_only(consistency="strong")(cached)(), cached()]

	try:
		outer, inner, _ = on_a_replica(read)
		assert outer == (before, before) and inner == (fresh, fresh)
		assert cached() == (fresh, fresh)
	finally:
		frappe.db.sql("update tabRole set desk_access = %s where name = 'Guest'", before)
		frappe.db.commit()
		frappe.clear_cache()
