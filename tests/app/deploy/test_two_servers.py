# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A site on two servers, each a machine of its own by Linux's namespaces, set up by this app's commands alone.

One story: from the second test on, each one goes on where those before it have stopped. Then each thing is broken in
turn: the doctor names that one and no other, and what it prints mends it.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.two_servers import (
	bench_files,
	broken_databases,
	broken_jobs,
	broken_redis,
	broken_replication,
	broken_servers,
	network,
)
from support.two_servers.broken import Breakage
from support.two_servers.client import Browser
from support.two_servers.machine import Machine
from support.two_servers.network import FIRST, SECOND
from support.two_servers.pair import Pair
from support.waiting import until

WHY_NOT = network.why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "")

SECOND_WEB = f"{SECOND}:8000"
REPORT = "Servers of ToDos"
RUN = f"/api/method/frappe.desk.query_report.run?report_name={REPORT.replace(' ', '%20')}"
LIST = '/api/resource/ToDo?fields=["name"]'
PRIMARY, REPLICA = 1, 2

BREAKAGES = (
	*broken_replication.BREAKAGES,
	*broken_databases.BREAKAGES,
	*broken_redis.BREAKAGES,
	*broken_servers.BREAKAGES,
	*broken_jobs.BREAKAGES,
)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
	# The path of a Unix socket ends at 107 characters.
	folder = Path(tempfile.mkdtemp(prefix="rr2-", dir="/tmp"))
	folder.chmod(0o755)
	made = Pair(folder)
	try:
		made.set_up()
		yield made
	finally:
		made.close()
		shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def browser(pair) -> Browser:
	return Browser(pair.network.outside).log_in()


@pytest.fixture(scope="module")
def report(browser) -> str:
	"""A report that says which database server has answered it."""
	query = "select @@server_id as server, count(*) as todos from tabToDo"
	row = {"doctype": "Report", "report_name": REPORT, "ref_doctype": "ToDo", "is_standard": "No"}
	row |= {"report_type": "Query Report", "query": query}
	browser.call("frappe.client.insert", doc=row)
	return REPORT


@pytest.fixture(scope="module")
def rules(browser) -> None:
	"""Some jobs are the second server's."""
	for job in ("of_the_second", "note", "long_job"):
		row = {"doctype": "Scheduler Config", "job": f"pair_app.jobs.{job}", "server_id": "secondary"}
		browser.call("frappe.client.insert", doc=row)


@pytest.fixture(scope="module")
def well(pair, rules) -> None:
	"""The doctor has nothing to say on both servers, once the scheduler has ticked and the replica has caught up."""
	for machine in (pair.second, pair.first, pair.second):
		_let_it_be_well(pair, machine)


def test_who_logs_in_once_is_logged_in_on_both_servers(pair, browser):
	for address in (FIRST, SECOND_WEB):
		assert browser.call("frappe.auth.get_logged_user", at=address) == "Administrator"
	other = Browser(pair.network.outside).log_in()
	assert other.ask("POST", "/api/method/logout").status == 200
	said = other.ask("GET", "/api/method/frappe.auth.get_logged_user", at=SECOND_WEB)
	assert said.status in (401, 403), said


def test_a_report_runs_on_the_second_server_and_reads_the_replica(pair, browser, report):
	pair.replica.catch_up(pair.primary)
	until(lambda: _server_of(browser.ask("GET", RUN)) == REPLICA)
	said = browser.ask("GET", RUN)
	assert said.by == "reporting" and said.headers["X-Read-Replica"].startswith("server=")
	# What it does not have from the replica goes to the first server, and to the primary.
	assert browser.ask("GET", "/api/method/frappe.auth.get_logged_user").by == "app"


def _server_of(said) -> int:
	[row, *_] = said.message["result"]
	return row["server"] if isinstance(row, dict) else row[0]


def test_a_document_that_is_changed_on_one_server_is_seen_on_the_other_at_once(browser):
	name = browser.call("frappe.client.insert", doc={"doctype": "ToDo", "description": "0"})["name"]
	for number in range(1, 9):
		here, there = (FIRST, SECOND_WEB) if number % 2 else (SECOND_WEB, FIRST)
		browser.call("pair_app.jobs.description_of", at=there, todo=name)
		values = {"doctype": "ToDo", "name": name, "fieldname": "description", "value": str(number)}
		browser.call("frappe.client.set_value", at=here, **values)
		assert browser.call("pair_app.jobs.description_of", at=there, todo=name) == str(number)


def test_a_file_that_is_uploaded_to_one_server_is_served_by_the_other_after_a_sync(pair, browser):
	said = browser.ask(
		"POST", "/api/method/upload_file", files={"file": ("notes.txt", b"the notes")}, data={"is_private": 1}
	)
	url = said.message["file_url"]
	assert browser.ask("GET", url).text == "the notes"
	assert browser.ask("GET", url, at=SECOND_WEB).status == 404
	assert pair.command(pair.second, "sync --once")["copied"] == 1
	assert browser.ask("GET", url, at=SECOND_WEB).text == "the notes"


def test_jobs_run_where_their_rules_say(pair, browser, rules):
	# Each process looks at the rules every five seconds.
	time.sleep(6)
	for number in range(4):
		browser.call("pair_app.jobs.queue", what=f"queued {number}", at=(FIRST, SECOND_WEB)[number % 2])
	pair.primary.query(
		f"UPDATE `{pair.database}`.`tabScheduled Job Type` SET last_execution = '2020-01-01', creation = '2020-01-01'"
		" WHERE method LIKE 'pair_app.%%'",
		(),
	)
	wanted = {f"queued {number}": ["secondary", "app2"] for number in range(4)} | {
		"of_the_first": ["primary", "app1"],
		"of_the_second": ["secondary", "app2"],
	}
	until(lambda: len(browser.call("pair_app.jobs.noted")) >= len(wanted), 90)
	assert {what: where for what, *where in browser.call("pair_app.jobs.noted")} == wanted


def test_the_progress_of_a_job_of_the_second_server_reaches_the_browser(pair, browser, rules):
	if why := bench_files.why_no_socketio(pair.first.bench_folder):
		pytest.skip(why)
	events = browser.events(pair.namespace, 60, "pair_app.jobs.queue_long_job")
	told = [message for name, message in events if name == "progress"]
	assert told and told[-1]["percent"] == 100 and {one["description"] for one in told} == {"on app2"}, events


def test_the_second_server_is_killed_under_load_without_a_failed_request(pair, browser, report):
	"""But for one whose head has come already: nobody can send its body anew, and nginx asks nobody else."""
	at_once = 4
	with ThreadPoolExecutor(1) as worker:
		load = worker.submit(browser.load, [RUN, LIST], 15.0, at_once)
		time.sleep(5)
		try:
			pair.second.lose_power()
			answers = load.result()
		finally:
			pair.second.start()
			pair.replica.wait()
			pair.replica.catch_up(pair.primary)
	failed = [answer for answer in answers if answer.status != 200]
	without_body = [answer for answer in failed if "IncompleteRead" in answer.text]
	by = [answer.by for answer in answers]
	assert failed == without_body and len(failed) <= at_once, f"{len(failed)} of {len(answers)}: {failed[:3]}"
	assert "reporting" in by[: len(by) // 2] and by[-1] == "app"
	until(lambda: browser.ask("GET", RUN).by == "reporting", 60)


def test_then_the_doctor_is_all_green_on_both_servers(pair, well):
	for machine in (pair.second, pair.first):
		assert pair.command(machine, "doctor", exits=0)["silenced"] == []
		assert all(one["seen"] for one in pair.doctor(machine).values() if one["status"] == "skipped"), (
			machine.name
		)
		assert pair.command(machine, "second-server --check")["proofs"]
	assert pair.command(pair.first, "nginx --check")["is_current"]


def _let_it_be_well(pair: Pair, machine: Machine) -> None:
	"""Return once the doctor has nothing to say there; for what takes some seconds, such as a replica that catches up."""
	deadline = time.monotonic() + 90
	while troubles := pair.troubles(machine):
		assert time.monotonic() < deadline, f"{machine.name}: {troubles}"


@pytest.mark.parametrize("breakage", BREAKAGES, ids=str)
def test_the_doctor_names_what_is_broken_and_no_other_and_what_it_prints_mends_it(
	pair, well, breakage: Breakage
):
	machine = pair.first if breakage.on == "first" else pair.second
	breakage.breaks(pair)
	found = {}
	try:
		found = pair.doctor(machine)
	finally:
		fix = found[breakage.check]["fix"] if breakage.check in found else ""
		breakage.mends(pair, fix)
	wrong = {id: one for id, one in found.items() if one["status"] in ("warn", "fail", "unknown")}
	assert list(wrong) == [breakage.check], wrong
	_let_it_be_well(pair, machine)
