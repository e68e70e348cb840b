# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Who may see and change what this app has: by the desk's requests, by REST and by each whitelisted method."""

import importlib
import inspect
import json
import pkgutil

import frappe
import pytest

import read_replica
from read_replica.watch.viewers import VIEWER
from support.bench import SITE
from support.browser import Browser

from ..conftest import CLERK, connected, in_another_worker

PASSWORD = "L00ks-but-touches-nothing"
STRANGER, LOOKER = "stranger@example.com", "looker@example.com"
SECRET = "of-system-managers"
HAS_V2 = int(frappe.__version__.split(".")[0]) >= 15
SWITCH = "apply_perm_level_on_api_calls"

# What a viewer sees, with the columns that only System Managers do.
SHOWN = {
	"Job Server": ("host", "bench", "problems"),
	"Job Takeover": (),
	"Job Worker": ("host", "bench", "pid"),
	"Read Replica Outage": (),
	"Read Replica Settings": (),
	"Routed Method": (),
	"Scheduled Run": ("host", "begun_by", "last_error"),
	"Scheduler Config": (),
}
ROW = "of-the-test"


@pytest.fixture(scope="module")
def people(sites):
	"""Two users of the desk: one with a role of another app, and one who may look at this app."""
	with connected():
		if not frappe.db.exists("Role", "Gardener"):
			frappe.get_doc({"doctype": "Role", "role_name": "Gardener", "desk_access": 1}).insert()
		for user, role in ((STRANGER, "Gardener"), (LOOKER, VIEWER)):
			doc = {"doctype": "User", "email": user, "first_name": user, "send_welcome_email": 0}
			if frappe.db.exists("User", user):
				continue
			user = frappe.get_doc(doc | {"roles": [{"role": role}]}).insert()
			assert user.user_type == "System User"
			user.new_password = PASSWORD
			user.save()
		make_rows()
		frappe.db.commit()
	yield
	with connected():
		for doctype in of_this_app():
			if not frappe.get_meta(doctype).issingle:
				frappe.db.delete(doctype, {"name": ROW})
		frappe.db.commit()


def make_rows() -> None:
	"""A row of each doctype, with something in each column."""
	for doctype in of_this_app():
		meta = frappe.get_meta(doctype)
		if meta.issingle or meta.get("is_virtual"):
			continue
		doc = frappe.new_doc(doctype)
		doc.name = ROW
		for field in meta.fields:
			if field.fieldtype in ("Data", "Small Text", "Autocomplete", "Code"):
				doc.set(field.fieldname, SECRET if field.permlevel else "x")
		doc.db_insert()


def of_this_app() -> list[str]:
	return frappe.get_all("DocType", {"module": "Read Replica", "istable": 0}, pluck="name", order_by="name")


@pytest.fixture
def stranger(people, configured):
	yield from browser_of(STRANGER)


@pytest.fixture
def looker(people, configured):
	yield from browser_of(LOOKER)


def browser_of(user: str):
	browser = Browser(SITE)
	browser.log_in(user, PASSWORD)
	yield browser
	browser.close()


# Whitelisted methods


def whitelisted() -> list:
	"""The functions that this app lets the desk call, also those that no module of this process has imported."""
	for module in pkgutil.walk_packages(read_replica.__path__, "read_replica."):
		# Core's own runner imports test files.
		if not module.name.rpartition(".")[2].startswith("test_"):
			importlib.import_module(module.name)
	return sorted(
		(function for function in frappe.whitelisted if function.__module__.startswith("read_replica.")),
		key=path_of,
	)


def path_of(function) -> str:
	return f"{function.__module__}.{function.__qualname__}"


def call(browser: Browser, function):
	"""Call a function with some value for each argument that it needs."""
	methods = frappe.allowed_http_methods_for_whitelisted_func[function]
	arguments = {
		parameter.name: "x"
		for parameter in inspect.signature(function).parameters.values()
		if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
	}
	path = f"/api/method/{path_of(function)}"
	if "GET" in methods:
		return browser.request(path, "GET", query_string=arguments)
	return browser.request(path, "POST", json=arguments)


def test_who_has_no_role_of_this_app_may_call_none_of_its_methods(stranger):
	functions = whitelisted()
	assert len(functions) > 5
	for function in functions:
		answer = call(stranger, function)
		# The metrics ask for a token, whoever the user is; this site has none.
		expected = 404 if function.__name__ == "metrics" else 403
		assert answer.status_code == expected, f"{path_of(function)}: {answer.status_code} {answer.text}"


def test_a_guest_may_call_none_either(people, configured):
	guest = Browser(SITE)
	for function in whitelisted():
		assert call(guest, function).status_code in (403, 404), path_of(function)
	guest.close()


def test_a_viewer_may_call_no_method_that_changes_something(looker):
	changing = [
		function
		for function in whitelisted()
		if "GET" not in frappe.allowed_http_methods_for_whitelisted_func[function]
	]
	assert {function.__name__ for function in changing} >= {"set_methods", "set_reports", "clear_writers"}
	for function in changing:
		answer = call(looker, function)
		assert answer.status_code == 403, f"{path_of(function)}: {answer.status_code} {answer.text}"


def test_what_changes_something_is_asked_for_by_post(stranger, looker):
	named_as_if = ("set_", "clear_", "undo_", "take_", "kill_", "delete_", "write_")
	for function in whitelisted():
		if function.__name__.startswith(named_as_if):
			assert frappe.allowed_http_methods_for_whitelisted_func[function] == ["POST"], path_of(function)


# Doctypes


def reads(browser: Browser, doctype: str) -> dict:
	"""The answers to all ways of reading the rows of a doctype, by their names."""
	single = in_another_worker(lambda: frappe.get_meta(doctype).issingle)
	name = doctype if single else ROW
	answers = {
		"client.get": browser.ask("frappe.client.get", doctype=doctype, name=name),
		"getdoc": browser.ask("frappe.desk.form.load.getdoc", doctype=doctype, name=name),
		"v1 document": browser.request(f"/api/resource/{doctype}/{name}"),
	}
	if HAS_V2:
		answers["v2 document"] = browser.request(f"/api/v2/document/{doctype}/{name}/")
	if single:
		return answers
	fields, filters = json.dumps(["*"]), json.dumps({"name": ROW})
	asked = {"doctype": doctype, "fields": fields, "filters": filters}
	query = {"fields": fields, "filters": filters}
	answers |= {
		"client.get_list": browser.ask("frappe.client.get_list", **asked),
		"reportview.get": browser.ask("frappe.desk.reportview.get", **asked),
		"reportview.get_list": browser.ask("frappe.desk.reportview.get_list", **asked),
		"v1 list": browser.request(f"/api/resource/{doctype}", query_string=query),
	}
	if HAS_V2:
		answers["v2 list"] = browser.request(f"/api/v2/document/{doctype}", query_string=query)
	return answers


def changes(browser: Browser, doctype: str) -> dict:
	"""The answers to all ways of changing the rows of a doctype."""
	single, field = in_another_worker(kind_and_field, doctype)
	name = doctype if single else ROW
	path, new = f"/api/resource/{doctype}", {"doctype": doctype, "job": "a", "server_id": "b", "method": "c"}
	answers = {
		"v1 PUT": browser.request(f"{path}/{name}", "PUT", json={field: "1"}),
		"v1 DELETE": browser.request(f"{path}/{name}", "DELETE"),
		"client.set_value": browser.ask(
			"frappe.client.set_value", doctype=doctype, name=name, fieldname=field, value="1"
		),
		"client.delete": browser.ask("frappe.client.delete", doctype=doctype, name=name),
		"savedocs": browser.ask(
			"frappe.desk.form.save.savedocs",
			doc=json.dumps(new | {"__islocal": 1, "name": "new-1"}),
			action="Save",
		),
	}
	if not single:
		answers["v1 POST"] = browser.request(path, "POST", json=new)
		answers["client.insert"] = browser.ask("frappe.client.insert", doc=new)
	if HAS_V2:
		v2 = f"/api/v2/document/{doctype}/{name}/"
		answers["v2 PATCH"] = browser.request(v2, "PATCH", json={field: "1"})
		answers["v2 DELETE"] = browser.request(v2, "DELETE")
	return answers


def kind_and_field(doctype: str) -> tuple[bool, str]:
	"""Whether it is a single, and a field that is there to be changed."""
	meta = frappe.get_meta(doctype)
	return meta.issingle, next(
		field.fieldname for field in meta.fields if field.fieldtype in ("Data", "Autocomplete", "Check")
	)


def test_who_has_no_role_of_this_app_may_read_none_of_its_rows(stranger):
	for doctype in in_another_worker(of_this_app):
		for way, answer in reads(stranger, doctype).items():
			assert answer.status_code == 403, f"{doctype} by {way}: {answer.status_code} {answer.text[:500]}"
			assert SECRET not in answer.text


def test_a_viewer_may_read_what_is_meant_for_them_without_hosts_and_errors(looker):
	in_another_worker(keep_columns, 1)
	doctypes = in_another_worker(of_this_app)
	assert set(SHOWN) <= set(doctypes)
	for doctype in doctypes:
		for way, answer in reads(looker, doctype).items():
			status = 200 if doctype in SHOWN else 403
			assert answer.status_code == status, (
				f"{doctype} by {way}: {answer.status_code} {answer.text[:500]}"
			)
			assert SECRET not in answer.text, f"{doctype} by {way}"
			if status == 200:
				assert doctype == "Read Replica Settings" or ROW in answer.text, f"{doctype} by {way}"


def test_a_viewer_gets_no_rows_where_frappe_would_show_all_columns(looker):
	in_another_worker(keep_columns, 0)
	for doctype, hidden in SHOWN.items():
		for way, answer in reads(looker, doctype).items():
			assert SECRET not in answer.text, f"{doctype} by {way}"
			if not hidden:
				assert answer.status_code == 200, f"{doctype} by {way}"
	in_another_worker(keep_columns, 1)


def keep_columns(switch: int) -> None:
	# v15 and later have no such switch.
	if frappe.get_meta("System Settings").has_field(SWITCH):
		frappe.db.set_single_value("System Settings", SWITCH, switch)
		frappe.db.commit()
		frappe.clear_cache()


def test_a_system_manager_may_read_all_columns(browser, people):
	for doctype, hidden in SHOWN.items():
		if hidden:
			for way, answer in reads(browser, doctype).items():
				assert answer.status_code == 200 and SECRET in answer.text, f"{doctype} by {way}"


def test_neither_may_change_a_row(stranger, looker):
	before = in_another_worker(all_rows)
	for user in (stranger, looker):
		for doctype in in_another_worker(of_this_app):
			for way, answer in changes(user, doctype).items():
				assert answer.status_code == 403, (
					f"{doctype} by {way}: {answer.status_code} {answer.text[:500]}"
				)
	assert in_another_worker(all_rows) == before


def all_rows() -> dict:
	rows = {
		doctype: frappe.db.sql(f"select * from `tab{doctype}` where name = %s", ROW)
		for doctype in of_this_app()
		if not frappe.get_meta(doctype).issingle
	}
	return rows | {"Singles": frappe.db.sql("select * from tabSingles where doctype like 'Read Replica%%'")}


def test_the_columns_with_hosts_and_errors_are_those_of_system_managers(people):
	"""Whoever adds a column with a host or an error to what viewers see has to think of its permission level."""
	with connected():
		for doctype, hidden in SHOWN.items():
			fields = frappe.get_meta(doctype).fields
			assert {field.fieldname for field in fields if field.permlevel} == set(hidden)
			suspicious = ("host", "address", "user", "password", "error", "problems", "begun_by")
			shown = [field.fieldname for field in fields if not field.permlevel]
			assert not [name for name in shown if any(word in name for word in suspicious)]


def test_the_role_is_made_for_the_desk_and_the_clerk_is_told_of_it(people):
	with connected():
		role = frappe.get_doc("Role", VIEWER)
		assert role.desk_access and not role.disabled
		assert VIEWER not in frappe.get_roles(CLERK)
