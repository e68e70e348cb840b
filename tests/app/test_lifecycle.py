# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Install, migrate, uninstall and install again, with bench's own commands, on a site of its own."""

import frappe
import pytest

from read_replica import site
from read_replica.core import core_keys
from read_replica.engine.reasons import Reason
from read_replica.engine.shared.request_counts import RequestTally
from read_replica.watch.freshness_header import HEADER
from support.bench import ADMIN_PASSWORD
from support.browser import Browser
from support.waiting import until

from .conftest import full_form, in_another_worker, server_id

OTHER = "other.test"
ORIGINAL_KEYS = {
	"use_slave_for_read_only": 1,
	"slave_host": "127.0.0.1:{port}",
	"slave_db_name": "reader",
	"slave_db_password": "r3ader",
}


@pytest.fixture(scope="module")
def other(sites, servers):
	"""A site of the same bench without this app, with the original keys."""
	sites.new_site(OTHER)
	keys = dict(ORIGINAL_KEYS, slave_host=f"127.0.0.1:{servers.replicas[0].port}")
	sites.configure(OTHER, **keys)
	return sites


# As they stand in tables, fields and names of hooks: of this app, and of its doctypes.
OF_THIS_APP = "read.replica|scheduler.config|routed.method|scheduled.run|job.server|job.worker|job.takeover|cache.redis|user.position"


def mentions() -> dict[str, int]:
	"""The rows of each table of the site that speak of this app, but for core's own diaries."""
	columns: dict[str, list[str]] = {}
	rows = frappe.db.sql(
		"""select table_name, column_name from information_schema.columns
		where table_schema = database() and data_type in ('varchar', 'text', 'longtext', 'mediumtext')"""
	)
	for table, column in rows:
		columns.setdefault(table, []).append(f"`{column}` regexp '{OF_THIS_APP}'")
	diaries = (
		"tabDeleted Document",
		"tabVersion",
		"tabError Log",
		"tabScheduled Job Log",
		"tabActivity Log",
		"tabPermission Log",
	)
	found = {}
	for table in columns.keys() - set(diaries):
		if count := frappe.db.sql(f"select count(*) from `{table}` where {' or '.join(columns[table])}")[0][
			0
		]:
			found[table] = count
	return found


def tables() -> set[str]:
	return {row[0] for row in frappe.db.sql("show tables")}


def at_other(function):
	return in_another_worker(function, site=OTHER)


def redis_keys() -> list[bytes]:
	return [key for key in frappe.cache().execute_command("KEYS", "*") if key.startswith(b"read_replica|")]


def test_commands_for_a_site_without_the_app_say_that_it_is_missing(other):
	for command in ("status", "jobs", "servers"):
		for options in ((), ("--json",)):
			result = other.run("--site", OTHER, "read-replica", command, *options)
			assert (result.returncode, result.stdout) == (1, "")
			assert f"Install it: bench --site {OTHER} install-app read_replica" in result.stderr
			assert "Traceback" not in result.stderr


def test_install_migrate_uninstall_and_install_again_leave_nothing_behind(other, servers):
	before = {"config": other.config(OTHER), "tables": at_other(tables), "mentions": at_other(mentions)}

	for _ in range(2):
		output = other.bench("--site", OTHER, "install-app", "read_replica")
		assert "read_replica: added" in output and "replica_host" in output
		config = other.config(OTHER)
		assert config["replica_host"] == "127.0.0.1"
		assert config["replica_db_port"] == servers.replicas[0].port
		assert at_other(lambda: frappe.db.table_exists("Scheduler Config", cached=False))
		assert at_other(mentions) != before["mentions"]

		dry = other.bench(
			"--site", OTHER, "uninstall-app", "read_replica", "--yes", "--no-backup", "--dry-run"
		)
		assert "read_replica" in dry or "Scheduler Config" in dry
		assert other.config(OTHER) == config

		at_other(leave_traces)
		other.bench("--site", OTHER, "uninstall-app", "read_replica", "--yes", "--no-backup")
		assert {
			"config": other.config(OTHER),
			"tables": at_other(tables),
			"mentions": at_other(mentions),
		} == before
		assert at_other(lambda: [key for key in keys_of_other() if not expires(key)]) == []


def leave_traces() -> None:
	"""What a site in use leaves: a writer, counts, rules, the note of a scheduler, and what people have made of it."""
	from frappe.core.doctype.log_settings.log_settings import run_log_clean_up
	from frappe.custom.doctype.custom_field.custom_field import create_custom_field
	from frappe.permissions import add_permission

	from read_replica.database.host import shared_of_site
	from read_replica.jobs import servers

	shared_of_site().add_writer("some.method", 2_000_000_000)
	shared_of_site().add_counts({("primary", "writer", "some.method"): (1, 0.0)})
	frappe.get_doc({"doctype": "Scheduler Config", "job": "some.method", "server_id": "secondary"}).insert()
	servers.note([], {"secondary"})
	frappe.get_doc(
		{"doctype": "Routed Method", "method": "frappe.client.get_list", "subject": "ToDo"}
	).insert()
	report = frappe.get_all("Report", pluck="name", limit=1)[0]
	row = frappe.get_doc({"doctype": "Routed Method", "report": report, "pool": "reports"}).insert()
	row.pool = ""
	row.save()
	frappe.get_doc("Read Replica Settings").save()
	shared_of_site().add_counts({}, {"some.method": RequestTally(calls=1)}, {"primary": 1, "replica01": 1})
	give_up_a_run_and_tell()
	create_custom_field("Routed Method", {"fieldname": "asked_by", "fieldtype": "Data", "label": "Asked By"})
	add_permission("Routed Method", "Website Manager")
	frappe.make_property_setter(
		{"doctype": "Routed Method", "fieldname": "pool", "property": "reqd", "value": "0"}
	)
	frappe.model.utils.user_settings.save("Routed Method", '{"last_view": "List"}')
	frappe.model.utils.user_settings.sync_user_settings()
	run_log_clean_up()
	frappe.db.commit()


def give_up_a_run_and_tell() -> None:
	"""A notice by desk and by mail, and a user who may look."""
	from read_replica.watch import notices
	from read_replica.watch.viewers import VIEWER

	frappe.db.sql(
		"insert into `tabScheduled Run` (name, job, job_type, attempts, claimed_at)"
		" values ('of-the-test', 'some.method', 'some.method', 3, utc_timestamp(6))"
	)
	notices.tell()
	assert frappe.db.exists("Notification Log", {"document_type": "Read Replica Outage"})
	mail = {"doctype": "Email Queue", "reference_doctype": "Read Replica Outage", "message": "x"}
	frappe.get_doc(mail | {"recipients": [{"recipient": "a@example.com"}]}).db_insert()
	frappe.get_doc("User", "Administrator").append("roles", {"role": VIEWER}).db_insert()


def test_a_site_goes_on_after_an_uninstall_in_a_process_that_has_routed_for_it(other, servers):
	before = other.config(OTHER)
	other.bench("--site", OTHER, "install-app", "read_replica")
	other.configure(OTHER, read_replica=full_form(servers))
	servers.catch_up()
	browser = Browser(OTHER)
	browser.log_in("Administrator", ADMIN_PASSWORD)
	listed = {"doctype": "ToDo", "fields": ["name"]}
	until(lambda: HEADER in browser.ask("frappe.client.get_list", **listed).headers)
	router = site._known[OTHER].router
	other.bench("--site", OTHER, "uninstall-app", "read_replica", "--yes", "--no-backup")
	try:
		# What this process had not told yet, as it was asked until the last moment.
		router.metrics.count("primary", Reason.RULE, "some.method")
		router.requests.note("some.method", 0.1, {"primary": 1})
		router.share_counts()
		saved = browser.request("/api/resource/ToDo", "POST", json={"description": "afterwards"})
		assert saved.status_code == 200, saved.text
		answer = browser.ask("frappe.client.get_list", **listed)
		assert answer.status_code == 200 and HEADER not in answer.headers
		assert saved.json["data"]["name"] in answer.text
		for path in ("/api/resource/Routed Method", "/api/method/read_replica.api.metrics"):
			assert browser.request(path).status_code >= 400
		assert at_other(hooks_of_this_app) == []
		# Its watchdog hears within two seconds that it is over.
		until(lambda: not router._watchdog._thread.is_alive())
		assert at_other(lambda: [key for key in keys_of_other() if not expires(key)]) == []
	finally:
		browser.close()
		router.stop()
		other.write_config(before, OTHER)


def hooks_of_this_app() -> list[str]:
	return [name for name, hooks in frappe.get_hooks().items() if "read_replica." in str(hooks)]


def keys_of_other() -> list[bytes]:
	return [key for key in redis_keys() if frappe.conf.db_name.encode() in key]


def expires(key: bytes) -> bool:
	"""Whether a key is gone in some minutes, as a process leaves it that still runs."""
	return 0 < frappe.cache().execute_command("TTL", key) <= 120


def test_after_an_uninstall_core_behaves_as_before(other, configured, servers):
	"""Also in a process that has routed for another site, and has core's functions replaced."""
	from read_replica.core import patching

	in_another_worker(server_id)
	assert patching._replaced, "this process has routed, so core's functions are replaced in it"
	other.configure(
		OTHER, read_from_replica=1, replica_host="127.0.0.1", replica_db_port=servers.replicas[1].port
	)
	try:

		@frappe.read_only()
		def report():
			return server_id()

		def twice():
			assert not site.is_installed()
			frappe.cache().set_value("of_the_test", "stored")
			return report(), report(), server_id(), frappe.cache().get_value("of_the_test")

		def as_core():
			# What a request of a site without the app does: none of this app's hooks run.
			frappe.init(site=OTHER, sites_path=".")
			frappe.connect()
			try:
				return twice()
			finally:
				frappe.destroy()

		# Core's own behaviour, its bug A included: the second call does not reach the replica.
		assert in_a_thread(as_core) == (3, 1, 1, "stored")
	finally:
		other.configure(OTHER, read_from_replica=None, replica_host=None, replica_db_port=None)


def in_a_thread(function):
	from concurrent.futures import ThreadPoolExecutor

	with ThreadPoolExecutor(1) as worker:
		return worker.submit(function).result(timeout=60)


def test_a_migrate_adds_core_s_keys_once_and_keeps_the_old_ones(sites, servers):
	before = sites.config()
	keys = dict(ORIGINAL_KEYS, slave_host=f"127.0.0.1:{servers.replicas[0].port}")
	sites.configure(**keys)
	try:
		output = sites.bench("--site", "routed.test", "migrate", timeout=600)
		assert "read_replica: added" in output
		first = sites.config()
		assert {key: first[key] for key in keys} == keys
		assert first["read_from_replica"] == 1
		assert first["different_credentials_for_replica"] == 1
		assert (first["replica_db_user"], first["replica_db_password"]) == ("reader", "r3ader")
		# The database where core does not take it for the user.
		is_user = not core_keys.core_has_user_key()
		assert first["replica_db_name"] == ("reader" if is_user else first["db_name"])
		again = sites.bench(
			"--site", "routed.test", "execute", "read_replica.patches.v0_1.add_core_keys.execute"
		)
		assert "read_replica: added" not in again
		assert sites.config() == first
	finally:
		sites.write_config(before)


def test_keys_that_were_added_wrongly_are_right_after_the_next_migrate(sites):
	before = sites.config()
	wrong = {"replica_db_name": "reader", "replica_db_user": "reader", "replica_host": "127.0.0.1"}
	sites.configure(**wrong, read_replica_added_keys=sorted(wrong))
	patch = ("--site", "routed.test", "execute", "read_replica.patches.v0_1.add_core_keys.execute")
	try:
		said = sites.bench(*patch)
		mended = sites.config()
		if core_keys.core_has_user_key():
			assert "corrected replica_db_name" in said
			assert (mended["replica_db_name"], mended["replica_db_user"]) == (before["db_name"], "reader")
		else:
			assert (mended["replica_db_name"], mended["replica_db_user"]) == ("reader", "reader")
		sites.bench(*patch)
		assert sites.config() == mended
	finally:
		sites.write_config(before)


def test_a_core_is_known_by_what_it_takes_for_the_user_whether_it_is_replaced_or_not(sites, servers):
	conf = {"db_name": "_db", "replica_db_name": "u", "replica_db_user": "u"}
	added = ["replica_db_name", "replica_db_user"]
	assert core_keys.corrected_keys_for(conf, added, has_user_key=True) == {"replica_db_name": "_db"}
	assert core_keys.corrected_keys_for(conf | {"replica_db_name": "_db"}, added, False) == {
		"replica_db_name": "u"
	}
	assert core_keys.corrected_keys_for(conf | {"replica_db_name": "mine"}, added, True) == {}
	assert core_keys.corrected_keys_for(conf, [], True) == {}


def test_status_says_what_to_write_for_others_that_read_core_s_keys(configured, servers):
	first = servers.replicas[0]
	status = ("--site", "routed.test", "read-replica", "status")
	said = " ".join(configured.bench(*status).split())
	name = configured.config()["db_name"]
	keys = f'"read_from_replica": 1, "replica_host": "{first.host}", "replica_db_port": {first.port}'
	assert f'{keys}, "replica_db_name": "{name}"' in said
	configured.configure(replica_host=first.host, replica_db_port=first.port, replica_db_name=name)
	assert "Insights" not in configured.bench(*status)


@pytest.mark.parametrize(
	"conf",
	[
		{},
		{"use_slave_for_read_only": 0, "slave_host": "h"},
		{"use_slave_for_read_only": 1},
		{"use_slave_for_read_only": 1, "slave_host": "h:port"},
		{"use_slave_for_read_only": 1, "slave_host": "h", "replica_host": "other"},
		{"use_slave_for_read_only": 1, "slave_host": "h", "read_from_replica": 0},
		{"use_slave_for_read_only": 1, "slave_host": "h", "read_replica": {"replicas": []}},
	],
)
def test_a_site_that_has_newer_keys_or_no_usable_ones_gets_none(conf):
	assert core_keys.keys_for(conf, has_user_key=True) == {}
	assert core_keys.keys_for(conf, has_user_key=False) == {}


def test_the_app_s_own_tests_run_with_bench(sites):
	output = sites.bench("--site", "routed.test", "run-tests", "--app", "read_replica", timeout=300)
	assert "OK" in output and "Ran 5 tests" in output
