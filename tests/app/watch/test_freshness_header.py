# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What strangers are told of a site's servers: nothing; and others no address."""

import frappe
import pytest
from frappe.core.doctype.user.user import generate_keys

from read_replica.engine.settings import Endpoint
from read_replica.watch.freshness_header import HEADER, public_names
from support.bench import SITE
from support.browser import Browser

from ..conftest import connected, full_form

PASSWORD = "Str4nger-than-fiction"


@pytest.fixture(scope="module")
def users(sites):
	"""A website user and a desk user who is no System Manager."""
	with connected():
		made = {}
		for user_type, roles in (("Website User", []), ("System User", ["Blogger"])):
			email = f"{user_type.split()[0].lower()}@example.com"
			user = {"doctype": "User", "email": email, "first_name": "X", "send_welcome_email": 0}
			if not frappe.db.exists("User", email):
				if roles and not frappe.db.exists("Role", roles[0]):
					frappe.get_doc({"doctype": "Role", "role_name": roles[0], "desk_access": 1}).insert()
				doc = frappe.get_doc(user | {"roles": [{"role": role} for role in roles]}).insert()
				assert doc.user_type == user_type
				doc.new_password = PASSWORD
				doc.save()
			made[user_type] = email
		frappe.db.commit()
	return made


@pytest.fixture
def told(configured):
	"""The header that a visitor's, a user's or an API client's request for public data gets."""
	open_browsers = []

	def ask(user=None, method="sample_app.api.for_everybody", headers=None):
		browser = Browser(SITE)
		open_browsers.append(browser)
		if user:
			browser.log_in(user, PASSWORD)
		response = browser.ask(method, headers=headers)
		assert response.status_code == 200 and response.json["message"] in (2, 3), response.text
		return response.headers.get(HEADER)

	yield ask
	for browser in open_browsers:
		browser.close()


def token_of(user: str) -> dict:
	with connected():
		frappe.set_user("Administrator")
		secret = generate_keys(user)["api_secret"]
		key = frappe.db.get_value("User", user, "api_key")
		frappe.db.commit()
	return {"Authorization": f"token {key}:{secret}"}


def test_guests_and_website_users_get_no_header(told, users):
	assert told() is None
	assert told(users["Website User"]) is None
	assert told(headers=token_of(users["Website User"])) is None


def test_neither_do_they_where_the_handler_goes_on_as_administrator(told, users):
	method = "sample_app.api.for_everybody_as_administrator"
	assert told(method=method) is None
	assert told(users["Website User"], method=method) is None
	assert told(method=method, headers=token_of(users["Website User"])) is None


def test_a_desk_user_is_told_the_name_and_the_time_and_a_system_manager_the_position_too(
	told, users, browser
):
	for header in (told(users["System User"]), told(headers=token_of(users["System User"]))):
		assert header.startswith("server=replica0") and "; as_of=20" in header
		assert "position" not in header and "0-1-" not in header
	assert "; position=0-1-" in browser.ask("sample_app.api.for_everybody").headers[HEADER]


def test_nobody_is_told_an_address_where_replicas_have_no_name(browser, configured, servers):
	rows = [{key: row[key] for key in ("host", "port")} for row in full_form(servers)["replicas"]]
	configured.configure(read_replica={"replicas": rows[1:]})
	header = browser.ask("sample_app.api.for_everybody").headers[HEADER]
	assert header.startswith("server=replica1; ") and "127.0.0.1" not in header
	first = rows[0]
	configured.configure(
		read_replica=None, use_slave_for_read_only=1, slave_host=f"{first['host']}:{first['port']}"
	)
	header = browser.ask("sample_app.api.for_everybody").headers[HEADER]
	assert header.startswith("server=replica1; ") and "127.0.0.1" not in header


def test_a_name_that_is_an_address_is_told_by_its_place_in_the_list():
	names = ["db-a", "10.0.0.3", "10.0.0.4:3307", "db2.internal", "fe80::1"]
	hosts = ["10.0.0.2", "db3.internal", "10.0.0.4", "db2.internal", "fe80::2"]
	replicas = tuple(Endpoint(name, host) for name, host in zip(names, hosts, strict=True))
	assert list(public_names(replicas).values()) == ["db-a", "replica2", "replica3", "replica4", "replica5"]


def test_an_error_that_a_visitor_sees_names_no_replica(configured, servers):
	rows = [row | {"port": 1} for row in full_form(servers)["replicas"]]
	configured.configure(read_replica={"replicas": rows})
	visitor = Browser(SITE)
	response = visitor.ask("sample_app.api.for_everybody_on_replicas_only")
	visitor.close()
	assert response.status_code == 503
	assert "replica01" not in response.text and "127.0.0.1" not in response.text


def test_the_roles_of_a_user_are_asked_of_the_database_once_and_not_with_each_request(browser):
	from read_replica import lifecycle

	browser.ask("sample_app.api.for_everybody")
	asked = []
	counted = lifecycle.add_header

	def add_header(*args):
		sql = frappe.db.sql
		frappe.db.sql = lambda query, *rest, **more: (asked.append(query), sql(query, *rest, **more))[1]
		try:
			counted(*args)
		finally:
			frappe.db.sql = sql

	lifecycle.add_header = add_header
	try:
		assert HEADER in browser.ask("sample_app.api.for_everybody").headers
	finally:
		lifecycle.add_header = counted
	assert asked == []


def test_a_user_whose_roles_cannot_be_told_gets_the_answer_without_the_header(browser, monkeypatch):
	def broken(*args):
		raise RuntimeError("no roles now")

	monkeypatch.setattr("read_replica.watch.freshness_header.frappe.get_roles", broken)
	response = browser.ask("sample_app.api.for_everybody")
	monkeypatch.undo()
	assert response.status_code == 200 and HEADER not in response.headers
