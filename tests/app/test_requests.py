# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Real requests: core's own functions, custom apps, sessions, and what goes wrong in between."""

import frappe
import pytest
from frappe.utils import add_to_date, now_datetime

from support.bench import ADMIN_PASSWORD, SITE
from support.browser import Browser
from support.waiting import until

from .conftest import REPLICAS, connected, full_form, overheard, server_id


def test_every_call_of_a_request_reaches_a_replica_and_the_rest_the_primary(browser):
	first, second, third, after = browser.call("sample_app.api.several_calls")
	assert {first, second, third} <= set(REPLICAS)
	assert after == 1
	assert browser.call("sample_app.api.undecorated") == 1


def test_a_custom_apps_core_decorator_reaches_a_replica(browser):
	assert [browser.call("sample_app.api.decorated_by_core") in REPLICAS for _ in range(3)] == [True] * 3


def test_a_whitelisted_method_gets_its_arguments_and_nothing_else(browser):
	answer = browser.call("sample_app.api.with_arguments", name="Stock Balance", limit=5)
	assert (answer["name"], answer["limit"]) == ("Stock Balance", 5)
	assert answer["server"] in REPLICAS


LISTS = {
	"frappe.desk.reportview.get": {"doctype": "ToDo", "fields": ["name", "description"], "page_length": 20},
	"frappe.desk.reportview.get_list": {"doctype": "ToDo", "fields": ["name", "description"]},
	"frappe.desk.reportview.get_count": {"doctype": "ToDo"},
	"frappe.desk.reportview.get_stats": {"stats": '["_user_tags"]', "doctype": "ToDo"},
	"frappe.desk.reportview.get_sidebar_stats": {"stats": '["_user_tags"]', "doctype": "ToDo"},
}


@pytest.mark.parametrize("method", LISTS)
def test_core_s_lists_and_counts_are_read_from_a_replica(browser, servers, method):
	browser.call(method, **LISTS[method])
	with overheard(*servers.replicas) as by_replicas, overheard(servers.primary) as by_primary:
		browser.call(method, **LISTS[method])
		assert "`tabToDo`" in by_replicas()
		assert "`tabToDo`" not in by_primary()


def test_core_s_open_counts_and_workspace_answer_from_a_replica(browser, servers):
	with overheard(*servers.replicas) as by_replicas:
		browser.call(
			"frappe.desk.notifications.get_open_count", doctype="User", name="Guest", items='["ToDo"]'
		)
		page = '{"name": "Build", "title": "Build"}'
		browser.call("frappe.desk.desktop.get_desktop_page", page=page)
		assert "select" in by_replicas().lower()


@pytest.fixture
def report(browser):
	with connected():
		doc = frappe.get_doc(
			{
				"doctype": "Report",
				"report_name": "Servers",
				"ref_doctype": "ToDo",
				"report_type": "Query Report",
				"is_standard": "No",
				"query": "select @@server_id as `Server:Int:80`",
			}
		).insert()
		frappe.db.commit()
	yield doc.name
	with connected():
		frappe.delete_doc("Report", doc.name)
		frappe.db.commit()


def answered_by(result: list) -> set:
	"""The servers in the rows of the report; rows are lists or dicts, depending on the version."""
	return {next(iter(row.values())) if isinstance(row, dict) else row[0] for row in result if row}


def test_a_query_report_is_answered_by_a_replica(browser, report, servers):
	servers.catch_up()
	for _ in range(3):
		answer = browser.call("frappe.desk.query_report.run", report_name=report)
		assert answered_by(answer["result"]) <= set(REPLICAS)


def test_an_auto_email_report_is_answered_by_a_replica(browser, report, servers):
	servers.catch_up()
	with connected():
		email = frappe.get_doc(
			{
				"doctype": "Auto Email Report",
				"report": report,
				"user": "Administrator",
				"email_to": "someone@example.com",
				"format": "CSV",
				"frequency": "Daily",
				"no_of_rows": 10,
				"send_if_data": 0,
			}
		)
		csv = email.get_report_content()
		assert server_id() == 1
	# A row number and the server's.
	assert csv.split()[-1] in ("1,2", "1,3")


def test_a_report_that_makes_a_temporary_table_gives_its_rows_and_alone_stays_on_the_primary(
	browser, report, servers
):
	servers.catch_up()
	answer = browser.call("frappe.desk.query_report.run", report_name="Writing Report")
	assert isinstance(answer["result"], list)
	with connected():
		from read_replica.database.host import shared_of_site

		assert list(shared_of_site().load_writers()) == ["frappe.desk.query_report.run(Writing Report)"]
	with overheard(*servers.replicas) as by_replicas:
		browser.call("frappe.desk.query_report.run", report_name="Writing Report")
		assert "from todo_summary" not in by_replicas()
	answer = browser.call("frappe.desk.query_report.run", report_name=report)
	assert answered_by(answer["result"]) <= set(REPLICAS)


def test_a_report_that_fails_shows_its_own_error_and_leaves_an_error_log(browser, report):
	with connected():
		frappe.db.set_value("Report", report, "query", "select no_such_column from tabToDo")
		frappe.db.commit()
	response = browser.ask("frappe.desk.query_report.run", report_name=report)
	assert "no_such_column" in response.text
	assert "1290" not in response.text and "1792" not in response.text


def test_a_report_that_logs_an_error_keeps_reading_the_replica_and_the_log_is_kept(browser):
	with connected():
		before = frappe.db.count("Error Log")
	assert browser.call("sample_app.api.logs_an_error") in REPLICAS
	with connected():
		assert frappe.db.count("Error Log") == before + 1
		assert "the real error" in frappe.get_last_doc("Error Log").error


def test_a_write_in_a_report_is_saved(browser):
	before, after = browser.call("sample_app.api.writes_a_todo", description="saved by a report")
	assert before in REPLICAS and after == 1
	with connected():
		assert frappe.db.count("ToDo", {"description": "saved by a report"}) == 1
		frappe.db.delete("ToDo", {"description": "saved by a report"})
		frappe.db.commit()


def test_on_write_error_reaches_the_user_with_the_methods_name(browser):
	response = browser.ask("sample_app.api.may_not_write")
	assert response.status_code == 500
	assert "sample_app.api.may_not_write" in response.text


def test_jobs_and_messages_of_a_report_go_out_after_the_request(browser):
	from frappe.utils.background_jobs import get_queue

	with connected():
		before = len(get_queue("default").get_job_ids())
	browser.call("sample_app.api.publishes_and_enqueues", key="x")
	with connected():
		assert len(get_queue("default").get_job_ids()) == before + 1


def test_a_session_is_read_and_written_on_the_primary(browser, stale):
	visitor = Browser(SITE)
	visitor.log_in("Administrator", ADMIN_PASSWORD)
	with connected():
		earlier = add_to_date(now_datetime(), hours=-1)
		frappe.db.sql("update tabSessions set lastupdate = %s", earlier)
		frappe.db.set_value("User", "Administrator", "last_active", earlier)
		frappe.db.commit()
		# Core writes a session every ten minutes, and when only the database still knows it.
		frappe.cache().delete_value("session")
		for user in frappe.cache().hkeys("last_db_session_update"):
			frappe.cache().hdel("last_db_session_update", user)
	# The replicas have not heard of this session; core's own swap would have lost it.
	assert visitor.call("sample_app.api.decorated_as_eventual") in REPLICAS
	assert visitor.call("frappe.auth.get_logged_user") == "Administrator"
	with connected():
		assert frappe.db.sql("select max(lastupdate) from tabSessions")[0][0] > add_to_date(
			earlier, minutes=5
		)
		assert frappe.db.get_value("User", "Administrator", "last_active") > add_to_date(earlier, minutes=5)
	visitor.close()


def test_a_broken_after_request_hook_leaves_no_scope_and_no_connection_open(browser):
	from read_replica import site

	for _ in range(5):
		browser.ask("sample_app.api.decorated", headers={"X-Raise-After-Request": "1"})
	assert all(replica.pool.lent == 0 for replica in site._known[SITE].router.replicas)
	assert browser.call("sample_app.api.undecorated") == 1


def test_a_primary_block_left_open_ends_with_its_scope(browser):
	assert browser.call("sample_app.api.forgets_a_primary_block") == 1
	assert browser.call("sample_app.api.several_calls")[-1] == 1


def test_the_recorder_sees_what_a_replica_answers(browser):
	browser.call("frappe.recorder.start")
	try:
		assert browser.call("sample_app.api.decorated") in REPLICAS
	finally:
		browser.call("frappe.recorder.stop")
	[request] = [
		row for row in browser.call("frappe.recorder.get") if "sample_app.api.decorated" in row["path"]
	]
	calls = browser.call("frappe.recorder.get", uuid=request["uuid"])["calls"]
	assert any("@@server_id" in call["query"] for call in calls)
	browser.call("frappe.recorder.delete")


@pytest.fixture
def maintenance(configured):
	configured.configure(maintenance_mode=1, allow_reads_during_maintenance=1)
	yield configured
	configured.configure(maintenance_mode=0)


def test_in_maintenance_a_session_that_no_replica_has_survives(browser, stale, maintenance):
	"""Core's bug I: it swaps before the session is resumed, finds none, and deletes it."""
	maintenance.configure(maintenance_mode=0)
	visitor = Browser(SITE)
	visitor.log_in("Administrator", ADMIN_PASSWORD)
	with connected():
		# Only the database knows the session now, as after a restart of Redis.
		frappe.cache().delete_value("session")
	maintenance.configure(maintenance_mode=1)
	assert visitor.call("frappe.auth.get_logged_user") == "Administrator"
	assert visitor.call("sample_app.api.decorated_as_eventual") in REPLICAS
	refused = visitor.ask("sample_app.api.writes_a_todo", description="in maintenance")
	assert refused.status_code != 200
	maintenance.configure(maintenance_mode=0)
	assert visitor.call("frappe.auth.get_logged_user") == "Administrator"
	with connected():
		assert not frappe.db.exists("ToDo", {"description": "in maintenance"})
	visitor.close()


REQUESTS = 10


def test_requests_in_maintenance_leave_no_connection_open(browser, servers, maintenance):
	def connections() -> list[int]:
		return [
			server.query(
				"SELECT COUNT(*) FROM information_schema.processlist WHERE user <> 'root' AND user <> 'system user'"
			)[0][0]
			for server in (servers.primary, *servers.replicas)
		]

	browser.call("sample_app.api.decorated")
	before = connections()
	for _ in range(REQUESTS):
		browser.call("sample_app.api.decorated")
	# The health check's own connections come and go beside the requests.
	until(lambda: all(now - then < REQUESTS / 2 for now, then in zip(connections(), before, strict=True)))


def test_a_site_that_is_switched_off_sees_core_s_own_behaviour(browser, configured, servers):
	"""Core's first call swaps and its second does not (bug A): that is how it is recognised."""
	replica = servers.replicas[0]
	configured.configure(
		read_replica={"enabled": 0},
		read_from_replica=1,
		replica_host=replica.host,
		replica_db_port=replica.port,
	)
	[first, own, second, after] = browser.call("sample_app.api.several_calls")
	assert (first, own, second, after) == (2, 1, 1, 1)


def test_a_replica_named_by_no_key_leaves_everything_on_the_primary(browser, configured):
	configured.configure(read_replica=None)
	assert browser.call("sample_app.api.several_calls") == [1, 1, 1, 1]


def test_a_broken_configuration_never_takes_the_site_down(browser, configured, servers):
	configured.configure(read_replica=full_form(servers, max_lag="soon"))
	assert browser.call("sample_app.api.several_calls") == [1, 1, 1, 1]
	status = configured.bench("--site", SITE, "read-replica", "status")
	for part in ("read_replica.max_lag", "'soon'", "primary"):
		assert part in status
