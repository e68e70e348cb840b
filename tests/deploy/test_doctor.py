# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The doctor finds nothing on servers that are right, and of each thing that is broken it names that one and no other."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from pymysql.cursors import DictCursor

from read_replica.deploy import database_checks, doctor, replication_checks
from read_replica.deploy.accounts import Account
from read_replica.deploy.doctor import Check, Skipped, Trouble
from read_replica.deploy.facts import Databases
from read_replica.deploy.replica_user import create
from read_replica.deploy.servers import Login
from read_replica.watch.json_output import without_secrets
from support.docs import Page
from support.servers import ROOT_PASSWORD, Cluster, MariaDB

CHECKS = (*replication_checks.CHECKS, *database_checks.CHECKS)
READER = Account("reader", "127.0.0.1")
FROM = "'site'@'127.0.0.1'"


@pytest.fixture(scope="module")
def shop(servers: Cluster) -> Iterator[Cluster]:
	for statement in (
		"CREATE DATABASE IF NOT EXISTS shop",
		"CREATE TABLE shop.tabItem (name VARCHAR(140) PRIMARY KEY, qty INT)",
		f"CREATE USER {FROM} IDENTIFIED BY 'secret'",
		f"GRANT ALL ON shop.* TO {FROM}",
	):
		servers.primary.query(statement)
	create(login(servers.primary, "root", ROOT_PASSWORD), [READER], "secret", "shop")
	servers.catch_up()
	yield servers
	servers.primary.query("DROP DATABASE shop")
	servers.primary.query(f"DROP USER {FROM}, {READER}")
	servers.catch_up()


def login(server: MariaDB, user: str, password: str = "secret") -> Login:
	return Login(server.folder.name, server.host, server.port, user, password)


def databases(shop: Cluster) -> Databases:
	replicas = [login(replica, "reader") for replica in shop.replicas]
	return Databases(login(shop.primary, "site"), replicas, "shop", "site")


def wrong(known: Databases) -> dict[str, str]:
	"""What is not well, with its status."""
	return {one.id: one.status for one in doctor.run(CHECKS, known) if one.status not in ("ok", "skipped")}


def test_all_is_well_on_servers_that_are_as_they_should_be(shop):
	found = doctor.run(CHECKS, databases(shop))
	assert [(one.id, one.status, one.seen) for one in found if one.status != "ok"] == []
	assert len(found) == len(CHECKS) > 25


# What breaks each thing, and what mends it, on the primary (0) or the replica (1).
BROKEN: dict[str, tuple[int, list[str], list[str], str]] = {
	"replication-running": (1, ["STOP SLAVE"], ["START SLAVE"], "fail"),
	"gtid-strict-mode": (1, ["SET GLOBAL gtid_strict_mode=0"], ["SET GLOBAL gtid_strict_mode=1"], "warn"),
	"server-ids": (1, ["SET GLOBAL server_id=1"], ["SET GLOBAL server_id=2"], "fail"),
	"binlog-format": (0, ["SET GLOBAL binlog_format=MIXED"], ["SET GLOBAL binlog_format=ROW"], "warn"),
	"replication-filters": (
		1,
		["STOP SLAVE", "SET GLOBAL replicate_ignore_table='shop.x'", "START SLAVE"],
		["STOP SLAVE", "SET GLOBAL replicate_ignore_table=''", "START SLAVE"],
		"fail",
	),
	"read-only": (1, ["SET GLOBAL read_only=0"], ["SET GLOBAL read_only=1"], "fail"),
	"binlog-expiry": (
		0,
		["SET GLOBAL binlog_expire_logs_seconds=0"],
		["SET GLOBAL binlog_expire_logs_seconds=604800"],
		"warn",
	),
	"primary-keeps-commits": (0, ["SET GLOBAL sync_binlog=0"], ["SET GLOBAL sync_binlog=1"], "warn"),
	"equal-settings": (
		1,
		["SET GLOBAL collation_server=utf8mb4_bin"],
		["SET GLOBAL collation_server=utf8mb4_unicode_ci"],
		"warn",
	),
	"time-zones": (1, ["SET GLOBAL time_zone='+05:00'"], ["SET GLOBAL time_zone=SYSTEM"], "fail"),
	"schema": (
		1,
		["SET STATEMENT sql_log_bin=0 FOR ALTER TABLE shop.tabItem ADD COLUMN more INT"],
		["SET STATEMENT sql_log_bin=0 FOR ALTER TABLE shop.tabItem DROP COLUMN more"],
		"fail",
	),
	"tables-without-key": (0, ["CREATE TABLE shop.nokey (a INT)"], ["DROP TABLE shop.nokey"], "warn"),
	"functions-under-log-bin": (
		0,
		["SET GLOBAL log_bin_trust_function_creators=0"],
		["SET GLOBAL log_bin_trust_function_creators=1"],
		"warn",
	),
	"replica-user": (
		0,
		[f"GRANT INSERT ON shop.* TO {READER}"],
		[f"REVOKE INSERT ON shop.* FROM {READER}"],
		"fail",
	),
}


@contextmanager
def broken(shop: Cluster, what: str) -> Iterator[None]:
	at, breaking, mending, _ = BROKEN[what]
	server = (shop.primary, *shop.replicas)[at]
	for statement in breaking:
		_run(server, statement)
	if at == 0:
		shop.catch_up()
	try:
		yield
	finally:
		for statement in mending:
			_run(server, statement)
		shop.catch_up()


def _run(server: MariaDB, statement: str) -> None:
	if statement.startswith("SET STATEMENT sql_log_bin=0 FOR "):
		with server.admin() as connection, connection.cursor() as cursor:
			cursor.execute("SET sql_log_bin=0")
			cursor.execute(statement.removeprefix("SET STATEMENT sql_log_bin=0 FOR "))
	else:
		server.query(statement)


@pytest.mark.parametrize("what", BROKEN)
def test_of_what_is_broken_it_names_that_and_nothing_else(shop, what):
	with broken(shop, what):
		assert wrong(databases(shop)) == {what: BROKEN[what][3]}
	assert wrong(databases(shop)) == {}


def test_the_name_of_a_replicas_user_is_left_out_of_what_programs_keep(shop):
	with broken(shop, "replica-user"):
		[found] = [one for one in doctor.run(CHECKS, databases(shop)) if one.status == "fail"]
	assert "user reader may do more" in found.seen
	assert "reader" not in without_secrets(found.seen, ["reader"])


RESTARTED = {
	"skipped-errors": "--slave-skip-errors=1062",
	"relay-log-recovery": "--relay-log-recovery=0",
	"ready-to-be-promoted": "--skip-log-slave-updates",
}


@pytest.mark.parametrize("what", RESTARTED)
def test_it_reads_what_a_server_was_started_with(shop, what):
	[replica] = shop.replicas
	replica.stop()
	replica._options.append(RESTARTED[what])
	try:
		replica.start()
		assert wrong(databases(shop)).keys() == {what}
	finally:
		replica.stop()
		replica._options.remove(RESTARTED[what])
		replica.start()


def test_a_replica_that_is_down_is_one_failure_and_other_checks_say_why_they_cannot_look(shop):
	[replica] = shop.replicas
	replica.stop()
	try:
		found = {one.id: one for one in doctor.run(CHECKS, databases(shop))}
	finally:
		replica.start()
	assert [one.id for one in found.values() if one.status == "fail"] == ["database-reachable"]
	assert "replica01 cannot be asked" in found["database-reachable"].seen
	assert found["replication-running"].status == "skipped"
	assert "because replica01 cannot be asked" in found["replication-running"].seen
	assert found["binlog-format"].status == "ok"


def test_a_write_on_a_replica_is_seen_in_its_log_with_its_number(shop):
	[replica] = shop.replicas
	replica.query("CREATE DATABASE stray")
	try:
		found = {one.id: one for one in doctor.run(CHECKS, databases(shop))}
		assert found["errant-transactions"].status in ("warn", "fail")
		assert "0-2-" in found["errant-transactions"].seen
	finally:
		with replica.admin() as connection, connection.cursor() as cursor:
			for statement in (
				"STOP SLAVE",
				"SET sql_log_bin=0",
				"DROP DATABASE stray",
				"RESET MASTER",
				"START SLAVE",
			):
				cursor.execute(statement)
		shop.primary.query("INSERT INTO shop.tabItem VALUES ('after', 1)")
		shop.catch_up()
	assert wrong(databases(shop)) == {}


def test_a_server_that_has_run_out_of_connections_is_named(shop):
	[replica] = shop.replicas
	open_ones = [replica.admin() for _ in range(9)]
	try:
		replica.query("SET GLOBAL max_connections=10")
		assert wrong(databases(shop)).keys() == {"max-connections"}
	finally:
		for connection in open_ones:
			connection.close()
		replica.query("SET GLOBAL max_connections=400")
		# Without LOCAL, it would be a transaction of the replica's own.
		replica.query("FLUSH LOCAL STATUS")


def test_a_replica_that_is_late_is_named(shop, monkeypatch):
	monkeypatch.setattr(replication_checks, "SECONDS_TO_CATCH_UP", 0.5)
	[replica] = shop.replicas
	with replica.admin() as connection, connection.cursor() as cursor:
		cursor.execute("FLUSH TABLES WITH READ LOCK")
		shop.primary.query("INSERT INTO shop.tabItem VALUES ('late', 1)")
		found = wrong(databases(shop))
		cursor.execute("UNLOCK TABLES")
	shop.catch_up()
	assert found == {"replication-lag": "warn"}


def test_a_connection_with_a_name_of_its_own_is_seen_running_stopped_and_filtered(shop):
	[replica] = shop.replicas
	[connection] = _rows_of(replica, "SHOW ALL SLAVES STATUS")
	known = databases(shop)
	variables = known.replicas[0].variables
	silent = {"Slave_running": "OFF", "Slaves_running": "1", "Slave_heartbeat_period": "0.000"}

	def found_with(connections, **status) -> dict[str, str]:
		known.replicas[0]._known["variables"] = replace(
			variables, connections=connections, status=variables.status | silent | status
		)
		return wrong(known)

	named = connection | {"Connection_name": "shop"}
	assert found_with(None) == {} == found_with([named])
	assert found_with(None, Slaves_running="0") == {"replication-running": "fail"}
	# A connection without a name, of which the SQL thread alone runs.
	assert found_with(None, Slave_heartbeat_period="30.000") == {"replication-running": "fail"}
	assert found_with([named | {"Slave_IO_Running": "Connecting"}]) == {"replication-running": "fail"}
	assert found_with([named | {"Using_Gtid": "No"}]) == {"gtid": "fail"}
	assert found_with([named | {"Replicate_Ignore_Domain_Ids": "2"}]) == {"replication-filters": "fail"}


def _rows_of(server: MariaDB, statement: str) -> list[dict]:
	with server.admin() as connection, connection.cursor(DictCursor) as cursor:
		cursor.execute(statement)
		return list(cursor.fetchall())


def test_what_a_server_committed_as_primary_before_a_switchover_is_no_stray_write(shop):
	known = databases(shop)
	primary, replica = known.primary.variables, known.replicas[0].variables

	def status(own: str, of_primary: str) -> str | None:
		states = (known.primary, primary, of_primary), (known.replicas[0], replica, own)
		for server, variables, state in states:
			server._known["variables"] = replace(
				variables, of_server=variables.of_server | {"gtid_binlog_state": state}
			)
		return wrong(known).get("errant-transactions")

	assert status("0-2-7,0-1-9", "0-2-7,0-1-9") is None
	assert status("0-2-8,0-1-9", "0-2-7,0-1-9") == status("0-2-7,0-1-9", "0-1-9") == "warn"


# What cannot be had on one machine: a server that says it.
SAID: dict[str, Callable] = {
	"clocks": lambda known: replace(known, clock_ahead=known.clock_ahead + 5),
	"versions": lambda known: replace(known, of_server=known.of_server | {"version": "10.3.39-MariaDB-log"}),
	"gtid": lambda known: replace(known, of_server=known.of_server | {"gtid_slave_pos": ""}),
	"snapshot-isolation": lambda known: replace(
		known, of_server=known.of_server | {"innodb_snapshot_isolation": "ANOTHER"}
	),
}


@pytest.mark.parametrize("what", SAID)
def test_it_understands_what_a_replica_may_say(shop, what):
	known = databases(shop)
	if what == "snapshot-isolation" and what.replace("-", "_") not in str(known.primary.variables.of_server):
		pytest.skip("this MariaDB has no innodb_snapshot_isolation")
	known.replicas[0]._known["variables"] = SAID[what](known.replicas[0].variables)
	assert wrong(known).keys() == {what}


def test_the_primary_as_its_own_replica_is_named_once(shop):
	known = Databases(login(shop.primary, "site"), [login(shop.primary, "reader")], "shop", "site")
	assert wrong(known) == {"replica-is-another-server": "fail"}


def test_a_primary_without_a_binary_log_is_named(shop):
	known = databases(shop)
	variables = known.primary.variables
	known.primary._known["variables"] = replace(variables, of_server=variables.of_server | {"log_bin": "OFF"})
	assert wrong(known).keys() == {"binary-log"}


def test_servers_on_other_hosts_are_to_be_asked_over_tls_and_to_notice_clients_that_are_gone(
	shop, monkeypatch
):
	monkeypatch.setattr(database_checks, "LOCAL_HOSTS", ())
	[replica] = shop.replicas
	replica.query("SET GLOBAL tcp_keepalive_time=0")
	try:
		found = wrong(databases(shop))
	finally:
		replica.query("SET GLOBAL tcp_keepalive_time=60")
	# Newer servers encrypt by themselves.
	assert found.keys() - {"tls"} == {"keepalive"}
	assert ("tls" in found) == (not databases(shop).primary.variables.cipher)


# The doctor itself


def check(id: str, look: Callable) -> Check:
	return Check(id, "it is well", ("tag",), look, "mend it")


def test_a_check_that_fails_or_hangs_is_not_known_and_the_others_go_on(shop):
	def fails(servers):
		raise KeyError("no_such_variable")

	def hangs(servers):
		time.sleep(3)
		return []

	def skips(servers):
		raise Skipped("there is no scheduler")

	began = time.monotonic()
	found = doctor.run(
		[check("a", hangs), check("b", fails), check("c", skips), check("d", lambda servers: [])],
		None,
		seconds=0.5,
	)
	assert time.monotonic() - began < 2.5
	assert [one.status for one in found] == ["unknown", "unknown", "skipped", "ok"]
	assert "0.5 s" in found[0].seen and "KeyError" in found[1].seen and "no scheduler" in found[2].seen


def test_what_another_finding_brings_about_is_skipped_and_says_by_which_unless_it_is_graver():
	def check(id: str, status: str, *follows: str) -> Check:
		return Check(id, "", (), lambda _: [Trouble(status, "seen")] if status != "ok" else [], "", follows)

	found = doctor.run(
		[
			check("cause", "warn"),
			check("follows", "warn", "cause"),
			check("graver", "fail", "cause"),
			check("of-nothing", "warn", "well"),
			check("well", "ok", "cause"),
			check("of-another", "unknown", "graver"),
		],
		None,
	)
	assert [one.status for one in found] == ["warn", "skipped", "fail", "warn", "ok", "skipped"]
	assert found[1].seen == "skipped, because cause may bring it about: seen"


@pytest.mark.parametrize(
	("told", "seen"),
	[
		(["One is gone.", "Another is late."], "One is gone. Another is late."),
		(["one is gone", "another is late"], "one is gone; another is late"),
	],
)
def test_what_a_check_has_found_reads_as_one_text(told, seen):
	[found] = doctor.run([check("several", lambda _: [Trouble("warn", one) for one in told])], None)
	assert found.seen == seen


def test_the_exit_status_is_that_of_the_worst_from_the_level_on():
	def status(*found: str, level: str = "warn") -> int:
		troubles = [check(one, lambda servers, one=one: [Trouble(one, one)]) for one in found]
		return doctor.exit_status(doctor.run(troubles, None), level)

	assert status("ok", "skipped") == 0
	assert status("warn") == status("unknown") == 1 and status("warn", level="fail") == 0
	assert status("warn", "fail") == status("fail", level="fail") == 2


def test_checks_are_chosen_by_id_and_tag_and_left_out_where_they_are_silenced():
	def ids(*arguments) -> set[str]:
		return {one.id for one in doctor.chosen(CHECKS, *arguments)}

	assert ids((), (), ()) == {one.id for one in CHECKS}
	assert ids((), (), ["tls"]) == {one.id for one in CHECKS} - {"tls"}
	assert ids((), ["security"], ()) == {"tls", "replica-user"}
	assert ids(["tls"], (), ["tls"]) == {"tls"}
	with pytest.raises(ValueError, match="There is no check tsl"):
		ids(["tsl"], (), ())


def test_no_two_checks_have_one_id():
	assert len({one.id for one in CHECKS}) == len(CHECKS)


def test_each_check_is_explained_where_its_link_leads():
	page = Page("docs/doctor.md")
	for one in doctor.run(CHECKS, None):
		assert one.link == f"docs/doctor.md#{one.id}"
		assert one.id in page.anchors
		assert one.expected in page.text and one.fix in page.text
