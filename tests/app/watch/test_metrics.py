# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What Prometheus reads, and who may read it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from read_replica.database.host import shared_of_site

from ..conftest import as_after_an_hour, full_form, in_another_worker, until

PATH = "/api/method/read_replica.api.metrics"
TOKEN = "a-secret-of-the-tests"
METHOD = "sample_app.api.decorated"
REPLICAS = ("replica01", "replica02")
LABELS = ("server", "reason", "method", "replica", "pool")


@pytest.fixture
def scraped(browser, configured, servers):
	"""Reads the metrics with the right token: the samples' values by name and labels."""
	configured.configure(read_replica=full_form(servers, metrics_token=TOKEN))
	in_another_worker(lambda: (shared_of_site().forget(), as_after_an_hour()))

	def scrape() -> dict:
		response = browser.request(PATH, headers={"Authorization": f"Bearer {TOKEN}"})
		assert response.status_code == 200, response.text
		assert response.headers["Content-Type"].startswith("text/plain; version=")
		families = text_string_to_metric_families(response.text)
		samples = (sample for family in families for sample in family.samples)
		return {
			(s.name, *(s.labels[label] for label in LABELS if label in s.labels)): s.value for s in samples
		}

	return scrape


def calls_of(samples: dict, name: str, reason: str, method: str = METHOD) -> dict:
	return {key[1]: value for key, value in samples.items() if key[0] == name and key[2:] == (reason, method)}


def test_prometheus_reads_calls_seconds_lag_and_state_of_each_replica(browser, scraped):
	for _ in range(5):
		browser.call(METHOD)
	until(lambda: sum(calls_of(scraped(), "read_replica_calls_total", "replica").values()) == 5)
	samples = scraped()
	seconds = calls_of(samples, "read_replica_call_seconds_total", "replica")
	assert set(seconds) <= set(REPLICAS) and all(0 < value < 10 for value in seconds.values())
	assert samples["read_replica_routing",] == 1
	for replica in REPLICAS:
		assert samples["read_replica_up", replica, "default"] == 1
		assert 0 <= samples["read_replica_lag_seconds", replica, "default"] < 5


def test_prometheus_reads_what_the_primary_answered_and_why(browser, scraped):
	browser.call("sample_app.api.writes_a_todo", description="caught")
	browser.call("sample_app.api.writes_a_todo", description="kept on the primary")
	method = "sample_app.api.writes_a_todo"
	until(lambda: calls_of(scraped(), "read_replica_calls_total", "writer", method) == {"primary": 1})
	samples = scraped()
	assert calls_of(samples, "read_replica_calls_total", "wrote", method) == {"primary": 1}
	assert calls_of(samples, "read_replica_call_seconds_total", "writer", method)["primary"] > 0
	assert samples["read_replica_writers",] == 1


def test_prometheus_reads_how_many_statements_each_server_has_answered(browser, scraped):
	name = "read_replica_statements_total"
	before = scraped()
	for _ in range(5):
		browser.call(METHOD)
		browser.call("sample_app.api.undecorated")

	def more() -> dict[str, float]:
		samples = scraped()
		return {key[1]: value - before.get(key, 0) for key, value in samples.items() if key[0] == name}

	until(lambda: sum(more()[replica] for replica in REPLICAS if replica in more()) == 5)
	until(lambda: more().get("primary", 0) >= 5)


@pytest.mark.parametrize(
	"headers",
	[{}, {"Authorization": "Bearer another-secret-of-theirs"}, {"Authorization": f"Basic {TOKEN}"}],
	ids=["no token", "another token", "another scheme"],
)
def test_without_the_right_token_nobody_reads_anything_also_when_logged_in(browser, scraped, headers):
	response = browser.request(PATH, headers=headers)
	assert response.status_code == 401
	assert "Authorization: Bearer TOKEN" in response.text and "read_replica_" not in response.text


def test_without_a_token_in_the_configuration_there_are_no_metrics(browser, configured):
	response = browser.request(PATH, headers={"Authorization": f"Bearer {TOKEN}"})
	assert response.status_code == 404
	assert "read_replica.metrics_token" in response.text


def test_other_requests_keep_their_authorization(browser, scraped):
	response = browser.request(
		"/api/method/sample_app.api.decorated", headers={"Authorization": "token nobody:nothing"}
	)
	assert response.status_code in (401, 403)
