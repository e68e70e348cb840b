# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A real nginx with the derived file sends what only reads to the reporting server, and all else where bench sends it."""

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from read_replica.deploy import nginx_file, nginx_source
from read_replica.deploy.nginx_rules import Policy, Rule, visible
from support.front import HEADERS, SITE, Nginx, SmallApp, ask, bench_file
from support.waiting import until

REPORT = "/api/method/frappe.desk.query_report.run"
LIST = "/api/method/frappe.desk.reportview.get"
SAVE = "/api/method/frappe.desk.form.save.savedocs"
EXPORT = "/api/method/frappe.desk.reportview.export_query"
READS = (
	"frappe.desk.query_report.run",
	"frappe.desk.reportview.get",
	"/api/resource",
	"/api/v2/document",
	"frappe.desk.query_report.export_query",
	"frappe.desk.reportview.export_query",
)
RULES = [*(Rule(name, "replica") for name in READS), Rule("/api/resource(Item)", "primary")]
POLICY = Policy(lambda name, subject: name in READS and subject != "Item", [RULES])

SECONDS_TO_READ = 4


class Front:
	"""A front nginx, the app server, the reporting server, and the server of websockets."""

	def __init__(self, folder: Path):
		self.started = []
		for name in ("app", "reporting", "socketio"):
			(folder / name).mkdir()
		self.app, self.reporting, self.socketio = (
			SmallApp(folder / name, name) for name in ("app", "reporting", "socketio")
		)
		self.nginx = Nginx(folder)
		text = bench_file(folder, self.nginx.port, self.app.port, self.socketio.port, timeout=SECONDS_TO_READ)
		reporting = nginx_file.reporting_server(self.reporting.address, "reporting")
		bench = nginx_source.read(text, "nginx.conf")
		made = nginx_file.derived(bench, visible(POLICY), reporting)
		# A server that is back is tried at once, so that it can be lost many times in one test.
		assert "fail_timeout=10s" in made
		self.nginx.conf.write_text(made.replace("fail_timeout=10s", "fail_timeout=1s"))
		(folder / "502.html").write_text("This is bench's page")
		public = folder / "sites" / SITE / "public/files"
		public.mkdir(parents=True)
		(public / "picture.txt").write_text("a picture")
		private = folder / "sites" / SITE / "private/files"
		private.mkdir(parents=True)
		(private / "paper.txt").write_text("a paper")
		(folder / "sites/assets").mkdir()
		(folder / "sites/assets/desk.css").write_text("a style")

	def start(self) -> "Front":
		for server in (self.app, self.reporting, self.socketio, self.nginx):
			self.started.append(server)
			server.start()
		return self

	def stop(self) -> None:
		for server in reversed(self.started):
			server.kill()

	def ask(self, method: str, path: str, body: str | None = None, **headers: str):
		return ask(self.nginx.port, method, path, body, **headers)

	def log(self, least: int = 0) -> list[str]:
		"""The lines of its log, once there are so many: nginx writes each after it has answered."""
		file = self.nginx.folder / "read_replica_mybench.log"
		until(lambda: len(file.read_text().splitlines()) >= least)
		return file.read_text().splitlines()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
	front = Front(tmp_path_factory.mktemp("front"))
	yield front.start()
	front.stop()


@pytest.fixture
def front(running):
	"""All servers run, and nginx has forgotten failures of the tests before."""
	yield running
	if not running.reporting.is_running:
		running.reporting.start()
	running.nginx.kill()
	running.nginx.start()


def test_nginx_takes_the_file(running):
	found = running.nginx.test()
	assert found.returncode == 0 and "[warn]" not in found.stderr, found.stderr


@pytest.mark.parametrize(
	("method", "path", "by"),
	[
		("GET", f"{REPORT}?report_name=Stock%20Balance&_=17", "reporting"),
		("POST", REPORT, "reporting"),
		("POST", LIST, "reporting"),
		("POST", "/api/v1/method/frappe.desk.reportview.get", "reporting"),
		("POST", "/api/v2/method/frappe.desk.reportview.get", "reporting"),
		("GET", "//api//method/frappe%2Edesk.reportview.get", "reporting"),
		("GET", "/?cmd=frappe.desk.reportview.get", "reporting"),
		("GET", EXPORT, "reporting"),
		("POST", EXPORT, "reporting"),
		("GET", "/api/resource/Sales%20Invoice?limit=5", "reporting"),
		("GET", "/api/v1/resource/ToDo", "reporting"),
		("GET", "/api/v2/document/ToDo", "reporting"),
		("GET", "/api/resource/Item", "app"),
		("GET", "/api/resource/Sales%20Invoice/SINV-1", "app"),
		("GET", "/api/v2/document/ToDo/1", "app"),
		("POST", "/api/resource/ToDo", "app"),
		("DELETE", "/api/resource/ToDo", "app"),
		("PUT", REPORT, "app"),
		("HEAD", REPORT, "app"),
		("POST", SAVE, "app"),
		("POST", f"{SAVE}?CMD=frappe.desk.reportview.get", "app"),
		("POST", f"{REPORT}?cmd=frappe.desk.form.save.savedocs", "app"),
		("GET", "/api/resource/ToDo?cmd=frappe.desk.form.save.savedocs", "app"),
		("POST", "/api/method/frappe.desk.reportview.get_more", "app"),
		("POST", "/api/method/frappe-desk-reportview-get", "app"),
		("POST", "/api/method/upload_file", "app"),
		("POST", "/api/method/login", "app"),
		("POST", "/login", "app"),
		("POST", "/", "app"),
		("GET", "/app/todo", "app"),
		("GET", "/private/files/paper.txt", "app"),
	],
)
def test_what_only_reads_goes_to_the_reporting_server_and_all_else_to_the_app_server(
	running, method, path, by
):
	answer = running.ask(method, path, "a=1" if method == "POST" else None)
	assert (answer.status, answer.by) == (200, by)
	if method != "HEAD":
		assert answer.said["name"] == by and answer.said["body"] == ("a=1" if method == "POST" else "")


@pytest.mark.parametrize(
	("headers", "by"),
	[
		({"sec_fetch_mode": "navigate"}, "reporting"),
		({"sec_fetch_mode": "navigate", "x_frappe_cmd": "login"}, "app"),
		({"sec_fetch_mode": "cors"}, "app"),
		({}, "app"),
	],
)
def test_a_form_that_a_page_posts_to_the_root_is_an_export_and_what_programs_post_there_is_not(
	running, headers, by
):
	body = "cmd=frappe.desk.query_report.export_query"
	answer = running.ask("POST", "/", body, **headers)
	assert answer.by == by and answer.said["body"] == body


def test_headers_stay_as_bench_makes_them_on_both_servers(running):
	for path, by in ((REPORT, "reporting"), (SAVE, "app")):
		answer = running.ask("POST", path, "x", host=SITE, x_forwarded_for="6.6.6.6")
		assert answer.said["name"] == by
		assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
		seen = answer.said["headers"]
		assert seen["x-frappe-site-name"] == seen["host"] == SITE
		assert seen["x-forwarded-for"] == "127.0.0.1" and seen["x-forwarded-proto"] == "http"


def test_files_assets_private_files_and_websockets_stay_where_they_are(running):
	assert running.ask("GET", "/files/picture.txt", host=SITE).text == "a picture"
	assert running.ask("GET", "/assets/desk.css").text == "a style"
	paper = running.ask(
		"GET", "/private/files/paper.txt", host=SITE, x_test_file="/protected/private/files/paper.txt"
	)
	assert (paper.text, paper.by) == ("a paper", "app")
	socket = running.ask("GET", "/socket.io/?transport=websocket", upgrade="websocket")
	assert socket.said["name"] == "socketio" and socket.said["headers"]["upgrade"] == "websocket"
	assert running.ask("GET", "/files/", host=SITE).status == 301


def test_the_log_says_which_server_answered_and_nothing_of_values(running):
	before = len(running.log())
	# First, so that a line of it would be there by the time that the other's is.
	running.ask("POST", SAVE, "x")
	running.ask("GET", f"{REPORT}?filters=secret", cookie="sid=secret")
	[line] = running.log(before + 1)[before:]
	assert f"GET {REPORT} 200 reporting tried={running.reporting.address} seconds=" in line
	assert "secret" not in line


def test_a_server_that_is_down_fails_no_request_and_is_named_in_the_log(front):
	before = len(front.log())
	front.reporting.kill()
	for method, path in (("GET", REPORT), ("POST", LIST), ("POST", EXPORT)):
		answer = front.ask(method, path, "x" if method == "POST" else None)
		assert (answer.status, answer.by, answer.said["name"]) == (200, "app", "app")
	assert f"200 app tried={front.reporting.address}, {front.app.address}" in front.log(before + 3)[before]


def test_a_server_that_takes_no_connection_costs_a_second(front):
	front.reporting.kill()
	with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
		deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		deaf.bind((front.reporting.host, front.reporting.port))
		deaf.listen(0)
		for one in (first, second):
			one.setblocking(False)
			one.connect_ex(deaf.getsockname())
		before = time.monotonic()
		answer = front.ask("POST", REPORT, "x")
		assert (answer.status, answer.by) == (200, "app")
		assert time.monotonic() - before < 3


def test_a_slow_report_is_not_run_twice(front):
	for method in ("GET", "POST"):
		number = f"slow-{method}"
		answer = front.ask(
			method, REPORT, "x" if method == "POST" else None, x_test_id=number, x_test_seconds="6"
		)
		assert answer.status == 504
		assert front.reporting.noted("begun")[number] == 1 and front.app.noted("begun")[number] == 0


def test_a_report_that_is_nearly_too_slow_when_its_server_is_lost_is_not_run_again(front):
	with ThreadPoolExecutor() as threads:
		asked = threads.submit(front.ask, "POST", REPORT, "x", x_test_id="late", x_test_seconds="9")
		time.sleep(SECONDS_TO_READ * 0.95)
		front.reporting.kill()
		assert asked.result().status == 502
	assert front.app.noted("begun")["late"] == 0


def test_a_read_whose_server_is_lost_is_answered_by_the_other_and_an_export_is_not_sent_twice(front):
	with ThreadPoolExecutor() as threads:
		asked = {
			path: threads.submit(front.ask, "POST", path, "x", x_test_id=path, x_test_seconds="1.5")
			for path in (REPORT, LIST, EXPORT)
		}
		time.sleep(0.7)
		front.reporting.kill()
		answers = {path: one.result() for path, one in asked.items()}
	assert [answers[path].by for path in (REPORT, LIST)] == ["app", "app"]
	assert answers[EXPORT].status == 502 and answers[EXPORT].text == "This is bench's page"
	assert front.app.noted("begun")[EXPORT] == 0


def test_a_second_nginx_without_its_app_or_a_site_in_maintenance_is_passed_over(front):
	for status in ("502", "503"):
		before = len(front.log())
		answer = front.ask("GET", REPORT, x_test_status=status)
		assert answer.by == "app"
		assert front.log(before + 1)[-1].count(" app tried=") == 1
	assert front.ask("GET", REPORT, x_test_status="500").by == "reporting"


def test_no_request_fails_or_is_doubled_while_the_reporting_server_is_killed_frozen_and_slow(front):
	requests = 10_000
	reads = (("GET", REPORT), ("POST", REPORT), ("POST", LIST), ("GET", "/api/resource/ToDo"))
	stop = Event()

	def work(number: int):
		is_write = number % 10 < 3
		method, path = ("POST", SAVE) if is_write else reads[number % len(reads)]
		slow = "0.5" if number % 50 == 7 else "0"
		test_id = f"{path}|{number}"
		answer = front.ask(
			method, path, "x" if method == "POST" else None, x_test_id=test_id, x_test_seconds=slow
		)
		return answer.status, answer.by, is_write, test_id

	def trouble():
		while not stop.is_set():
			front.reporting.kill()
			stop.wait(0.3)
			front.reporting.start()
			stop.wait(1.5)
			front.reporting.freeze()
			stop.wait(0.5)
			front.reporting.thaw()
			stop.wait(0.5)

	with ThreadPoolExecutor(24) as threads, ThreadPoolExecutor(1) as aside:
		troubled = aside.submit(trouble)
		try:
			answers = list(threads.map(work, range(requests)))
		finally:
			stop.set()
		troubled.result()
	assert Counter(status for status, _, _, _ in answers) == {200: requests}
	servers = Counter((by, is_write) for _, by, is_write, _ in answers)
	assert servers["app", True] == requests * 0.3 and servers["reporting", True] == 0
	assert servers["reporting", False] > 1000 and servers["app", False] > 50
	lost_on_the_way = front.reporting.noted("begun") - front.reporting.noted("done")
	assert any("|" in number for number in lost_on_the_way)
	done = front.app.noted("done") + front.reporting.noted("done")
	mine = {number: count for number, count in done.items() if "|" in number}
	# The reporting server may be killed after it has answered, and before it has noted that.
	assert {by for _, by, _, test_id in answers if test_id not in mine} <= {"reporting"}
	assert [number for number, count in mine.items() if count > 1] == []
	begun = front.app.noted("begun")
	assert all(count == 1 for number, count in begun.items() if number.startswith(SAVE))
	assert not any(number.startswith(SAVE) for number in front.reporting.noted("begun"))
