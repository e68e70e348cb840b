# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Users see what they have committed, over real requests and in the jobs that they queue."""

import logging
from concurrent.futures import ThreadPoolExecutor

import frappe
from rq.job import Job

from read_replica import read_only, routing
from read_replica.database.event_log import logger_of_site
from read_replica.database.host import shared_of_site
from read_replica.jobs.positions import META_KEY
from read_replica.site import finish, router_of_site
from read_replica.watch.freshness_header import HEADER
from support.bench import ADMIN_PASSWORD, SITE
from support.browser import Browser

from .conftest import CLERK, REPLICAS, in_another_worker, server_id


def save_todo(description: str) -> str:
	return frappe.get_doc({"doctype": "ToDo", "description": description}).insert().name


@read_only
def todo_exists(name: str) -> tuple[bool, int]:
	return bool(frappe.db.exists("ToDo", name)), server_id()


@read_only(consistency="eventual")
def todo_exists_eventually(name: str) -> tuple[bool, int]:
	return bool(frappe.db.exists("ToDo", name)), server_id()


def shared_of_site_in_worker() -> str:
	"""What the Administrator has committed, as Redis knows it."""
	return str(in_another_worker(lambda: shared_of_site().position_of("Administrator").position))


def test_a_list_shows_what_the_same_user_saved_in_the_request_before(browser, stale):
	saved = browser.request("/api/resource/ToDo", "POST", json={"description": "just saved"})
	assert saved.status_code == 200, saved.text
	name = saved.json["data"]["name"]
	rows = browser.call(
		"frappe.desk.reportview.get", doctype="ToDo", fields=["name"], filters={"name": name}, view="List"
	)
	assert [name] in rows["values"]


def test_a_request_whose_hooks_are_broken_keeps_what_it_committed(browser, stale):
	saved = browser.request(
		"/api/resource/ToDo", "POST", json={"description": "kept"}, headers={"X-Raise-After-Request": "1"}
	)
	name = saved.json["data"]["name"]
	rows = browser.call(
		"frappe.desk.reportview.get", doctype="ToDo", fields=["name"], filters={"name": name}, view="List"
	)
	assert [name] in rows["values"]


def test_another_worker_shows_a_user_what_they_committed(site, stale):
	name = save_todo("of this user")
	frappe.db.commit()
	finish()
	assert in_another_worker(lambda: todo_exists(name)) == (True, 1)
	found, server = in_another_worker(lambda: todo_exists_eventually(name))
	assert not found and server in REPLICAS


def test_another_user_is_answered_by_a_replica(site, stale):
	name = save_todo("of this user")
	frappe.db.commit()
	finish()

	def as_clerk():
		frappe.set_user(CLERK)
		return todo_exists(name)

	found, server = in_another_worker(as_clerk)
	assert not found and server in REPLICAS


def test_a_job_carries_what_the_request_that_queued_it_has_committed(site, stale):
	name = save_todo("for a job")
	frappe.enqueue("sample_app.jobs.read_in_a_job", enqueue_after_commit=True)
	job = queue_and_fetch()
	assert job.meta[META_KEY]

	def in_a_worker():
		frappe.set_user(CLERK)
		state = router_of_site().host.state()
		state.own = state.own.joined(type(state.own)(job.meta[META_KEY]))
		return todo_exists(name)

	assert in_another_worker(in_a_worker) == (True, 1)


def queue_and_fetch() -> Job:
	"""Commit, which queues what waits for it, and return the job that was queued last."""
	from frappe.utils.background_jobs import get_queue

	frappe.db.commit()
	queue = get_queue("default")
	return queue.fetch_job(queue.get_job_ids()[-1])


def test_a_commit_is_known_to_others_while_its_request_goes_on(site, stale):
	name = save_todo("of this user")
	frappe.db.commit()
	assert in_another_worker(lambda: todo_exists(name)) == (True, 1)


def test_a_commit_on_a_connection_that_no_request_has_opened_is_seen_too(site, stale):
	"""As from bench execute, a console, or a thread."""

	def work():
		frappe.init(site=SITE, sites_path=".")
		frappe.connect()
		try:
			name = save_todo("from a thread")
			frappe.db.commit()
			return todo_exists(name)
		finally:
			frappe.destroy()

	with ThreadPoolExecutor(1) as thread:
		assert thread.submit(work).result(timeout=60) == (True, 1)


def test_what_a_login_has_committed_is_seen_by_the_next_request(browser, stale):
	before = shared_of_site_in_worker()
	browser.log_in("Administrator", ADMIN_PASSWORD)
	assert before != shared_of_site_in_worker()


def test_whoever_asks_as_guest_sees_what_was_done_as_administrator(browser, configured, stale):
	guest = Browser(SITE)
	name = guest.call("sample_app.api.saves_as_administrator")
	assert guest.call("sample_app.api.todo_exists", name=name) is True
	guest.close()


def test_a_cache_that_is_filled_before_the_hooks_hides_nothing_from_whoever_asks(
	browser, configured, stale, monkeypatch
):
	from frappe.auth import HTTPRequest

	begin = HTTPRequest.__init__

	def begin_with_an_empty_cache(self):
		begin(self)
		# As core does with the languages, in its first request after a clear-cache.
		frappe.cache().delete_value("of_the_test")
		frappe.cache().get_value("of_the_test", lambda: frappe.db.count("Language"))

	monkeypatch.setattr(HTTPRequest, "__init__", begin_with_an_empty_cache)
	guest = Browser(SITE)
	for _ in range(2):
		name = guest.call("sample_app.api.saves_as_administrator")
		assert guest.call("sample_app.api.todo_exists", name=name) is True
	guest.close()


def test_a_committing_request_asks_the_primary_for_its_position_once(site, monkeypatch):
	asked = []
	host = router_of_site().host
	ask = host.ask_primary
	monkeypatch.setattr(host, "ask_primary", lambda *args: (asked.append(args), ask(*args))[1])
	frappe.db.get_value("ToDo", {"description": "none"})
	frappe.db.commit()
	finish()
	assert asked == [], "a request that only reads asks nothing"
	save_todo("one")
	frappe.db.commit()
	finish()
	finish()
	assert len(asked) == 1
	for description in ("two", "three", "four"):
		save_todo(description)
		frappe.db.commit()
	finish()
	assert len(asked) == 2, "several commits within a second are told together"


def test_a_response_tells_how_fresh_its_data_is_and_who_told_it(browser):
	told = browser.ask("sample_app.api.decorated_as_eventual").headers[HEADER]
	assert told.startswith("server=replica0") and "; as_of=20" in told and "; position=0-1-" in told
	assert HEADER not in browser.ask("sample_app.api.undecorated").headers


def test_a_report_may_ask_how_fresh_its_data_is(site):
	@read_only(consistency="eventual")
	def report():
		return routing.current().as_of

	as_of = report()
	assert as_of.time > 1_700_000_000 and as_of.position


def test_events_reach_the_log_whatever_the_sites_log_level(site):
	assert logger_of_site().isEnabledFor(logging.WARNING)
