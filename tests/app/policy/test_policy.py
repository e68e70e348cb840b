# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Rules send whole requests to a replica, or keep them on the primary: real requests by each way that Frappe knows."""

import json
from collections.abc import Callable, Iterator

import frappe
import pytest
from frappe.core.doctype.user.user import generate_keys

from read_replica.core.whitelist import opens_a_scope_itself
from read_replica.database.host import shared_of_site
from read_replica.engine.settings import Need
from read_replica.policy import called, rules, sources
from read_replica.policy.rule_set import MethodRule, RuleSet
from read_replica.watch.freshness_header import HEADER
from support.bench import SITE
from support.browser import Browser
from support.frappe_request import connected
from support.trouble import standing_still
from support.waiting import until

from ..conftest import CLERK, REPLICAS, full_form, in_another_worker

UNDECORATED = "sample_app.api.undecorated"
LIST = "frappe.client.get_list"
VERSION = int(frappe.__version__.split(".")[0])


@pytest.fixture
def configure(configured, servers) -> Iterator[Callable]:
	"""Sets the rules of site_config.json, and rows of Routed Method; those that were there are gone afterwards."""

	def configure(methods: dict | None = None, rows: list[dict] = (), **changes) -> None:
		configured.configure(read_replica=full_form(servers, methods=methods or {}, **changes))
		in_another_worker(insert, rows)
		servers.catch_up()

	yield configure
	in_another_worker(delete_rows)


def insert(rows: list[dict]) -> None:
	delete_rows()
	for row in rows:
		frappe.get_doc({"doctype": "Routed Method"} | row).insert()
	frappe.db.commit()
	rules._of_process.clear()


def delete_rows() -> None:
	for name in frappe.get_all("Routed Method", {"source": ("!=", "Shipped")}, pluck="name"):
		frappe.delete_doc("Routed Method", name)
	frappe.db.commit()
	rules._of_process.clear()


def replicas_of(response) -> bool:
	assert response.status_code == 200, response.text
	return HEADER in response.headers


def test_a_method_that_a_rule_names_is_answered_by_a_replica_and_another_one_is_not(configure, browser):
	configure()
	assert browser.call(UNDECORATED) == 1
	configure({UNDECORATED: "replica"})
	assert browser.call(UNDECORATED) in REPLICAS
	assert browser.call("sample_app.api.several_calls")[-1] == 1
	configure({"sample_app.api.und*": {"where": "replica", "max_lag": 60}})
	assert browser.call(UNDECORATED) in REPLICAS


PATHS = {
	f"/api/method/{UNDECORATED}": {},
	"/api/method/frappe.ping": {"query_string": {"cmd": UNDECORATED}},
	"/": {"query_string": {"cmd": UNDECORATED}},
	"/app": {"method": "POST", "data": {"cmd": UNDECORATED}},
} | ({f"/api/v1/method/{UNDECORATED}": {}, f"/api/v2/method/{UNDECORATED}": {}} if VERSION > 14 else {})


@pytest.mark.parametrize("path", PATHS)
def test_a_method_is_known_by_its_path_and_by_cmd(configure, browser, path):
	configure({UNDECORATED: "replica"})
	answer = browser.request(path, **PATHS[path])
	assert replicas_of(answer)
	assert answer.json.get("message", answer.json.get("data")) in REPLICAS


LISTS = ["/api/resource/ToDo", *(("/api/v1/resource/ToDo", "/api/v2/document/ToDo") if VERSION > 14 else ())]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_of_rest_is_read_on_a_replica_by_the_shipped_list_and_by_its_doctype(configure, browser, path):
	configure(shipped_methods=1)
	assert replicas_of(browser.request(path))
	configure(shipped_methods=0)
	assert not replicas_of(browser.request(path))
	configure({"/api/*(ToDo)": "replica"}, shipped_methods=0)
	assert replicas_of(browser.request(path))
	assert not replicas_of(browser.request(path.replace("ToDo", "Note")))


def test_who_sends_an_api_key_is_known_when_the_scope_is_opened(configure, servers, browser):
	configure({UNDECORATED: "replica", "sample_app.api.todo_exists": "replica"})
	with connected():
		frappe.set_user("Administrator")
		secret = generate_keys(CLERK)["api_secret"]
		token = {"Authorization": f"token {frappe.db.get_value('User', CLERK, 'api_key')}:{secret}"}
		frappe.db.commit()
	# So that this process knows where the primary was before the replicas stopped.
	assert browser.call(UNDECORATED) in REPLICAS
	client = Browser(SITE)
	doc = {"doctype": "ToDo", "description": "of the clerk"}
	with standing_still(servers):
		name = client.call("frappe.client.insert", token, doc=doc)["name"]
		# Each is shown what the same user has written: the clerk needs the primary, the other one a replica.
		seen = client.ask("sample_app.api.todo_exists", token, name=name)
		assert seen.json["message"] and not replicas_of(seen)
		assert replicas_of(browser.ask(UNDECORATED))
	client.close()


def test_the_row_counts_before_the_file_and_the_file_before_an_apps_hook_and_the_shipped_list(
	configure, browser
):
	hooked = "sample_app.api.named_by_the_hook"
	configure(shipped_methods=1)
	assert browser.call(hooked) in REPLICAS
	configure({hooked: "default", LIST: "default"}, shipped_methods=1)
	assert browser.call(hooked) == 1
	if VERSION < 16:
		# v16's is decorated by core, which "default" leaves as it is.
		assert not replicas_of(browser.ask(LIST, doctype="ToDo"))
	configure({hooked: "default", LIST: "primary"}, rows=[{"method": hooked}], shipped_methods=1)
	assert browser.call(hooked) in REPLICAS
	assert not replicas_of(browser.ask(LIST, doctype="ToDo"))


def test_a_rule_with_a_subject_is_for_that_subject_alone(configure, browser):
	rows = [
		{"method": LIST, "subject": "ToDo", "reads": "Primary"},
		{"method": LIST, "subject": "N*", "reads": "Replica"},
	]
	configure(rows=rows, shipped_methods=0)
	assert not replicas_of(browser.ask(LIST, doctype="ToDo"))
	assert replicas_of(browser.ask(LIST, doctype="Note"))


def test_a_rule_keeps_a_method_that_core_decorates_on_the_primary_and_all_that_a_method_calls(
	configure, browser
):
	inner = "sample_app.api.undecorated_that_calls_core"
	configure()
	first, second, third = browser.call(inner)
	assert (first, third) == (1, 1) and second in REPLICAS
	configure({inner: "primary", "sample_app.api.decorated*": "primary"})
	assert browser.call(inner) == [1, 1, 1]
	assert browser.call("sample_app.api.decorated_by_core") == 1
	assert browser.call("sample_app.api.decorated") == 1
	configure({inner: "replica"})
	assert set(browser.call(inner)) <= set(REPLICAS)


def test_a_decorated_method_gets_what_its_rule_asks_for_without_a_scope_around_it(
	configure, browser, servers
):
	# No replica is so new, so the primary answers: the rule was taken.
	nowhere = {"where": "replica", "max_lag": 0, "consistency": "eventual"}
	names = ("sample_app.api.decorated_by_core", "sample_app.api.decorated")
	configure(dict.fromkeys(names, nowhere) | {"sample_app.api.several_calls": "default"})
	with connected():
		for name in names:
			need = rules.need_of(rules_router(), name)
			assert (need.max_lag, need.consistency) == (0, "eventual")
			assert not rules.rules_of(rules_router()).needs_a_scope(name)


def rules_router():
	from read_replica.site import router_of_site

	return router_of_site()


def test_a_report_follows_its_row_wherever_it_is_run(configure, configured):
	configure(rows=[{"report": "Permitted Documents For User", "pool": "reports", "timeout": 7}])
	with connected():
		router = rules_router()
		for function in ("run", "generate_report_result", "export_query"):
			name = f"frappe.desk.query_report.{function}(Permitted Documents For User)"
			assert rules.need_of(router, name) == Need(pool="reports", timeout=7)
			assert rules.need_of(router, f"frappe.desk.query_report.{function}(Another)") == Need()


def test_what_is_never_routed_is_refused_in_the_desk_and_stays_where_it_is(configure, browser):
	form = "frappe.desk.form.load.getdoc"
	configure({"frappe.desk.form.*": "replica"})
	name = browser.call("frappe.client.insert", doc={"doctype": "ToDo", "description": "seen"})["name"]
	assert not replicas_of(browser.ask(form, doctype="ToDo", name=name))
	with connected(), pytest.raises(frappe.ValidationError, match="cannot be read on a replica"):
		frappe.get_doc({"doctype": "Routed Method", "method": form}).insert()


def test_a_method_that_writes_goes_on_on_the_primary_and_stays_there_alone(configure, browser):
	writer = "sample_app.api.writes_undecorated"
	configure({writer: "replica", UNDECORATED: "replica"})
	before, after = browser.call(writer, description="through a rule")
	assert before in REPLICAS and after == 1
	assert in_another_worker(lambda: writer in shared_of_site().load_writers())
	assert browser.call(writer, description="again") == [1, 1]
	assert browser.call(UNDECORATED) in REPLICAS


def test_an_error_in_the_rules_fails_no_request(configure, browser, monkeypatch):
	configure({UNDECORATED: "replica"})

	def fail(*_):
		raise RuntimeError("of the test")

	monkeypatch.setattr(sources, "load", fail)
	rules._of_process.clear()
	assert browser.call(UNDECORATED) == 1
	assert browser.call("sample_app.api.decorated_by_core") in REPLICAS


def test_rules_that_are_wrong_are_told_and_the_others_count(configure, browser):
	configure(
		{UNDECORATED: "replica", "a.b": "nowhere", "c.d": {"where": "replica", "max_lag": -1}, "e.f": 3}
	)
	assert browser.call(UNDECORATED) in REPLICAS
	problems = "\n".join(in_another_worker(sources.problems))
	for part in ("'a.b'", "'c.d'", "'e.f'", "max_lag", "'sample_app.api.wrong_*'"):
		assert part in problems


def test_a_row_says_where_once_and_names_something(configured):
	with connected():
		for row, message in (
			({"method": " "}, "Name a method"),
			({"method": "a.b(c)"}, "field Subject"),
			({"method": "a.b", "max_lag": -1}, "max_lag|negative|Max Lag"),
		):
			with pytest.raises(frappe.ValidationError, match=message):
				frappe.get_doc({"doctype": "Routed Method"} | row).insert()
		frappe.get_doc({"doctype": "Routed Method", "method": "a.b"}).insert()
		with pytest.raises(frappe.ValidationError, match="already"):
			frappe.get_doc({"doctype": "Routed Method", "method": "a.b"}).insert()
		frappe.db.rollback()


def test_the_most_specific_of_many_rules_counts():
	names = ("a.b", "a.b(C)", "a.*", "a.b*(D)", "a.*(D)", "*")
	found = RuleSet(MethodRule(name, "replica", "desk") for name in names)
	for method, subject, expected in (
		("a.b", "C", "a.b(C)"),
		("a.b", "", "a.b"),
		("a.bb", "D", "a.b*(D)"),
		("a.c", "D", "a.*(D)"),
		("a.c", "E", "a.*"),
		("b", "", "*"),
	):
		assert found.rule_for(called.Called(method, subject)).name == expected
	assert RuleSet(()).rule_for(called.Called("a.b")) is None


def test_the_command_lists_the_rules_and_sets_one(configure, configured, browser):
	configure({"my_app.api.x(Item)": {"where": "primary", "max_lag": 3}}, shipped_methods=1)

	def listed() -> dict:
		text = configured.bench("--site", SITE, "read-replica", "methods", "--json")
		return {row["method"]: row for row in json.loads(text)["rules"]}

	rows = listed()
	assert rows["my_app.api.x(Item)"]["max_lag_seconds"] == 3
	assert rows[LIST]["rule_from"] == "shipped" and rows[LIST]["reason"]
	assert browser.call(UNDECORATED) == 1
	said = configured.bench("--site", SITE, "read-replica", "methods", "--set", UNDECORATED, "replica")
	assert f"{UNDECORATED}: replica" in said
	until(lambda: browser.call(UNDECORATED) in REPLICAS)
	assert listed()[UNDECORATED]["rule_from"] == "desk"
	configured.bench("--site", SITE, "read-replica", "methods", "--set", UNDECORATED, "default")
	assert listed()[UNDECORATED]["reads"] == "default"
	assert UNDECORATED in configured.bench("--site", SITE, "read-replica", "methods")


def test_a_name_that_is_no_function_leaves_nothing_in_the_response(configure, browser):
	nothing = (
		"/api/resource",
		"no_app.api.x",
		"frappe.no_module.x",
		"frappe.client.no_function",
		"a_script",
		"",
	)
	configure(dict.fromkeys(filter(None, nothing), "replica"))
	answer = browser.request("/api/resource/ToDo")
	assert replicas_of(answer) and set(answer.json) == {"data"}
	with connected():
		for name in nothing:
			assert not opens_a_scope_itself(name)
		assert not frappe.local.message_log and "exc_type" not in frappe.local.response
