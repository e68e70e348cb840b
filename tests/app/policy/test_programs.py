# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Programs that send a key or a token and no cookie: their requests go by the rules too, each as its user."""

from collections.abc import Callable, Iterator

import pytest

from read_replica import site
from read_replica.engine.shared.request_counts import RequestTally
from support import credentials
from support.bench import SITE
from support.browser import Browser
from support.trouble import standing_still

from ..conftest import CLERK, REPLICAS, connected, full_form

UNDECORATED = "sample_app.api.undecorated"
EXISTS = "sample_app.proof.number_of"
LIST = "/api/resource/ToDo"
RULES = {UNDECORATED: "replica", EXISTS: "replica", "/api/resource(ToDo)": "replica"}


@pytest.fixture(scope="module")
def headers(sites) -> dict[Callable, dict[str, str]]:
	"""What the program of each user sends, by the way in which it does."""
	with connected():
		return {way: way(credentials.make_user(user_of(way))) for way in credentials.WAYS}


def user_of(way: Callable) -> str:
	return f"{way.__name__}@example.com"


@pytest.fixture
def program(headers, configured, servers, browser, request) -> Iterator["Program"]:
	configured.configure(read_replica=full_form(servers, methods=RULES, shipped_methods=0))
	# A process that is new to this configuration learns where its servers are.
	assert browser.call(UNDECORATED) in REPLICAS
	program = Program(headers[request.param], user_of(request.param))
	yield program
	program.close()


class Program(Browser):
	"""It keeps no cookies: each request has but its header."""

	def __init__(self, headers: dict[str, str], user: str = ""):
		super().__init__(SITE)
		self.user = user
		self._headers = headers

	def request(self, path: str, method: str = "GET", **options):
		options["headers"] = self._headers | (options.get("headers") or {})
		if self._client is not None:
			self._client.delete_cookie("sid", domain=SITE)
		return super().request(path, method, **options)


each_way = pytest.mark.parametrize(
	"program", credentials.WAYS, ids=[way.__name__ for way in credentials.WAYS], indirect=True
)


def tally(name: str) -> RequestTally | None:
	router = site._known[SITE].router
	router.share_counts()
	return router.host.shared.load_requests().get(name)


@each_way
def test_a_method_that_a_rule_names_is_read_on_a_replica_as_is_a_list(program):
	assert program.call("frappe.auth.get_logged_user") == program.user
	assert program.call(UNDECORATED) in REPLICAS
	listed = program.request(LIST)
	assert listed.status_code == 200 and "X-Read-Replica" in listed.headers
	assert program.call("sample_app.api.undecorated_that_calls_core")[0] == 1, "no rule names this one"


@each_way
def test_the_request_is_counted_as_one_of_a_user(program):
	tally(UNDECORATED)
	site._known[SITE].router.host.shared.forget_requests()
	assert program.call(UNDECORATED) in REPLICAS
	counted = tally(UNDECORATED)
	assert (counted.calls, counted.replica_statements, counted.writes) == (1, 1, 0)
	stranger = Program({"Authorization": "token no:body"})
	assert stranger.ask(UNDECORATED).status_code >= 400
	stranger.close()
	assert tally(UNDECORATED).calls == 1


@each_way
def test_the_user_is_shown_what_they_have_written_and_another_one_need_not_be(program, browser, servers):
	with standing_still(servers):
		name = program.call("frappe.client.insert", doc={"doctype": "ToDo", "description": "7"})["name"]
		found, (server, _) = program.call(EXISTS, name=name)
		assert (found, server) == ("7", 1)
		assert name in program.request(LIST, query_string={"limit_page_length": 0}).text
		assert browser.call(UNDECORATED) in REPLICAS


def test_whom_another_apps_hook_authenticates_after_ours_is_shown_what_they_have_written(
	configured, servers, browser
):
	configured.configure(read_replica=full_form(servers, methods=RULES, shipped_methods=0))
	assert browser.call(UNDECORATED) in REPLICAS
	program = Program({"Authorization": f"Bearer sample:{CLERK}"})
	try:
		with standing_still(servers):
			assert program.call("frappe.auth.get_logged_user") == CLERK
			name = program.call("frappe.client.insert", doc={"doctype": "ToDo", "description": "7"})["name"]
			assert program.call(EXISTS, name=name)[0] == "7"
	finally:
		program.close()
