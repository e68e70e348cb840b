# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The desk shows what is refused as HTML: what somebody has called a thing is text in it, whatever it is."""

import html
import json
from collections.abc import Callable

import frappe
import pytest

from read_replica import api
from read_replica.deploy import site_connection
from read_replica.jobs import enqueue, rule_checks, run_now
from read_replica.policy import clicks, desk
from read_replica.watch import monitor

from ..conftest import full_form, in_another_worker

NAME = "<img src=x>"


def refusal(ask: Callable[[], object]) -> str:
	"""What a German user is shown when something is refused."""

	def as_german() -> None:
		frappe.local.lang = "de"
		ask()

	with pytest.raises(frappe.ValidationError) as raised:
		in_another_worker(as_german)
	return str(raised.value)


def save(doctype: str, **values: object) -> None:
	if doctype == "Read Replica Settings":
		frappe.get_doc(doctype).update(values).save()
	else:
		frappe.new_doc(doctype).update(values).insert()


REFUSED = {
	"a job for Routed Method": lambda: clicks.set_rules([f"job:{NAME}"], "replica"),
	"a place": lambda: clicks.set_rules(["a.b"], NAME),
	"no suggestion": lambda: clicks.take([NAME]),
	"no name of a rule": lambda: desk.put_rule(f"{NAME}(", "replica"),
	"a rule's need": lambda: save("Routed Method", method="a.b", reads="Replica", consistency=NAME),
	"a job's need": lambda: save("Scheduler Config", job="a.b", server_id="second", consistency=NAME),
	"the site's need": lambda: save("Read Replica Settings", consistency=NAME),
	"a job": lambda: rule_checks.check_job(NAME),
	"a server": lambda: rule_checks.check_server_id(NAME),
	"a server to enqueue for": lambda: enqueue.enqueue("frappe.ping", server_id=NAME),
	"a replica whose statement is to end": lambda: monitor.end_statement(NAME, 1),
	"a replica to test": lambda: site_connection.try_replica(NAME),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_name_that_is_refused_is_text_in_what_the_desk_shows(configured, what):
	shown = refusal(REFUSED[what])
	assert "&lt;img src" in shown and "<img" not in shown and "&amp;" not in shown


@pytest.mark.parametrize("ask", [api.examine_servers, lambda: api.test_connection("replica01")])
def test_a_wrong_configuration_is_refused_in_the_users_language_and_as_text(configured, servers, ask):
	configured.configure(read_replica=full_form(servers, on_write=NAME))
	shown = refusal(ask)
	assert "<img" not in shown and "&amp;" not in shown
	assert f"muss eines von 'primary', 'error' sein, nicht '{NAME}'" in html.unescape(shown)


def test_a_wrong_word_in_the_settings_is_told_in_the_users_language(configured):
	shown = html.unescape(refusal(lambda: save("Read Replica Settings", consistency="Never")))
	assert "consistency ist 'Never', keines von Eventual, Session, Strong" in shown


def test_where_a_job_runs_is_told_as_text(site):
	frappe.clear_messages()
	run_now._tell(f"{NAME} läuft")
	[message] = frappe.local.message_log
	shown = json.loads(message) if isinstance(message, str) else message
	assert shown["message"] == "&lt;img src=x&gt; läuft"
