# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The doctor's command looks at the servers of the site as it is configured, and ends with a status for programs."""

import json
import socket

import frappe
from frappe.utils import get_bench_path, now
from frappe.utils.password import get_encryption_key

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


def test_each_server_notes_itself_and_is_compared_with_what_the_others_have_noted(configured):
	with connected():
		# Made when it is first asked for.
		key = get_encryption_key()
	found = findings(configured, "--tag", "servers")
	assert [one for one in found.values() if one["status"] not in ("ok", "skipped")] == []
	with connected():
		[(name, host, bench, facts)] = frappe.db.sql("select name, host, bench, facts from `tabServer Note`")
		assert (host, bench) == (socket.gethostname(), get_bench_path())
		known = json.loads(facts)
		assert known.keys() >= {
			"redis_cache",
			"database",
			"bench_id",
			"apps",
			"encryption_key",
			"site_config",
		}
		assert key not in facts and configured.config()["db_password"] not in facts
		assert abs(known["seconds_ahead"]) < 2 and known["apps"]["frappe"] == frappe.__version__
		there = {"name": "other", "facts": json.dumps(known | {"redis_cache": "another"}), "here": name}
		frappe.db.sql(
			"insert into `tabServer Note` (name, creation, modified, host, bench, noted_at, facts)"
			" select %(name)s, creation, modified, 'app2', bench, noted_at, %(facts)s from `tabServer Note`"
			" where name = %(here)s",
			there,
		)
		frappe.db.commit()
	try:
		found = findings(configured, "--tag", "servers")
		assert [name for name, one in found.items() if one["status"] == "fail"] == ["same-redis-cache"], found
		assert "app2" in found["same-redis-cache"]["seen"]
	finally:
		_delete("Server Note", "name = 'other'")
	with connected():
		assert frappe.db.count("Server Note") == 1


def _delete(doctype: str, condition: str) -> None:
	with connected():
		frappe.db.sql(f"delete from `tab{doctype}` where {condition}")
		frappe.db.commit()


def test_files_that_are_not_on_this_server_are_named(configured):
	uploaded = (
		("rr-here", "/private/files/rr-here.txt", None),
		("rr-gone", "/files/rr-gone.txt", None),
		("rr-report", "/private/files/rr-report.json.gz", "Prepared Report"),
	)
	(configured.path / SITE / "private" / "files" / "rr-here.txt").write_text("here")
	with connected():
		for name, url, belongs_to in uploaded:
			frappe.db.sql(
				"insert into `tabFile` (name, creation, modified, file_url, is_folder, attached_to_doctype)"
				" values (%s, %s - interval 1 hour, %s, %s, 0, %s)",
				(name, now(), now(), url, belongs_to),
			)
		frappe.db.commit()
	try:
		found = findings(configured, "files-are-here", "prepared-reports-are-here")
		assert found["files-are-here"]["seen"] == "not on this server: /files/rr-gone.txt"
		assert (
			found["prepared-reports-are-here"]["seen"]
			== "not on this server: /private/files/rr-report.json.gz"
		)
	finally:
		_delete("File", "name like 'rr-%%'")
		(configured.path / SITE / "private" / "files" / "rr-here.txt").unlink()


def test_it_works_with_a_replica_and_redis_down(configured, servers):
	# Not those of the other tests: one that is restarted counts as another Redis for a while.
	before = configured.common()
	configured.configure_common(redis_cache="redis://127.0.0.1:1", redis_queue="redis://127.0.0.1:1")
	servers.replicas[0].stop()
	try:
		found = findings(configured)
	finally:
		servers.replicas[0].start()
		configured.write_common(**before)
		# The command has noted that it works without a Redis.
		_delete("Cache Redis", "true")
	assert {found[name]["status"] for name in ("database-reachable", "redis-reachable")} == {"fail"}
	assert found["same-redis-cache"]["status"] == "skipped" and found["binlog-format"]["status"] == "warn"


def test_with_the_primary_down_it_says_so_and_looks_at_the_rest(configured, servers):
	servers.primary.stop()
	try:
		found = findings(configured)
	finally:
		servers.primary.start()
	assert "primary" in found["database-reachable"]["seen"]
	assert found["redis-reachable"]["status"] == "ok" and found["read-only"]["status"] != "fail"
