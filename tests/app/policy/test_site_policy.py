# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Read Replica Settings switch routing off and on in every process, and fill what site_config.json leaves open."""

import time
from collections.abc import Callable, Iterator

import frappe
import pytest

from read_replica.config import where_keys_stand
from read_replica.engine.reasons import Reason
from read_replica.policy import rules
from read_replica.policy.rule_set import REPORTS
from read_replica.site import router_of_site
from read_replica.watch import desk_settings, status

from ..conftest import REPLICAS, full_form, in_another_worker, until

DECORATED = "sample_app.api.decorated_by_core"
SECONDS = 2
OPEN = {"paused": 0, "consistency": "", "max_lag": 0, "on_unavailable": "", "on_write": ""}


def save(values: dict) -> None:
	frappe.get_doc("Read Replica Settings").update(values).save()
	frappe.db.commit()


@pytest.fixture
def settings(configured) -> Iterator[Callable]:
	"""Saves values as in the form; afterwards all is open again."""

	def set_values(**values) -> None:
		in_another_worker(save, OPEN | values)

	yield set_values
	in_another_worker(save, OPEN)
	in_another_worker(rules._of_process.clear)


def given(name: str = DECORATED) -> tuple:
	"""What a call is given in this process now, as the engine completes it."""
	router = router_of_site()
	need = rules.need_of(router, name)
	complete = router._complete(need, 0)
	return complete.consistency, complete.max_lag, complete.on_unavailable, complete.on_write


def is_paused() -> bool:
	router = router_of_site()
	rules.rules_of(router)
	return router.paused


def test_the_switch_of_the_desk_stops_and_starts_reading_on_replicas_within_two_seconds(settings, browser):
	until(lambda: browser.call(DECORATED) in REPLICAS, 10)
	settings(paused=1)
	time.sleep(SECONDS)
	assert browser.call(DECORATED) == 1
	assert in_another_worker(lambda: router_of_site().metrics.of("primary", Reason.PAUSED)) >= 1
	assert in_another_worker(status.status).routing is False
	settings(paused=0)
	time.sleep(SECONDS)
	assert in_another_worker(status.status).routing is True
	# Unless both replicas are behind at that moment, as on a busy machine.
	until(lambda: browser.call(DECORATED) in REPLICAS, 10)


def test_what_the_desk_says_counts_where_nothing_else_is_said(settings):
	assert in_another_worker(given) == ("session", 30, "primary", "primary")
	settings(consistency="Eventual", max_lag=7, on_unavailable="Raise an Error", on_write="Raise an Error")
	time.sleep(SECONDS)
	assert in_another_worker(given) == ("eventual", 7, "error", "error")


def test_what_site_config_says_counts_before_what_the_desk_says(settings, configured, servers):
	settings(consistency="Eventual", max_lag=7)
	configured.configure(read_replica=full_form(servers, max_lag=20))
	time.sleep(SECONDS)
	assert in_another_worker(given)[:2] == ("eventual", 20)
	counts = in_another_worker(desk_settings.of_settings)["counts"]
	assert counts["max_lag"] == {"value": 20, "said_by": "site_config"}
	assert counts["consistency"] == {"value": "eventual", "said_by": "desk"}
	assert counts["on_write"] == {"value": "primary", "said_by": "default"}


def test_the_row_of_a_method_counts_before_what_the_desk_says_for_all(settings, configured, servers):
	settings(max_lag=7)
	methods = {REPORTS: {"where": "replica", "max_lag": 60}}
	configured.configure(read_replica=full_form(servers, methods=methods))
	time.sleep(SECONDS)
	assert in_another_worker(given, REPORTS)[1] == 60
	assert in_another_worker(given)[1] == 7


def test_what_cannot_be_is_refused_in_the_form_and_never_stops_a_request(settings, browser):
	with pytest.raises(frappe.ValidationError):
		in_another_worker(save, {"max_lag": -1})
	in_another_worker(spoil)
	time.sleep(SECONDS)
	until(lambda: browser.call(DECORATED) in REPLICAS, 10)
	assert in_another_worker(given)[1] == 30


def spoil() -> None:
	from read_replica.database import revision

	frappe.db.set_single_value("Read Replica Settings", "consistency", "Whatever")
	revision.change()
	frappe.db.commit()


def test_each_key_is_shown_with_its_file_and_without_its_secrets(configured, servers):
	replica = {"name": "replica01", "host": "10.0.0.2", "user": "reader", "password": "s3cret"}
	configured.configure(
		read_replica={"replicas": [replica], "metrics_token": "a-token-of-24-characters"},
		replica_db_password="an0ther",
	)
	found = {key.name: key for key in in_another_worker(where_keys_stand.keys)}
	assert found["read_replica.replicas"].file == "site_config.json"
	assert '"host": "10.0.0.2"' in found["read_replica.replicas"].value
	shown = repr(found)
	assert not any(secret in shown for secret in ("s3cret", "a-token", "an0ther"))
	assert not any(name.startswith(("db_", "redis_")) for name in found)
