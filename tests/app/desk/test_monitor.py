# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The page Replica Monitor in each of its states, and what a click on it does."""

import json
import math
import threading
import time

import frappe
import pymysql
import pytest

from read_replica.database.host import shared_of_site
from read_replica.site import router_of_site
from support.desk_browser import PHONE
from support.frappe_request import connected
from support.trouble import standing_still

from ..conftest import full_form, in_another_worker, until

METHOD = "sample_app.api.writes_a_todo"


def monitor_of(user):
	page = user.open("replica-monitor")
	page.wait_for_selector(".replica-monitor [data-panel=replicas] :is(table, p)")
	return page


def text_of(page, panel: str) -> str:
	return page.locator(f"[data-panel={panel}]").inner_text()


def shows(page, panel: str, *words: str) -> None:
	for word in words:
		page.locator(f"[data-panel={panel}]", has_text=word).wait_for()


def chart_of(page) -> None:
	"""Wait until the lag is drawn, with the line of what calls accept."""
	page.locator("[data-panel=lag] svg", has_text="Accepted: 30 s").wait_for()
	page.wait_for_timeout(500)


def forget() -> None:
	shared_of_site().forget()


def fill() -> None:
	"""An hour of a site in use: lag, statements, calls, and a method that was caught writing."""
	shared = shared_of_site()
	key = shared._key(f"lags|{router_of_site().health.fleet}")
	for step in range(200):
		at = time.time() - 3500 + step * 15
		first = 0.2 + abs(math.sin(step / 9)) * 3
		second = None if 90 < step < 100 else 0.4 + (step % 40) / 4
		shared.client.rpush(key, json.dumps([at, {"replica01": first, "replica02": second}]))
	shared.client.expire(key, 3600)
	counts = {"lagging": 12, "behind": 3, "wrote": 1, "no_replica": 40, "writer": 7}
	shared.add_counts(
		{("primary", reason, METHOD): (count, 0.0) for reason, count in counts.items()},
		statements={"primary": 1230, "replica01": 4120, "replica02": 3980},
	)
	shared.add_writer(METHOD, time.time() + 50_000, "tabToDo")
	shared.add_writer("frappe.desk.query_report.run(A Report With a Long Name of Its Own)", time.time() + 900)


@pytest.fixture
def in_use(desk_bench):
	in_another_worker(forget)
	in_another_worker(fill)
	yield desk_bench
	in_another_worker(forget)


@pytest.fixture
def long_query(desk_bench, servers):
	"""A statement of the site's own user on replica01, and the list of what it ends with."""
	ends = []
	with connected():
		login = {"user": frappe.conf.db_name, "password": frappe.conf.db_password}
	connection = pymysql.connect(**servers.replicas[0].address(login["user"]) | login)

	def work():
		try:
			with connection.cursor() as cursor:
				cursor.execute(
					"SELECT SLEEP(90), `tabUser`.`name` FROM `tabUser` WHERE `tabUser`.`name` = 'Administrator'"
				)
				ends.append(cursor.fetchall())
		except Exception as error:
			ends.append(error)

	thread = threading.Thread(target=work, daemon=True)
	thread.start()
	yield ends
	if not ends:
		servers.replicas[0].query(f"KILL QUERY {connection.thread_id()}")
	thread.join(20)


def test_a_site_in_use_is_shown_and_changed_by_a_click(desk, in_use, long_query):
	user = desk()
	page = monitor_of(user)
	shows(page, "replicas", "replica01", "replica02", "Server is up")
	shows(page, "share", "replica01", "replica02", "Primary", "%")
	shows(page, "fallbacks", "No replica answers", "40")
	shows(page, "writers", METHOD, "tabToDo")
	shows(page, "running", "SELECT SLEEP(?)")
	chart_of(page)
	assert "Administrator" not in text_of(page, "running")
	user.screenshot("monitor-light")
	user.use_theme("dark")
	user.screenshot("monitor-dark")
	user.use_theme("light")

	page.locator(f"button[data-method='{METHOD}']").click()
	page.locator("[data-panel=writers]", has_text=METHOD).wait_for(state="hidden")
	page.locator("[data-panel=running] button").click()
	page.locator(".modal.show .btn-primary:visible, .modal.show .btn-modal-primary:visible").first.click()
	shows(page, "running", "Nothing runs for long")
	until(lambda: long_query)
	page.locator("[data-panel=doctor] button").click()
	shows(page, "doctor", "checks are well", "binlog-format")
	page.evaluate("scrollTo(0, document.body.scrollHeight)")
	user.screenshot("monitor-examined")
	page.locator(".rr-findings a", has_text="binlog-format").click()
	page.locator("#rh-binlog-format").wait_for()
	assert page.evaluate("frappe.get_route()") == ["replica-help", "doctor", "binlog-format"]
	assert user.errors == [] and user.refused == []


def test_a_phone_shows_all_of_it_without_a_page_that_is_too_wide(desk, in_use):
	user = desk(viewport=PHONE)
	page = monitor_of(user)
	chart_of(page)
	assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
	user.screenshot("monitor-phone")
	page.locator("[data-panel=running]").scroll_into_view_if_needed()
	user.screenshot("monitor-phone-below")


def test_a_site_without_data_says_what_will_be_shown(desk, desk_bench):
	in_another_worker(forget)
	user = desk()
	page = monitor_of(user)
	shows(page, "lag", "Not enough data yet")
	shows(page, "writers", "No method was caught writing")
	shows(page, "doctor", "not been examined")
	shows(page, "running", "Nothing runs for long")
	user.screenshot("monitor-no-data")
	assert user.errors == [] and user.refused == []


def test_a_replica_that_is_down_shows_within_seconds_and_comes_back(desk, in_use, servers):
	user = desk()
	page = monitor_of(user)
	servers.replicas[0].freeze()
	try:
		shows(page, "replicas", "Down")
		page.locator(".page-head", has_text="1 of 2 replicas are up").wait_for()
		user.screenshot("monitor-replica-down")
		servers.replicas[1].freeze()
		shows(page, "summary", "No replica answers")
		user.screenshot("monitor-all-down")
	finally:
		for replica in servers.replicas:
			replica.thaw()
	page.locator(".page-head", has_text="All replicas are up").wait_for()


MOST_LOOKS = 3


def test_an_open_page_finds_a_replica_that_dies_on_a_quiet_site_by_its_next_looks(desk, in_use, servers):
	"""Nobody else asks the site for anything, and nothing here tells the page in real time: socket.io has no server."""
	user = desk()
	page = monitor_of(user)
	page.locator(".page-head", has_text="All replicas are up").wait_for()
	looks = []
	page.on("requestfinished", lambda one: looks.append(one.url) if "replica_monitor" in one.url else None)
	servers.replicas[0].kill()
	try:
		page.locator(".page-head", has_text="1 of 2 replicas are up").wait_for()
		assert 1 <= len(looks) <= MOST_LOOKS, "it looks every five seconds"
	finally:
		servers.replicas[0].start()
		servers.catch_up()
	page.locator(".page-head", has_text="All replicas are up").wait_for(timeout=90_000)


def test_replicas_that_are_all_late_are_told_apart_from_those_that_are_down(desk, in_use, sites, servers):
	sites.configure(read_replica=full_form(servers, max_lag=1))
	try:
		with standing_still(servers):
			with connected():
				frappe.get_doc({"doctype": "ToDo", "description": "not there yet"}).insert()
				frappe.db.commit()
			user = desk()
			page = monitor_of(user)
			shows(page, "summary", "Every replica is further behind")
			shows(page, "replicas", "Late")
			user.screenshot("monitor-all-late")
	finally:
		sites.configure(read_replica=full_form(servers))


def answered_otherwise(page, **changes) -> None:
	"""Let the page be given other values than the site has."""
	page.add_init_script(
		"""const ask = window.fetch;
		window.fetch = async (address, options) => {
			const answer = await ask(address, options);
			if (!String(address).includes("replica_monitor")) return answer;
			const told = await answer.json();
			Object.assign(told.message, %s);
			return new Response(JSON.stringify(told));
		};"""
		% json.dumps(changes)
	)


def test_without_redis_it_says_what_is_missing(desk, desk_bench):
	"""What the site tells without Redis, tests/app/watch/test_monitor.py shows; core's desk itself needs it to log in."""
	user = desk()
	answered_otherwise(
		user.page, redis_answers=False, lags=[], writers=[], fallbacks=[], replica_share_percent=None
	)
	page = monitor_of(user)
	shows(page, "summary", "cache Redis does not answer")
	shows(page, "lag", "no history without the cache Redis")
	for panel in ("share", "fallbacks", "writers"):
		shows(page, panel, "Not known without")
	user.screenshot("monitor-no-redis")


def test_without_a_replica_it_says_where_to_set_one(desk, desk_bench, sites, servers):
	sites.configure(read_replica={"replicas": []})
	try:
		user = desk()
		page = monitor_of(user)
		shows(page, "summary", "read_replica in site_config.json")
		shows(page, "replicas", "No replica is configured")
		user.screenshot("monitor-no-replica")
		assert user.errors == [] and user.refused == []
	finally:
		sites.configure(read_replica=full_form(servers))


def test_it_looks_again_every_five_seconds_and_only_while_it_is_shown(desk, desk_bench):
	user = desk()
	asked = []
	user.page.on(
		"request", lambda one: asked.append(time.monotonic()) if "replica_monitor" in one.url else None
	)
	page = monitor_of(user)
	page.wait_for_timeout(11_000)
	assert 2 <= len(asked) <= 4
	user.move("List", "ToDo")
	page.wait_for_selector(".frappe-list")
	before = len(asked)
	page.wait_for_timeout(6_000)
	assert len(asked) == before
	user.move("replica-monitor")
	page.wait_for_timeout(1_000)
	assert len(asked) > before


def test_a_site_that_does_not_answer_is_said_in_the_title_and_asked_again(desk, desk_bench):
	user = desk()
	page = monitor_of(user)
	page.route("**/read_replica.api.replica_monitor", lambda route: route.abort())
	page.locator(".page-head", has_text="Not up to date").wait_for()
	page.unroute("**/read_replica.api.replica_monitor")
	page.locator(".page-head", has_text="All replicas are up").wait_for()
	assert page.locator(".modal.show").count() == 0


def test_whoever_works_by_keyboard_stays_on_the_button_while_the_panel_is_made_anew(desk, in_use):
	page = monitor_of(desk())
	button = page.locator(f"button[data-method='{METHOD}']")
	button.focus()
	in_another_worker(lambda: shared_of_site().add_writer("another.method", time.time() + 900))
	shows(page, "writers", "another.method")
	assert page.evaluate("document.activeElement.dataset.method") == METHOD
