# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the page Replica Monitor is given: to whom, how cheaply, and what it can change."""

import json
import threading
import time

import frappe
import pymysql
import pytest

from read_replica.database import revision
from read_replica.database.host import shared_of_site
from read_replica.policy import desk
from read_replica.watch import monitor
from support.bench import SITE
from support.browser import Browser
from support.frappe_request import connected

from ..conftest import in_another_worker, until

MONITOR = "/api/method/read_replica.api.replica_monitor"
VIEWER = "viewer@example.com"
NOBODY = "nobody@example.com"
PASSWORD = "of-The-tests-4711"


def seen(browser) -> dict:
	response = browser.request(MONITOR)
	assert response.status_code == 200, response.text
	return response.json["message"]


def replica_of(now: dict, name: str = "replica01") -> dict:
	return next(one for one in now["replicas"] if one["name"] == name)


def new_user(email: str, *roles: str) -> None:
	for role in roles:
		# Core makes a role that a doctype names, and not always one that a page names.
		if not frappe.db.exists("Role", role):
			frappe.get_doc({"doctype": "Role", "role_name": role}).insert()
	if not frappe.db.exists("User", email):
		user = {"doctype": "User", "email": email, "first_name": email, "send_welcome_email": 0}
		user |= {"new_password": PASSWORD, "roles": [{"role": role} for role in roles]}
		frappe.get_doc(user).insert(ignore_permissions=True)
		frappe.db.commit()


@pytest.fixture
def as_user(configured):
	browsers = []

	def log_in(email: str, *roles: str) -> Browser:
		in_another_worker(new_user, email, *roles)
		browsers.append(Browser(SITE))
		browsers[-1].log_in(email, PASSWORD)
		return browsers[-1]

	yield log_in
	for browser in browsers:
		browser.close()


@pytest.fixture
def long_query(configured, servers):
	"""A statement of the site's own user that runs on replica01, and the list of what it ended with."""
	ends = []
	with connected():
		user, password, database = frappe.conf.db_name, frappe.conf.db_password, frappe.conf.db_name
	address = servers.replicas[0].address(database) | {"user": user, "password": password}
	connection = pymysql.connect(**address)

	def work():
		try:
			with connection.cursor() as cursor:
				cursor.execute("SELECT SLEEP(60), 'a secret' FROM `tabUser` LIMIT 1")
				ends.append(cursor.fetchall())
		except Exception as error:
			ends.append(error)

	thread = threading.Thread(target=work, daemon=True)
	thread.start()
	yield ends
	with servers.replicas[0].admin() as admin, admin.cursor() as cursor:
		if not ends:
			cursor.execute(f"KILL QUERY {connection.thread_id()}")
	thread.join(20)


def test_it_shows_each_replica_its_lag_and_how_late_it_may_be(browser):
	now = seen(browser)
	assert [one["name"] for one in now["replicas"]] == ["replica01", "replica02"]
	one = replica_of(now)
	assert one["state"] == "up" and 0 <= one["lag_seconds"] < 5 and one["host"] == "127.0.0.1"
	assert now["max_lag_seconds"] == one["max_lag_seconds"] > 0
	assert now["routing"] and now["redis_answers"] and now["may_change"]
	assert (now["running"], now["did_not_tell"], now["examination"]) == ([], [], None)


def test_a_replica_that_does_not_answer_is_down(browser, servers):
	servers.replicas[1].freeze()
	try:
		until(lambda: replica_of(seen(browser), "replica02")["state"] == "down")
		now = seen(browser)
		assert replica_of(now, "replica02")["lag_seconds"] is None
		assert replica_of(now, "replica02")["error"]
	finally:
		servers.replicas[1].thaw()
	until(lambda: replica_of(seen(browser), "replica02")["state"] != "down")


def test_replicas_that_are_further_behind_than_calls_accept_are_late(browser, configured, servers, stale):
	configured.configure(
		read_replica=json.loads(json.dumps(configured.config()["read_replica"])) | {"max_lag": 1}
	)
	with connected():
		frappe.get_doc({"doctype": "ToDo", "description": "not there yet"}).insert()
		frappe.db.commit()
	until(lambda: {one["state"] for one in seen(browser)["replicas"]} == {"late"})
	assert replica_of(seen(browser))["lag_seconds"] > 1


def test_an_hour_of_lag_and_the_processes_are_told(browser):
	browser.call("sample_app.api.decorated")
	until(lambda: seen(browser)["lags"] and seen(browser)["processes"]["count"] >= 1)
	until(lambda: seen(browser)["processes"] == {"count": 1, "taken_up": 1})
	assert set(seen(browser)["lags"][0]["seconds"]) == {"replica01", "replica02"}
	with connected():
		desk.set_rule("sample_app.api.undecorated", "primary")
		now = revision.current()
	try:
		until(lambda: [note.revision for note in shared_notes()] == [now])
		assert seen(browser)["processes"] == {"count": 1, "taken_up": 1}
	finally:
		in_another_worker(
			lambda: (frappe.db.delete("Routed Method", {"source": "By Hand"}), revision.change())
		)


def shared_notes() -> list:
	return in_another_worker(lambda: shared_of_site().load_processes())


def test_a_process_that_has_not_heard_of_a_change_is_not_counted_as_one_that_has(browser, servers):
	browser.call("sample_app.api.decorated")
	until(lambda: seen(browser)["processes"] == {"count": 1, "taken_up": 1})
	key = in_another_worker(lambda: shared_of_site()._key("processes"))
	client = servers.redis.client()
	client.zadd(key, {"another process": time.time()})
	client.hset(key.replace("processes", "revisions"), "another process", "an old revision")
	assert seen(browser)["processes"] == {"count": 2, "taken_up": 1}


def test_a_method_that_was_caught_writing_is_shown_with_its_table_and_released(browser):
	browser.call("sample_app.api.writes_a_todo", description="caught")
	[writer] = seen(browser)["writers"]
	assert writer["method"] == "sample_app.api.writes_a_todo" and writer["table"] == "tabToDo"
	assert browser.call("read_replica.api.clear_writers", method=writer["method"]) == 1
	now = seen(browser)
	assert now["writers"] == []
	until(lambda: {"wrote"} <= {one["reason"] for one in seen(browser)["fallbacks"]})


def test_a_statement_that_runs_for_long_is_shown_without_values_and_ended_by_a_click(browser, long_query):
	until(lambda: seen(browser)["running"], 15)
	[one] = seen(browser)["running"]
	assert one["replica"] == "replica01" and one["seconds"] >= 5
	assert one["statement"] == "SELECT SLEEP(?), ? FROM `tabUser` LIMIT ?"
	arguments = {"replica": one["replica"], "query": one["query"]}
	assert browser.call("read_replica.api.end_statement", **arguments) is True
	until(lambda: long_query)
	assert browser.call("read_replica.api.end_statement", **arguments) is False
	assert seen(browser)["running"] == []


def test_a_replica_that_is_not_configured_is_named_in_the_error(browser):
	answer = browser.ask("read_replica.api.end_statement", replica="elsewhere", query=1)
	assert answer.status_code == 417 and "elsewhere" in answer.text


def test_what_the_doctor_has_found_is_kept_and_shown(browser):
	assert browser.ask("read_replica.api.examine_servers").status_code == 200
	found = seen(browser)["examination"]
	assert found["ok"] > 5 and found["at"]
	of_log = next(check for check in found["checks"] if check["id"] == "binlog-format")
	assert of_log["status"] == "warn" and "ROW" in of_log["fix"] and of_log["seen"]
	ranks = [["fail", "warn", "unknown"].index(check["status"]) for check in found["checks"]]
	assert ranks == sorted(ranks)


def test_a_viewer_sees_the_state_and_no_host_no_statement_and_no_fix(browser, as_user, long_query):
	browser.ask("read_replica.api.examine_servers")
	viewer = as_user(VIEWER, "Read Replica Viewer")
	until(lambda: seen(viewer)["running"], 15)
	now = seen(viewer)
	assert now["may_change"] is False
	assert replica_of(now)["state"] == "up"
	assert replica_of(now)["host"] is None and replica_of(now)["port"] is None
	assert now["running"][0]["statement"] is None
	assert {check["seen"] for check in now["examination"]["checks"]} == {None}
	assert {check["fix"] for check in now["examination"]["checks"]} == {None}
	assert "127.0.0.1" not in json.dumps(now)
	for method, arguments in (
		("end_statement", {"replica": "replica01", "query": now["running"][0]["query"]}),
		("examine_servers", {}),
		("clear_writers", {}),
	):
		assert viewer.ask(f"read_replica.api.{method}", **arguments).status_code == 403
	assert not long_query, "it runs on"


def test_others_see_nothing(as_user):
	assert as_user(NOBODY, "Blogger").request(MONITOR).status_code == 403


def test_what_changes_something_is_not_answered_to_a_get(browser):
	for method in ("end_statement?replica=replica01&query=1", "examine_servers"):
		assert browser.request(f"/api/method/read_replica.api.{method}").status_code == 403


def test_no_password_and_no_user_of_a_database_is_told(browser, configured):
	browser.ask("read_replica.api.examine_servers")
	config = configured.config()
	said = json.dumps(seen(browser))
	assert config["db_password"] not in said and f"'{config['db_name']}'@" not in said


def test_without_redis_the_replicas_are_shown_all_the_same(site, servers):
	assert monitor.monitor(shows_details=True).redis_answers
	servers.redis.freeze()
	try:
		now = monitor.monitor(shows_details=True)
	finally:
		servers.redis.thaw()
	assert now.redis_answers is False and now.lags == [] and now.processes.count == 0
	assert {one.state for one in now.replicas} == {"up"}


def test_the_desk_is_told_of_a_replica_that_goes_down_and_comes_back(browser, servers):
	browser.call("sample_app.api.decorated")
	told = servers.redis.client().pubsub()
	told.subscribe("events")
	down = []

	def hear(names: list[str]) -> bool:
		browser.call("sample_app.api.decorated")
		while message := told.get_message(timeout=0.1):
			if message["type"] == "message" and b"read_replica_changed" in message["data"]:
				down.append(json.loads(message["data"]))
		return bool(down) and down[-1]["message"]["down"] == names

	servers.replicas[0].freeze()
	try:
		until(lambda: hear(["replica01"]))
	finally:
		servers.replicas[0].thaw()
	until(lambda: hear([]))
	told.close()
	assert len(down) == 2
	assert all(one["room"].endswith("doctype:Read Replica Settings") for one in down)
