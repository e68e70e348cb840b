# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is written inside a scope, and what waits for the primary's transaction."""

import frappe
import pytest

from read_replica import read_only, routing
from read_replica.database.host import shared_of_site
from read_replica.database.transaction import pending_writes
from read_replica.engine.errors import WriteInReadOnlyScope
from support.bench import SITE

from .conftest import REPLICAS, server_id


@read_only
def writes(description: str = "written in a scope"):
	before = server_id()
	todo = frappe.get_doc({"doctype": "ToDo", "description": description}).insert()
	return before, todo.name, server_id()


def test_a_document_saved_in_a_scope_is_saved_in_the_primarys_transaction(site):
	before, name, after = writes()
	assert before in REPLICAS and after == 1
	assert frappe.db.exists("ToDo", name)
	frappe.db.rollback()
	assert not frappe.db.exists("ToDo", name)


def test_values_that_core_keeps_for_a_transaction_are_looked_up_and_kept_in_a_scope(site):
	@read_only
	def looks_up():
		for _ in range(2):
			name = frappe.db.get_value("User", "Guest", "name", cache=True)
			frappe.db.get_single_value("System Settings", "country", cache=True)
			frappe.db.count("User", cache=True)
		return name, server_id()

	name, server = looks_up()
	assert name == "Guest" and server in REPLICAS


def test_a_method_that_writes_stays_on_the_primary_until_it_is_cleared(site):
	assert writes()[0] in REPLICAS
	frappe.db.rollback()
	assert writes()[0] == 1
	frappe.db.rollback()
	assert f"{__name__}.writes" in shared_of_site().load_writers()
	output = site.bench("--site", frappe.local.site, "read-replica", "writers")
	assert f"{__name__}.writes" in output
	output = site.bench(
		"--site", frappe.local.site, "read-replica", "writers", "--clear", f"{__name__}.writes"
	)
	assert "1 cleared" in output
	from read_replica.site import router_of_site

	# A worker asks for the list every few seconds; here it is asked to do so now.
	router_of_site().writers.__init__(router_of_site().host)
	assert writes()[0] in REPLICAS
	frappe.db.rollback()


def test_on_write_error_names_the_method_the_table_and_the_way_out(site):
	@read_only(on_write="error")
	def may_not():
		frappe.db.set_value("User", "Guest", "bio", "x")

	with pytest.raises(WriteInReadOnlyScope) as raised:
		may_not()
	for part in ("may_not", "tabUser", "primary()"):
		assert part in str(raised.value)
	assert server_id() == 1


def test_a_read_for_update_locks_on_the_primary(site):
	@read_only
	def locks():
		frappe.db.get_value("User", "Guest", "name", for_update=True)
		return server_id()

	assert locks() == 1


def test_ddl_in_a_scope_is_done_on_the_primary(site, servers):
	@read_only
	def makes_a_table():
		frappe.db.sql_ddl("create table if not exists made_in_a_scope (id int)")
		return server_id()

	assert makes_a_table() == 1
	assert frappe.db.sql("show tables like 'made_in_a_scope'")
	frappe.db.sql_ddl("drop table made_in_a_scope")
	servers.catch_up()
	for replica in servers.replicas:
		assert replica.query("SHOW SLAVE STATUS")[0][11] == "Yes"


def test_a_temporary_table_is_made_and_read_on_the_primary(site):
	@read_only
	def report():
		frappe.db.sql("create temporary table scratch as select name from tabToDo")
		count = frappe.db.sql("select count(*) from scratch")[0][0]
		frappe.db.sql("drop temporary table scratch")
		return count, server_id()

	assert report() == (frappe.db.count("ToDo"), 1)


@pytest.mark.parametrize("doctype", ["Error Log", "Access Log", "Activity Log", "View Log", "Route History"])
def test_a_log_row_is_written_on_the_primary_and_the_scope_stays_on_its_replica(site, doctype):
	@read_only(on_write="error")
	def logs():
		row = frappe.get_doc({"doctype": doctype, "subject": "s", "method": "m"})
		row.db_insert()
		return row.name, server_id()

	name, server = logs()
	assert server in REPLICAS
	assert frappe.db.exists(doctype, name)
	frappe.db.rollback()
	# Error Log is a MyISAM table: it knows no transaction, so that errors outlive a rollback.
	assert bool(frappe.db.exists(doctype, name)) == (doctype == "Error Log")


def test_last_active_and_login_data_of_a_user_do_not_end_the_reads_on_the_replica(site):
	@read_only(on_write="error")
	def looks_around():
		for column in ("last_active", "last_login", "last_ip"):
			frappe.db.set_value("User", "Guest", column, "2026-01-01", update_modified=False)
		return server_id()

	assert looks_around() in REPLICAS
	assert str(frappe.db.get_value("User", "Guest", "last_active")).startswith("2026-01-01")
	frappe.db.rollback()


def test_another_write_to_the_user_is_a_write_like_any_other(site):
	@read_only
	def writes_a_user():
		frappe.db.set_value("User", "Guest", "bio", "x", update_modified=False)
		return server_id()

	assert writes_a_user() == 1
	frappe.db.rollback()


def test_uncommitted_writes_keep_a_call_on_the_primary(site):
	@read_only
	def reads():
		return server_id()

	frappe.db.set_value("User", "Guest", "bio", "pending")
	assert reads() == 1
	frappe.db.rollback()
	assert reads() in REPLICAS
	frappe.db.savepoint("before_something")
	assert reads() == 1
	frappe.db.rollback()


def test_a_commit_inside_a_scope_commits_the_primary_and_the_reads_go_on(site):
	@read_only
	def commits():
		frappe.db.commit()
		return server_id()

	assert commits() in REPLICAS
	assert server_id() == 1


def test_a_rollback_inside_a_scope_rolls_back_the_primary(site):
	@read_only
	def gives_up():
		frappe.db.set_value("User", "Guest", "bio", "never kept")
		frappe.db.rollback()

	gives_up()
	assert frappe.db.get_value("User", "Guest", "bio") != "never kept"


def test_a_savepoint_of_a_scope_is_one_of_the_primary(site):
	@read_only
	def tries():
		frappe.db.savepoint("tries")
		frappe.db.set_value("User", "Guest", "bio", "tried")
		frappe.db.rollback(save_point="tries")
		return frappe.db.get_value("User", "Guest", "bio")

	assert tries() != "tried"
	frappe.db.rollback()


def test_jobs_and_messages_wait_for_the_primarys_commit_and_go_out_once(site, monkeypatch):
	import frappe.realtime
	import frappe.utils.background_jobs as background_jobs

	sent = []
	monkeypatch.setattr(
		frappe.realtime, "emit_via_redis", lambda event, *rest: sent.append((event, server_id()))
	)

	@read_only
	def report():
		frappe.publish_realtime("from_a_scope", {}, after_commit=True)
		frappe.enqueue("frappe.ping", queue="short", enqueue_after_commit=True)
		return server_id()

	def queued() -> int:
		return len(background_jobs.get_queue("short").get_job_ids())

	before = queued()
	assert report() in REPLICAS
	frappe.publish_realtime("from_the_request", {}, after_commit=True)
	assert (sent, queued()) == ([], before)
	frappe.db.commit()
	assert sorted(event for event, _ in sent) == ["from_a_scope", "from_the_request"]
	assert {server for _, server in sent} == {1}
	assert queued() == before + 1
	frappe.db.commit()
	assert (len(sent), queued()) == (2, before + 1)


def test_a_rollback_forgets_what_a_scope_has_registered(site, monkeypatch):
	import frappe.realtime

	sent = []
	monkeypatch.setattr(frappe.realtime, "emit_via_redis", lambda event, *rest: sent.append(event))

	@read_only
	def report():
		frappe.publish_realtime("from_a_scope", {}, after_commit=True)

	report()
	frappe.db.rollback()
	frappe.db.commit()
	assert sent == []


def test_every_kind_of_callback_of_a_scope_belongs_to_the_primarys_transaction(site):
	if not hasattr(frappe.db, "before_commit"):
		pytest.skip("this version keeps no callbacks on the database object")
	ran = []

	@read_only
	def registers():
		for kind in ("before_commit", "after_commit", "before_rollback", "after_rollback"):
			getattr(frappe.db, kind).add(lambda kind=kind: ran.append((kind, server_id())))
		return server_id()

	assert registers() in REPLICAS
	frappe.db.commit()
	assert ran == [("before_commit", 1), ("after_commit", 1)]
	ran.clear()
	registers()
	frappe.db.rollback()
	assert ran == [("before_rollback", 1), ("after_rollback", 1)]


def test_a_callback_that_commits_within_a_scope_runs_on_the_primary(site):
	if not hasattr(frappe.db, "after_commit"):
		pytest.skip("this version keeps no callbacks on the database object")
	ran = []

	@read_only
	def commits():
		frappe.db.after_commit.add(lambda: ran.append(server_id()))
		frappe.db.commit()
		return server_id()

	assert commits() in REPLICAS
	assert ran == [1]


def test_a_hook_that_may_not_commit_may_not_commit_in_a_scope_either(site):
	"""v16 forbids document hooks to commit, by a count on frappe.db."""
	if not hasattr(frappe.db, "_disable_transaction_control"):
		pytest.skip("not in this version")

	@read_only
	def report():
		assert server_id() in REPLICAS
		frappe.db._disable_transaction_control += 1
		try:
			frappe.get_doc({"doctype": "ToDo", "description": "half"}).insert()
			with pytest.warns(UserWarning):
				frappe.db.commit()
		finally:
			frappe.db._disable_transaction_control -= 1

	report()
	frappe.db.rollback()
	assert not frappe.db.exists("ToDo", {"description": "half"})


def test_rows_that_the_primary_is_giving_are_all_given_although_a_scope_is_opened(site):
	if not hasattr(frappe.db, "unbuffered_cursor"):
		pytest.skip("frappe.db has no unbuffered_cursor in this version")

	@read_only
	def opens_a_scope():
		assert routing.current() is None

	expected = frappe.db.count("DocField")
	with frappe.db.unbuffered_cursor():
		count = 0
		for _ in frappe.db.sql("select name from tabDocField", as_list=True, as_iterator=True):
			count += 1
			if count == 5:
				opens_a_scope()
	assert count == expected and count > 1000


def test_a_variable_of_a_scope_is_there_after_a_write_has_led_it_to_the_primary(site):
	@read_only
	def report():
		frappe.db.sql("set @of_the_test = 5")
		before = server_id()
		frappe.get_doc({"doctype": "ToDo", "description": "pins"}).insert()
		return before, server_id(), frappe.db.sql("select @of_the_test")[0][0]

	before, after, value = report()
	assert before in REPLICAS and after == 1 and value == 5
	frappe.db.rollback()


def test_a_log_tables_ddl_goes_to_the_primary_and_later_writes_are_known(site):
	@read_only
	def report():
		assert server_id() in REPLICAS
		frappe.db.sql_ddl("alter table `tabError Log` comment 'of the test'")
		frappe.db.sql("insert into `tabToDo` (name, description) values ('after ddl', 'x')")
		return frappe.db.sql("select count(*) from tabToDo where name = 'after ddl'")[0][0]

	assert report() == 1
	assert pending_writes(frappe.db)
	frappe.db.rollback()
	assert not frappe.db.exists("ToDo", "after ddl")


def test_a_transaction_that_was_not_seen_from_its_start_is_left_alone(sites, configured):
	"""As in bench execute or a console, where the first read-only call comes late."""

	@read_only(consistency="eventual")
	def report():
		return server_id()

	frappe.init(site=SITE, sites_path=".")
	frappe.connect()
	try:
		frappe.get_doc({"doctype": "ToDo", "description": "not seen"}).insert()
		frappe.db.savepoint("here")
		frappe.db.rollback(save_point="here")
		report()
		frappe.db.rollback()
		assert not frappe.db.exists("ToDo", {"description": "not seen"})
		report()
		assert not frappe.db.read_replica_in_transaction, "the next one was seen from its start"
	finally:
		frappe.destroy()


def test_a_job_queued_while_rows_are_given_costs_none_of_them(site):
	if not hasattr(frappe.db, "unbuffered_cursor"):
		pytest.skip("frappe.db has no unbuffered_cursor in this version")
	for description in ("one", "two"):
		frappe.get_doc({"doctype": "ToDo", "description": description}).insert()
		frappe.db.commit()
	expected = frappe.db.count("DocField")
	count = 0
	with frappe.db.unbuffered_cursor():
		for _ in frappe.db.sql("select name from tabDocField", as_list=True, as_iterator=True):
			count += 1
			if count == 5:
				frappe.enqueue("sample_app.jobs.daily_job")
	assert count == expected
