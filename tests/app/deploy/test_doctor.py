# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The doctor's command looks at the servers of the site as it is configured, and ends with a status for programs."""

import json

from read_replica.deploy import site_checks
from read_replica.watch import status
from support.bench import SITE

from ..conftest import connected, full_form


def doctor(sites, *options: str) -> tuple[int, str, str]:
	result = sites.run("--site", SITE, "read-replica", "doctor", *options)
	return result.returncode, result.stdout, result.stderr


def findings(sites, *options: str) -> dict[str, dict]:
	_, said, error = doctor(sites, "--json", *options)
	assert said, error
	return {one["id"]: one for one in json.loads(said)["findings"]}


def test_it_looks_at_each_replica_of_the_site_and_says_what_mends_what_is_wrong(configured, servers):
	found = findings(configured)
	for name in ("database-reachable", "replication-running", "read-only", "schema", "gtid"):
		assert found[name]["status"] == "ok", found[name]
	# The servers of these tests are set up for speed.
	assert found["binlog-format"]["status"] == "warn"
	status, said, _ = doctor(configured, "binlog-format", "replica-user")
	assert status == 1
	assert "WARN" in said and "SET GLOBAL binlog_format='ROW'" in said and "replica-user --run" in said
	assert doctor(configured, "binlog-format", "--fail-level", "fail")[0] == 0
	servers.replicas[0].query("SET GLOBAL read_only = 0")
	try:
		status, said, _ = doctor(configured, "read-only", "--fail-level", "fail")
	finally:
		servers.replicas[0].query("SET GLOBAL read_only = 1")
	assert status == 2 and "read_only is off on replica01" in said


def test_it_looks_at_the_redis_servers_of_the_site(configured):
	found = findings(configured, "--tag", "redis")
	assert {one["status"] for name, one in found.items() if name != "redis-cache-and-queue-apart"} == {"ok"}
	assert "redis-keeps-jobs" in found and "replication-running" not in found


def test_what_status_says_of_the_site_is_found_under_the_id_of_its_check(configured, servers):
	with connected():
		assert status.findings().keys() == {check.id for check in site_checks.CHECKS}
	configured.configure(read_replica=full_form(servers, methods={"a.b": "elsewhere"}))
	found = findings(configured, "--tag", "site")
	assert not [one for one in found.values() if one["status"] == "unknown"]
	assert found["read-rules"]["status"] == "warn" and "elsewhere" in found["read-rules"]["seen"]
	with connected():
		said = [sentence for find in status.findings().values() for sentence in find()]
	assert all(
		any(sentence in one["seen"] for one in found.values()) for sentence in said if "a.b" in sentence
	)
	assert findings(configured, "read-rules").keys() == {"read-rules"}


def test_what_is_silenced_is_left_out_and_named_and_a_wrong_name_is_refused(configured, servers):
	configured.configure(read_replica=full_form(servers, silenced_checks=["binlog-format"]))
	assert "binlog-format" not in findings(configured)
	assert "Silenced in site_config.json: binlog-format" in doctor(configured)[1]
	status, _, error = doctor(configured, "no-such-check")
	assert status == 1 and "no check no-such-check" in error and "Traceback" not in error
	assert "replication-running" in doctor(configured, "--list")[1]


def test_a_wrong_configuration_is_said_in_a_sentence(configured):
	configured.configure(read_replica={"replicas": "replica01"})
	status, _, error = doctor(configured)
	assert status == 1 and "read_replica.replicas" in error and "Traceback" not in error


def test_no_password_is_shown(configured):
	password = configured.config()["db_password"]
	for options in ((), ("--json",)):
		assert password not in "".join(map(str, doctor(configured, *options)))
