# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Real requests and jobs are counted by name: what they read where, and whether they have committed a write."""

import contextlib
import re
import time
from collections.abc import Iterator

import frappe
import pytest

from read_replica import site
from read_replica.engine.metrics import PRIMARY
from read_replica.engine.router import Router
from read_replica.engine.shared.request_counts import RequestTally
from read_replica.watch.shares import replica_share
from support.bench import ADMIN_PASSWORD, SITE
from support.browser import Browser
from support.frappe_request import connected
from support.servers import MariaDB

from .conftest import in_another_worker, overheard, until
from .jobs.test_execution import scheduled
from .jobs.test_jobs import HOURLY, tick
from .jobs.test_replica_reads import work_off
from .watch.test_freshness_header import token_of

API = "sample_app.api."
WRITING = "sample_app.jobs.writing_job"

SELECT = re.compile(r"[\s(]*(?:select|with)\b", re.IGNORECASE)

IS_V16 = int(frappe.__version__.split(".")[0]) >= 16


@pytest.fixture
def router(browser) -> Router:
	"""The router of the process that answers the browser's requests; nothing is counted yet."""
	router = site._known[SITE].router
	router.share_counts()
	router.host.shared.forget_requests()
	return router


def tallies(router: Router) -> dict[str, RequestTally]:
	router.share_counts()
	return router.host.shared.load_requests()


@contextlib.contextmanager
def counting(router: Router) -> Iterator[dict[str, int]]:
	"""Hands out a dict that tells, at the end of the block, how many statements each server has answered in it."""
	router.share_counts()
	before = router.host.shared.load_statements()
	counted: dict[str, int] = {}
	yield counted
	router.share_counts()
	after = router.host.shared.load_statements()
	counted.update(
		{name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)}
	)


# By name


def test_a_request_is_counted_by_its_name_with_what_it_read_where(browser, router):
	for _ in range(3):
		browser.call(API + "decorated")
	browser.call(API + "undecorated")
	found = tallies(router)
	routed, stayed = found[API + "decorated"], found[API + "undecorated"]
	assert (routed.calls, routed.replica_statements, routed.writes) == (3, 3, 0)
	assert (stayed.calls, stayed.replica_statements, stayed.writes) == (1, 0, 0)
	assert stayed.primary_statements >= 1
	assert 0 < stayed.primary_seconds < stayed.seconds < 10
	assert time.time() - 60 < routed.first_seen < routed.last_seen < stayed.last_seen <= time.time()
	assert routed.last_write == 0


def test_rows_are_counted_on_the_primary_and_on_a_replica(browser, router):
	browser.call(API + "reads_rows", number=0)
	without = tallies(router)[API + "reads_rows"].rows
	browser.call(API + "reads_rows", number=7)
	assert tallies(router)[API + "reads_rows"].rows == 2 * without + 7
	browser.call(API + "decorated")
	assert tallies(router)[API + "decorated"].rows >= 1


def test_counts_reach_redis_by_themselves_also_if_no_call_is_routed(browser, router):
	# As after a minute without a call.
	watchdog = router._watchdog
	watchdog._last_call = float("-inf")
	until(lambda: not watchdog._thread.is_alive())
	browser.call(API + "undecorated")
	until(lambda: API + "undecorated" in router.host.shared.load_requests())


def test_a_method_without_a_name_counts_in_the_share_alone(browser, router):
	with counting(router) as counted:
		assert browser.request("/api/resource/User/Guest").status_code == 200
	assert counted[PRIMARY] >= 1
	assert not [name for name in tallies(router) if "sample_app" in name]


def test_a_request_with_an_api_key_is_counted_by_name(browser, router):
	headers = token_of("Administrator")
	visitor = Browser(SITE)
	try:
		assert visitor.call(API + "undecorated", headers=headers) == 1
	finally:
		visitor.close()
	assert tallies(router)[API + "undecorated"].calls == 1


@pytest.mark.parametrize(
	"method", ["todo_exists", "for_everybody_as_administrator", "saves_as_administrator"]
)
def test_a_guest_is_not_counted_by_name(router, method):
	visitor = Browser(SITE)
	try:
		with counting(router) as counted:
			response = visitor.ask(API + method, name="x")
	finally:
		visitor.close()
	assert response.status_code == 200, response.text
	assert sum(counted.values()) >= 1
	assert API + method not in tallies(router)


def test_a_website_user_is_counted_by_the_method_alone_and_fills_no_memory_with_subjects(router):
	email = "visitor@example.com"
	with connected():
		if not frappe.db.exists("User", email):
			visitor = {"doctype": "User", "email": email, "first_name": "X", "send_welcome_email": 0}
			doc = frappe.get_doc(visitor).insert()
			assert doc.user_type == "Website User"
			frappe.db.commit()
	headers, count = token_of(email), "frappe.client.get_count"
	visitor = Browser(SITE)
	try:
		for doctype in ("ToDo", "User"):
			assert visitor.ask(count, headers=headers, doctype=doctype).status_code == 200
	finally:
		visitor.close()
	counted = tallies(router)
	assert counted[count].calls == 2 and not [name for name in counted if name.startswith(f"{count}(")]


@pytest.mark.parametrize("method", ["writes_and_fails", "is_not_there", "may_not_write"])
def test_a_request_that_fails_is_not_counted_by_name(browser, router, method):
	assert browser.ask(API + method).status_code >= 400
	assert API + method not in tallies(router)


# Writes


def test_a_method_that_has_committed_a_write_is_known(browser, router):
	for method in ("writes_a_todo", "undecorated", "writes_a_todo"):
		browser.call(API + method, description="written")
	found = tallies(router)
	assert (found[API + "writes_a_todo"].calls, found[API + "writes_a_todo"].writes) == (2, 2)
	assert found[API + "undecorated"].writes == 0
	written = found[API + "writes_a_todo"]
	assert written.first_seen < written.last_write == written.last_seen


def test_a_write_that_is_rolled_back_is_none(browser, router):
	browser.call(API + "writes_and_rolls_back")
	assert tallies(router)[API + "writes_and_rolls_back"].writes == 0


def test_a_session_that_is_updated_and_an_error_that_is_logged_are_no_writes(browser, router, servers):
	browser.call(API + "logs_an_error")
	# As after ten minutes: the next request notes in the database that the session is in use.
	in_another_worker(lambda: frappe.cache().delete_value(["session", "last_db_session_update"]))
	with overheard(servers.primary) as heard:
		browser.call(API + "undecorated")
		statements = heard()
	assert re.search("update `?tabSessions", statements, re.IGNORECASE), statements
	found = tallies(router)
	assert found[API + "undecorated"].writes == found[API + "logs_an_error"].writes == 0


@pytest.mark.skipif(not IS_V16, reason="only v16 writes after the response")
def test_what_is_written_after_the_response_is_a_write_of_the_method(browser, router):
	browser.call(API + "writes_after_the_response", description="late")
	written = tallies(router)[API + "writes_after_the_response"]
	assert (written.calls, written.writes) == (1, 1)
	browser.call(API + "writes_after_the_response")
	assert (written.calls, written.writes) == (1, 1)


def test_to_open_a_document_that_remembers_its_readers_is_a_write(browser, router):
	"""In v16, that is written after the response."""
	arguments = {"doctype": "ToDo", "name": in_another_worker(unseen_todo)}
	getdoc = "frappe.desk.form.load.getdoc"
	assert browser.request("/api/method/" + getdoc, query_string=arguments).status_code == 200
	assert browser.request("/api/method/" + getdoc, query_string=arguments).status_code == 200
	[tally] = [tally for name, tally in tallies(router).items() if name.startswith(getdoc)]
	assert (tally.calls, tally.writes) == (2, 1), "the second one has nothing to write"


def unseen_todo() -> str:
	todo = frappe.get_doc({"doctype": "ToDo", "description": "not opened yet"}).insert()
	assert todo.meta.track_seen
	frappe.db.set_value("ToDo", todo.name, "_seen", "[]")
	frappe.db.commit()
	return todo.name


# Jobs


@pytest.fixture
def writing(due):
	yield from scheduled(due, WRITING)


def test_a_job_is_counted_by_the_name_of_its_method_before_its_worker_may_end(due, router):
	in_another_worker(frappe.enqueue, "sample_app.jobs.looking_job")
	work_off()
	tally = router.host.shared.load_requests()["job:sample_app.jobs.looking_job"]
	assert (tally.calls, tally.replica_statements, tally.writes) == (1, 0, 0)
	assert tally.primary_statements >= 1


def test_a_scheduled_job_has_its_own_name_and_bookkeeping_is_none_of_its_writes(due, router, monkeypatch):
	assert HOURLY in tick(monkeypatch, None)
	work_off()
	tally = tallies(router)["job:" + HOURLY]
	assert (tally.calls, tally.writes) == (1, 0)


def test_a_scheduled_job_that_has_written_is_known(writing, router, monkeypatch):
	tick(monkeypatch, None)
	work_off()
	tally = tallies(router)["job:" + WRITING]
	assert (tally.calls, tally.writes) == (1, 1)


# The share of the replicas


def selects(server: MariaDB) -> int:
	return int(server.query("SHOW GLOBAL STATUS LIKE 'Com_select'")[0][1])


def overheard_selects(server: MariaDB) -> list[str]:
	question = "SELECT argument FROM mysql.general_log WHERE command_type = 'Query'"
	statements = [str(statement) for (statement,) in server.query(question)]
	return [each for each in statements if SELECT.match(each) and each != question]


def is_of_this_app(statement: str) -> bool:
	return "@@" in statement or "MASTER_GTID_WAIT" in statement


def test_the_share_is_what_the_servers_count_themselves_but_for_this_app_s_questions(
	browser, router, servers
):
	"""Com_select is what a server itself has counted; which of them are questions of this app, its log tells."""
	for _ in range(2):
		work_as_a_user(browser)
	everyone = (servers.primary, *servers.replicas)
	with contextlib.ExitStack() as stack:
		for server in everyone:
			stack.enter_context(overheard(server))
		with counting(router) as counted:
			before = [selects(server) for server in everyone]
			for _ in range(10):
				work_as_a_user(browser)
			by_com_select = [
				selects(server) - so_far for server, so_far in zip(everyone, before, strict=True)
			]
		told = [overheard_selects(server) for server in everyone]
	by_this_app = [sum(map(is_of_this_app, statements)) for statements in told]
	by_users = [len(all_) - ours for all_, ours in zip(told, by_this_app, strict=True)]
	names = (PRIMARY, *(server.folder.name for server in servers.replicas))
	assert counted == dict(zip(names, by_users, strict=True))
	for by_server, of_users, of_app in zip(by_com_select, by_users, by_this_app, strict=True):
		assert abs(by_server - of_users - of_app) <= 2, (
			"a question of this app may come between the two looks"
		)
	assert 10 < replica_share(counted) < 100


def work_as_a_user(browser: Browser) -> None:
	arguments = {"doctype": "ToDo", "fields": ["name", "status"], "view": "List"}
	browser.call("frappe.desk.reportview.get", **arguments)
	browser.call("frappe.desk.reportview.get_count", doctype="ToDo")
	browser.call("frappe.client.get_value", doctype="User", filters="Administrator", fieldname="full_name")
	browser.call("frappe.client.get_list", doctype="DocType", limit_page_length=5)
	todo = browser.request("/api/resource/ToDo", "POST", json={"description": "of a user"})
	assert todo.status_code == 200, todo.text


def test_status_says_how_much_of_the_reading_the_replicas_do(browser, router, configured):
	for _ in range(3):
		browser.call(API + "decorated")
	router.share_counts()
	said = configured.bench("--site", SITE, "read-replica", "status")
	[sentence] = re.findall("Replicas answered .*", said)
	found = re.fullmatch(
		r"Replicas answered (\d+) % of the statements that read, and (\d+) % of those of the last hour\.",
		sentence.strip(),
	)
	assert found and 0 < int(found[1]) < 100 and 0 < int(found[2]) < 100, said


@pytest.mark.parametrize(
	("statements", "share"),
	[
		({}, None),
		({PRIMARY: 0}, None),
		({PRIMARY: 3}, 0),
		({PRIMARY: 1, "replica01": 1, "replica02": 2}, 75),
		({"replica01": 4}, 100),
	],
)
def test_the_share_is_that_of_all_replicas_together(statements, share):
	assert replica_share(statements) == share
