# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The forms of the configuration, each on the real site and its real replicas."""

import json

import frappe
import pytest

from read_replica import read_only
from read_replica.config import keys, settings, source, where_keys_stand
from read_replica.engine.errors import ConfigurationError
from read_replica.engine.settings import Endpoint
from read_replica.site import router_of_site, routing_of_site
from support.bench import SITE

from ..conftest import REPLICAS, connected, full_form, server_id


@read_only
def report() -> int:
	return server_id()


@read_only
def who_and_where() -> tuple:
	return frappe.db.sql("select substring_index(user(), '@', 1), database(), @@server_id")[0]


@pytest.fixture
def only_keys(configured):
	"""Sets the keys that are given and no other key of a replica."""

	def configure(**keys) -> None:
		configured.configure(**{"read_replica": None} | keys)

	return configure


@pytest.fixture
def reader(servers, configured):
	"""A user of another name and password, who may read the site's tables."""
	name = configured.config()["db_name"]
	servers.primary.query("CREATE OR REPLACE USER 'reader'@'%' IDENTIFIED BY 'r3ader'")
	servers.primary.query(f"GRANT SELECT ON `{name}`.* TO 'reader'@'%'")
	servers.catch_up()
	return {"user": "reader", "password": "r3ader"}


def test_the_original_keys_reach_the_replica(servers, only_keys):
	replica = servers.replicas[0]
	only_keys(use_slave_for_read_only=1, slave_host=f"127.0.0.1:{replica.port}")
	with connected():
		assert [report() for _ in range(3)] == [2, 2, 2]


def test_the_original_keys_with_another_user_read_the_sites_database(servers, only_keys, reader):
	only_keys(
		use_slave_for_read_only=1,
		slave_host=f"127.0.0.1:{servers.replicas[1].port}",
		slave_db_name=reader["user"],
		slave_db_password=reader["password"],
	)
	with connected():
		assert who_and_where() == ("reader", frappe.conf.db_name, 3)


def test_the_original_keys_without_a_port_mean_the_default_port(only_keys):
	only_keys(use_slave_for_read_only=1, slave_host="127.0.0.1")
	with connected():
		[replica] = router_of_site().replicas
		assert replica.endpoint == Endpoint(name="127.0.0.1", host="127.0.0.1", port=3306)


def test_core_s_keys_reach_the_replica(servers, only_keys):
	replica = servers.replicas[1]
	only_keys(read_from_replica=1, replica_host="127.0.0.1", replica_db_port=replica.port)
	with connected():
		assert [report() for _ in range(3)] == [3, 3, 3]


@pytest.mark.parametrize("key", ["replica_db_name", "replica_db_user"])
def test_core_s_keys_with_different_credentials_read_the_sites_database(servers, only_keys, reader, key):
	keys = {
		"read_from_replica": 1,
		"replica_host": "127.0.0.1",
		"replica_db_port": servers.replicas[0].port,
		"different_credentials_for_replica": 1,
		key: reader["user"],
		"replica_db_password": reader["password"],
	}
	only_keys(**keys)
	with connected():
		assert who_and_where() == ("reader", frappe.conf.db_name, 2)


def test_a_missing_port_is_not_the_primarys(only_keys):
	"""Core's bug G: with the primary's port, a replica on its machine would be the primary itself."""
	only_keys(read_from_replica=1, replica_host="127.0.0.1")
	with connected():
		assert router_of_site().replicas[0].endpoint.port == 3306


def test_replicas_of_the_full_form_are_balanced_by_weight_and_found_by_pool(configured, servers):
	first, second = full_form(servers)["replicas"]
	configured.configure(read_replica={"replicas": [first | {"weight": 3}, second]})
	with connected():
		answers = [report() for _ in range(200)]
	assert 120 < answers.count(2) < 180

	configured.configure(read_replica={"replicas": [first, second | {"pool": "reports"}]})

	@read_only(pool="reports")
	def pooled():
		return server_id()

	with connected():
		assert {pooled() for _ in range(10)} == {3}
		assert {report() for _ in range(10)} == {2}


def test_the_full_form_takes_a_user_for_each_replica(configured, servers, reader):
	first, second = full_form(servers)["replicas"]
	configured.configure(read_replica={"replicas": [first | reader, second | {"pool": "reserve"}]})
	with connected():
		assert who_and_where() == ("reader", frappe.conf.db_name, 2)


def test_a_changed_configuration_is_taken_up_by_the_next_request(configured, servers):
	first, second = full_form(servers)["replicas"]
	for row, server in ((first, 2), (second, 3), (first, 2)):
		configured.configure(read_replica={"replicas": [row]})
		with connected():
			assert report() == server


def test_a_running_web_process_takes_up_a_changed_file_with_its_next_request(browser, configured, servers):
	"""v16 keeps the configuration in the process for a minute; nobody tells it here."""
	method = "sample_app.api.decorated_as_eventual"
	assert {browser.call(method) for _ in range(20)} == {replica.server_id for replica in servers.replicas}
	keys = configured.config()
	for replica in servers.replicas:
		keys["read_replica"]["replicas"] = [{"host": replica.host, "port": replica.port}]
		(configured.path / SITE / "site_config.json").write_text(json.dumps(keys))
		assert {browser.call(method) for _ in range(5)} == {replica.server_id}
	if source.CONFIG_IS_CACHED:
		(configured.path / SITE / "site_config.json").write_text('{"half": ')
		assert browser.call(method) in REPLICAS, "a file that is being written stops nobody"
	keys["read_replica"]["enabled"] = 0
	(configured.path / SITE / "site_config.json").write_text(json.dumps(keys))
	assert browser.call(method) == 1


def test_the_sites_tls_settings_are_used_for_replicas(configured, servers):
	configured.configure(
		db_ssl_ca=servers.tls["ca"], db_ssl_cert=servers.tls["cert"], db_ssl_key=servers.tls["key"]
	)
	with connected():
		assert cipher()


def test_tls_can_be_set_and_switched_off_per_replica(configured, servers):
	first, second = full_form(servers)["replicas"]
	configured.configure(read_replica={"replicas": [first | {"tls": {"ca": servers.tls["ca"]}}]})
	with connected():
		assert cipher()
	configured.configure(
		db_ssl_ca=servers.tls["ca"],
		db_ssl_cert=servers.tls["cert"],
		db_ssl_key=servers.tls["key"],
		read_replica={"replicas": [second | {"tls": False}]},
	)
	with connected():
		assert not cipher()


@read_only(on_unavailable="error")
def cipher() -> str:
	return frappe.db.sql("show session status like 'Ssl_cipher'")[0][1]


WRONG = {
	"read_replica": "yes",
	"read_replica.replicas": {"replicas": "10.0.0.2"},
	"read_replica.replicas[0]": {"replicas": ["10.0.0.2"]},
	"read_replica.replicas[0].host": {"replicas": [{"name": "replica01"}]},
	"read_replica.replicas[0].port": {"replicas": [{"host": "h", "port": 99999}]},
	"read_replica.replicas[0].weight": {"replicas": [{"host": "h", "weight": 0}]},
	"read_replica.replicas[0].pool": {"replicas": [{"host": "h", "pool": ""}]},
	"read_replica.replicas[0].tls": {"replicas": [{"host": "h", "tls": "yes"}]},
	"read_replica.replicas[0].tls.ca": {"replicas": [{"host": "h", "tls": {}}]},
	"read_replica.replicas[0].hots": {"replicas": [{"hots": "h"}]},
	"read_replica.replicas[1].name": {"replicas": [{"host": "h"}, {"host": "h"}]},
	"read_replica.max_lag": {"replicas": [{"host": "h"}], "max_lag": -1},
	"read_replica.consistency": {"replicas": [{"host": "h"}], "consistency": "strict"},
	"read_replica.timeout": {"replicas": [{"host": "h"}], "timeout": 0},
	"read_replica.on_unavailable": {"replicas": [{"host": "h"}], "on_unavailable": "fail"},
	"read_replica.on_write": {"replicas": [{"host": "h"}], "on_write": "replica"},
	"read_replica.connections_per_replica": {"replicas": [{"host": "h"}], "connections_per_replica": 1.5},
	"read_replica.connect_timeout": {"replicas": [{"host": "h"}], "connect_timeout": "1s"},
	"read_replica.enabled": {"enabled": "no"},
	"read_replica.max_lagg": {"max_lagg": 5},
	"read_replica.metrics_token": {"metrics_token": "too short"},
}


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_value_is_named_with_its_key_and_the_fix(key):
	with pytest.raises(ConfigurationError) as raised:
		settings.settings_from({"db_name": "d", "read_replica": WRONG[key]})
	assert raised.value.key == key
	message = str(raised.value)
	assert message.startswith(f"{key}: ") and message.count(". ") >= 1


@pytest.mark.parametrize(
	("key", "conf"),
	[
		("slave_host", {"use_slave_for_read_only": 1}),
		("slave_host", {"use_slave_for_read_only": 1, "slave_host": "db:port"}),
		("slave_db_password", {"use_slave_for_read_only": 1, "slave_host": "h", "slave_db_name": "u"}),
		("use_slave_for_read_only", {"use_slave_for_read_only": "always", "slave_host": "h"}),
		("replica_host", {"read_from_replica": 1}),
		("replica_db_port", {"read_from_replica": 1, "replica_host": "h", "replica_db_port": "x"}),
		(
			"replica_db_name",
			{"read_from_replica": 1, "replica_host": "h", "different_credentials_for_replica": 1},
		),
		("read_from_replica", {"read_from_replica": "on", "replica_host": "h"}),
	],
)
def test_a_wrong_value_of_the_older_keys_is_named_as_well(key, conf):
	with pytest.raises(ConfigurationError) as raised:
		settings.settings_from(conf)
	assert raised.value.key == key


REPLICA = {"host": "h", "user": "ro", "password": "s3cret"}
ADDRESS = "mysql://ro:s3cret@h"


# What people may write, in forms that are not those of this app.
@pytest.mark.parametrize(
	"wrong",
	[
		[REPLICA],
		json.dumps(REPLICA),
		{"replicas": REPLICA},
		{"replicas": {"replica01": REPLICA}},
		{"replicas": ADDRESS},
		{"replicas": [ADDRESS]},
		{"replicas": ["ro:s3cret@h"]},
		{"replicas": [["h", "ro", "s3cret"]]},
		{"replicas": [{"host": ADDRESS}]},
		{"replicas": [{"host": "ro:s3cret@h"}]},
		{"replicas": [{"host": REPLICA}]},
		{"replicas": [{"host": [REPLICA]}]},
		{"replicas": [{"host": "h", "password": ["s3cret"]}]},
		{"replicas": [{"host": "h", "name": REPLICA}]},
		{"replicas": [{"host": "h", "tls": REPLICA | {"ca": ""}}]},
		{"replicas": [{"host": "h", "tls": ADDRESS}]},
		{"pools": [REPLICA]},
		{"pools": {"reports": [REPLICA]}},
		{"log_doctypes": REPLICA},
		{"silenced_checks": [REPLICA]},
		{"metrics_token": "s3cret"},
	],
	ids=repr,
)
def test_a_password_never_stands_in_an_error_nor_where_keys_are_shown(wrong):
	conf = {"read_replica": wrong if "pools" not in wrong else wrong | {"replicas": [{"host": "h"}]}}
	with pytest.raises(ConfigurationError) as raised:
		settings.settings_from(conf)
	assert "s3cret" not in str(raised.value)
	shown = where_keys_stand._keys_of("read_replica", conf["read_replica"], "site_config.json")
	in_its_place = isinstance(wrong, dict) and not {"pools", "log_doctypes", "silenced_checks"} & wrong.keys()
	assert not in_its_place or "s3cret" not in str(shown)


@pytest.mark.parametrize(
	"conf",
	[
		{"use_slave_for_read_only": 1, "slave_host": ADDRESS},
		{"use_slave_for_read_only": 1, "slave_host": "ro:s3cret@h"},
		{"read_from_replica": 1, "replica_host": ADDRESS},
		{"read_from_replica": 1, "replica_host": REPLICA},
	],
	ids=repr,
)
def test_nor_in_an_error_of_the_older_keys(conf):
	with pytest.raises(ConfigurationError) as raised:
		settings.settings_from(conf)
	assert "s3cret" not in str(raised.value)


def test_names_and_passwords_are_known_wherever_they_stand():
	for replicas in ([REPLICA], REPLICA, {"replica01": REPLICA}, [[REPLICA]]):
		assert keys.names_and_passwords({"read_replica": {"replicas": replicas}}) == {"ro", "s3cret"}


def test_the_site_runs_on_its_primary_while_the_configuration_is_wrong_and_status_says_why(
	configured, servers
):
	configured.configure(read_replica=full_form(servers, on_write="replica"))
	with connected():
		assert report() == 1
		assert routing_of_site().problem.startswith("read_replica.on_write: ")
	status = configured.bench("--site", SITE, "read-replica", "status")
	assert "read_replica.on_write: " in status and "primary" in status


def test_status_shows_each_replica_as_it_answers(configured, servers):
	status = configured.bench("--site", SITE, "read-replica", "status")
	for replica in servers.replicas:
		assert f"127.0.0.1:{replica.port}" in status
	assert status.count(" ms behind") == 2
	servers.replicas[0].kill()
	try:
		assert "down: " in configured.bench("--site", SITE, "read-replica", "status")
	finally:
		servers.replicas[0].start()


def test_status_counts_calls_by_server_and_reason(configured):
	with connected():
		for _ in range(5):
			report()
	status = configured.bench("--site", SITE, "read-replica", "status")
	assert any("replica01" in line and "replica" in line for line in status.splitlines())


def test_the_docs_name_every_key_and_its_default():
	from dataclasses import asdict
	from pathlib import Path

	text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
	for key in (*settings.KNOWN_KEYS, *settings.REPLICA_KEYS):
		assert f"`{key}`" in text, f"docs/configuration.md does not explain {key}"
	defaults = {key: value for key, value in asdict(settings.DEFAULTS).items() if value is not None}
	for key, value in defaults.items():
		assert f"| `{key}` | `{json.dumps(value)}` |" in text
