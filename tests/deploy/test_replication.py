# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A running primary gets a replica by the steps as they are printed, and each step says how it stands before and after."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pymysql
import pytest

from read_replica.deploy.accounts import password_hash
from read_replica.deploy.replication import all_steps
from read_replica.deploy.replication_config import primary_lines
from read_replica.deploy.replication_copy import info_file
from read_replica.deploy.replication_follow import give_password, where_it_ends
from read_replica.deploy.replication_plan import make_plan
from read_replica.deploy.replication_steps import Pair, StepRow, carry_out
from read_replica.deploy.servers import Login
from support.new_replica import SITE, FromFile, Load, Shell, checksums, make_site
from support.servers import ROOT_PASSWORD, free_port, make_certificates, run
from support.waiting import until

# What a server that nobody has set up has beside Debian's own lines.
DEFAULTS = (
	"character_set_server=utf8mb4",
	"collation_server=utf8mb4_unicode_ci",
	"innodb_buffer_pool_size=64M",
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
	# Unix socket paths end at 107 characters, so the folder stands near the root, not under TMPDIR.
	folder = Path(tempfile.mkdtemp(prefix="rr-", dir="/tmp"))
	yield folder
	shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Made:
	"""A primary that has got a replica under load, and how the steps stood on the way."""

	primary: FromFile
	replica: FromFile
	certificates: dict[str, str]
	stages: dict[str, dict[str, StepRow]]
	rounds_during_copy: int


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Made]:
	for name in ("primary", "replica", "bin", "tls"):
		(folder / name).mkdir()
	certificates = make_certificates(folder / "tls")
	own = [*DEFAULTS, *(f"ssl_{name}={path}" for name, path in certificates.items())]
	primary, replica = FromFile(folder / "primary", *own), FromFile(folder / "replica")
	try:
		primary.start()
		replica.start()
		make_site(primary)
		yield make(primary, own, replica, Shell(folder / "bin", replica), certificates)
	finally:
		replica.kill()
		primary.kill()


def make(
	primary: FromFile, own: list[str], replica: FromFile, shell: Shell, certificates: dict[str, str]
) -> Made:
	"""Do as the steps say, one after the other."""
	stages = {"nothing is done": steps(primary, replica), "run too early": steps(primary, replica, runs=True)}
	primary.restart([*own, *stages["run too early"]["primary-config"].config])
	with Load(primary) as load:
		stages["the account is made"] = steps(primary, replica, runs=True)
		replica.restart(stages["the account is made"]["replica-config"].config)
		stages["configured"] = steps(primary, replica)
		before = load.rounds
		shell.run(stages["configured"]["copy"].shell)
		rounds = load.rounds - before
		stages["copied"] = steps(primary, replica)
		stages["follows"] = steps(primary, replica, runs=True, position=shell.position)
	return Made(primary, replica, certificates, stages, rounds)


@pytest.fixture
def primary(made: Made) -> FromFile:
	return made.primary


@pytest.fixture
def replica(made: Made) -> FromFile:
	return made.replica


def pair_of(primary: FromFile, replica: FromFile) -> Pair:
	primary_login, replica_login = (
		Login(name, server.host, server.port, "root", ROOT_PASSWORD)
		for name, server in (("primary", primary), ("replica01", replica))
	)
	return Pair(primary_login, replica_login, SITE, "site")


def steps(primary: FromFile, replica: FromFile, runs: bool = False, **values) -> dict[str, StepRow]:
	pair = pair_of(primary, replica)
	plan = make_plan(pair.ask(), primary.host, **values)
	return {row.id: row for row in carry_out(pair, all_steps(pair, plan, is_admin=True), runs)}


def states(rows: dict[str, StepRow]) -> dict[str, str]:
	return {id: row.state for id, row in rows.items()}


def test_a_primary_under_load_gets_a_replica_that_is_equal(made, primary, replica):
	assert made.rounds_during_copy > 50
	assert set(states(made.stages["follows"]).values()) == {"done"}, made.stages["follows"]
	replica.catch_up(primary)
	assert checksums(replica) == checksums(primary)
	assert len(checksums(primary)) == 3
	assert replica.query(f"SELECT {SITE}.twice(21)") == ((42,),)


def test_each_step_says_how_it_stands_before_and_after(made):
	stages = made.stages
	assert states(stages["nothing is done"]) == {
		"primary-config": "to do",
		"replication-user": "to do",
		"replica-config": "to do",
		"copy": "to do",
		"follow": "in the way",
		"equal": "in the way",
	}
	assert "no binary log" in stages["nothing is done"]["primary-config"].why
	assert "tabError Log" in stages["nothing is done"]["copy"].why
	done = [id for id, row in stages["the account is made"].items() if row.state == "done"]
	assert done == ["primary-config", "replication-user"]
	assert stages["configured"]["replica-config"].state == "done"
	assert stages["copied"]["copy"].state == "done"
	assert "--position" in stages["copied"]["follow"].why


def test_only_what_can_be_run_from_here_is_run_and_nothing_upon_what_is_missing(made):
	ran = {stage: {id: row.ran for id, row in rows.items() if row.ran} for stage, rows in made.stages.items()}
	assert {stage: list(rows) for stage, rows in ran.items() if rows} == {
		"the account is made": ["replication-user"],
		"follows": ["follow"],
	}
	assert made.stages["run too early"] == made.stages["nothing is done"]
	assert len(ran["the account is made"]["replication-user"]) == 3
	change, *_, start = ran["follows"]["follow"]
	assert change.startswith("ALTER USER") and "…" in change and start == "START REPLICA"


def test_run_again_it_changes_nothing(primary, replica):
	before = [server.query("SELECT @@gtid_binlog_pos, @@gtid_slave_pos") for server in (primary, replica)]
	found = steps(primary, replica, runs=True)
	assert set(states(found).values()) == {"done"}
	assert [row.ran for row in found.values() if row.ran] == []
	assert all(not row.shell and not row.sql for row in found.values())
	assert before == [
		server.query("SELECT @@gtid_binlog_pos, @@gtid_slave_pos") for server in (primary, replica)
	]


# Traps, each made on purpose on the pair that the tests above have set up.


@contextmanager
def broken(server: FromFile, breaking: list[str], mending: list[str]) -> Iterator[None]:
	"""A block in which statements were run on one connection of root, and others afterwards."""
	_run_all(server, breaking)
	try:
		yield
	finally:
		_run_all(server, mending)


def _run_all(server: FromFile, statements: list[str]) -> None:
	with server.admin() as connection:
		for statement in statements:
			run(connection, statement)


def open_steps(primary: FromFile, replica: FromFile, **values) -> dict[str, str]:
	return {id: row.state for id, row in steps(primary, replica, **values).items() if row.state != "done"}


STOPPED = ["STOP REPLICA"]
RUNS = ["START REPLICA"]
# What breaks it, what mends it, and the first step that is open, with its state and a word of its reason.
ON_THE_REPLICA = {
	"the primary's server_id": (
		["SET GLOBAL server_id=1"],
		["SET GLOBAL server_id=2"],
		("replica-config", "to do", "have server_id 1"),
	),
	"a filter": (
		[*STOPPED, "SET GLOBAL replicate_ignore_table='_shop.x'", *RUNS],
		[*STOPPED, "SET GLOBAL replicate_ignore_table=''", *RUNS],
		("replica-config", "to do", "replicate_ignore_table"),
	),
	"writes allowed": (
		["SET GLOBAL read_only=0"],
		["SET GLOBAL read_only=1"],
		("replica-config", "to do", "read_only is off"),
	),
	"functions refused": (
		["SET GLOBAL log_bin_trust_function_creators=0"],
		["SET GLOBAL log_bin_trust_function_creators=1"],
		("replica-config", "to do", "log_bin_trust_function_creators"),
	),
	"a transaction of its own": (
		["CREATE DATABASE stray"],
		[*STOPPED, "SET sql_log_bin=0", "DROP DATABASE stray", "RESET MASTER", *RUNS],
		("equal", "in the way", "0-2-"),
	),
	"an account that is missing": (
		["SET sql_log_bin=0", "DROP USER site@'127.0.0.1'"],
		["SET sql_log_bin=0", "CREATE USER site@'127.0.0.1' IDENTIFIED BY 'secret'"],
		("equal", "in the way", "site@127.0.0.1"),
	),
	"a table of its own columns": (
		["SET sql_log_bin=0", f"ALTER TABLE {SITE}.tabItem ADD COLUMN more INT"],
		["SET sql_log_bin=0", f"ALTER TABLE {SITE}.tabItem DROP COLUMN more"],
		("equal", "in the way", "tabItem"),
	),
	"following by file and offset": (
		[*STOPPED, "CHANGE MASTER TO MASTER_USE_GTID=no"],
		["CHANGE MASTER TO MASTER_USE_GTID=slave_pos", *RUNS],
		("follow", "in the way", "file and offset"),
	),
	"another primary": (
		[*STOPPED, "CHANGE MASTER TO MASTER_PORT=9"],
		["CHANGE MASTER TO MASTER_PORT={port}, MASTER_USE_GTID=slave_pos", *RUNS],
		("follow", "in the way", "follows 127.0.0.1:9"),
	),
	"a connection with a name": (
		["CHANGE MASTER 'other' TO MASTER_HOST='10.9.9.9', MASTER_USE_GTID=slave_pos"],
		["RESET REPLICA 'other' ALL"],
		("follow", "in the way", "follows 10.9.9.9:3306"),
	),
}


@pytest.mark.parametrize("what", ON_THE_REPLICA)
def test_a_trap_on_the_replica_is_named_and_left_alone(primary, replica, what):
	breaking, mending, (id, state, word) = ON_THE_REPLICA[what]
	with broken(replica, breaking, [statement.format(port=primary.port) for statement in mending]):
		found = steps(primary, replica, runs=True)
		[first, *_] = [row for row in found.values() if row.state != "done"]
		assert (first.id, first.state) == (id, state) and word in first.why, first
		assert not any(row.ran for row in found.values())
	replica.catch_up(primary)
	assert open_steps(primary, replica) == {}


ON_THE_PRIMARY = {
	"functions refused": (
		["SET GLOBAL log_bin_trust_function_creators=0"],
		["SET GLOBAL log_bin_trust_function_creators=1"],
		("primary-config", "to do", "log_bin_trust_function_creators"),
	),
	"statements in the log": (
		["SET GLOBAL binlog_format=STATEMENT"],
		["SET GLOBAL binlog_format=ROW"],
		("primary-config", "to do", "STATEMENT"),
	),
	"an account that may do more": (
		[f"GRANT SELECT ON {SITE}.* TO replica_2@'127.0.0.1'"],
		[f"REVOKE SELECT ON {SITE}.* FROM replica_2@'127.0.0.1'"],
		("replication-user", "in the way", "may do more"),
	),
}


@pytest.mark.parametrize("what", ON_THE_PRIMARY)
def test_a_trap_on_the_primary_is_named_with_what_mends_it(primary, replica, what):
	breaking, mending, (id, state, word) = ON_THE_PRIMARY[what]
	with broken(primary, breaking, mending):
		found = steps(primary, replica, runs=True)
		assert (found[id].state, found[id].ran) == (state, []) and word in found[id].why, found[id]
		if id == "primary-config":
			# What is printed to mend it does so.
			for statement in found[id].sql:
				primary.query(statement)
			assert steps(primary, replica)[id].state == "done"
	assert open_steps(primary, replica) == {}


def test_a_primary_that_keeps_databases_out_of_its_log_is_named(primary, replica):
	lines = (primary.folder / "my.cnf").read_text().splitlines()[1:]
	primary.restart([*lines, "binlog_ignore_db=other"])
	try:
		assert "binlog_ignore_db = other" in steps(primary, replica)["primary-config"].why
	finally:
		primary.restart(lines)
	replica.query("STOP REPLICA")
	replica.query("START REPLICA")
	replica.catch_up(primary)


def test_a_replica_that_was_stopped_by_hand_is_started_and_one_that_was_reset_goes_on_from_where_it_was(
	primary, replica
):
	replica.query("STOP REPLICA")
	assert steps(primary, replica, runs=True)["follow"].ran == ["START REPLICA"]
	replica.query("STOP REPLICA")
	replica.query("RESET REPLICA ALL")
	primary.query(f"INSERT INTO {SITE}.tabItem (qty) VALUES (1)")
	found = steps(primary, replica, runs=True)
	assert set(states(found).values()) == {"done"}, found
	assert "ALTER USER" in found["follow"].ran[0]
	assert checksums(replica) == checksums(primary)


def test_it_follows_over_tls_and_can_be_told_whose_certificates_to_take(made, primary, replica):
	pair = pair_of(primary, replica)
	plan = make_plan(pair.ask(), primary.host)
	assert plan.has_tls
	[[grant]] = primary.query("SHOW GRANTS FOR replica_2@'127.0.0.1'")
	assert "REQUIRE SSL" in grant
	for name, state in (("key", "in the way"), ("ca", "done")):
		replica.query("STOP REPLICA")
		replica.query("RESET REPLICA ALL")
		found = steps(primary, replica, runs=True, ssl_ca=made.certificates[name])["follow"]
		assert found.state == state and "MASTER_SSL=1" in found.ran[1], found
	replica.catch_up(primary)


def test_a_replica_that_cannot_log_in_is_not_started_again_and_again(primary, replica):
	with broken(replica, ["STOP REPLICA", "CHANGE MASTER TO MASTER_PASSWORD='wrong'", *RUNS], []):
		until(lambda: "Access denied" in str(steps(primary, replica)["follow"].why))
		found = steps(primary, replica, runs=True)["follow"]
		assert (found.state, found.ran) == ("in the way", [])
	replica.query("STOP REPLICA")
	replica.query("RESET REPLICA ALL")
	assert set(states(steps(primary, replica, runs=True)).values()) == {"done"}


@contextmanager
def not_following(primary: FromFile, replica: FromFile) -> Iterator[None]:
	"""A block in which the copy follows nobody."""
	with broken(replica, ["STOP REPLICA", "RESET REPLICA ALL"], []):
		yield
	assert set(states(steps(primary, replica, runs=True)).values()) == {"done"}


def test_a_copy_with_a_transaction_of_its_own_does_not_begin_to_follow(primary, replica):
	mend = ["SET sql_log_bin=0", "DROP DATABASE stray", "RESET MASTER"]
	with not_following(primary, replica), broken(replica, ["CREATE DATABASE stray"], mend):
		found = steps(primary, replica, runs=True)["follow"]
		assert (found.state, found.ran) == ("in the way", []) and "0-2-" in found.why


def test_a_position_that_the_primary_does_not_have_is_refused(primary, replica):
	with not_following(primary, replica):
		found = steps(primary, replica, runs=True, position="0-1-99999999")["follow"]
		assert (found.state, found.ran) == ("in the way", []) and "another server" in found.why


def test_a_position_that_the_copy_has_from_when_the_primary_was_a_replica_is_not_taken_for_its_own(
	primary, replica
):
	servers = pair_of(primary, replica).ask()
	plan = make_plan(servers, primary.host)
	assert where_it_ends(servers, plan).state == "to do"
	known = servers.primary.variables
	position = {"gtid_slave_pos": servers.replicas[0].variables["gtid_slave_pos"]}
	servers.primary._known["variables"] = replace(known, of_server=known.of_server | position)
	seen = where_it_ends(servers, plan)
	assert seen.state == "in the way" and "--position" in seen.why
	assert where_it_ends(servers, replace(plan, **{"position": known["gtid_binlog_pos"]})).state == "to do"


def test_an_account_that_another_replica_follows_with_keeps_its_password(primary, replica):
	pair = pair_of(primary, replica)
	plan = replace(make_plan(pair.ask(), primary.host), server_id=9)
	with pytest.raises(
		pymysql.err.OperationalError, match=re.escape("follows as 'replica_2'@'127.0.0.1' already")
	):
		give_password(pair, plan)


def test_no_row_has_the_password_unless_it_was_asked_for(primary, replica):
	pair = pair_of(primary, replica)
	plan = make_plan(pair.ask(), primary.host, user="new")
	replica.query("STOP REPLICA")
	for shows in (False, True):
		rows = carry_out(pair, all_steps(pair, plan, is_admin=True, shows_password=shows), runs=False)
		assert [row.state for row in rows if row.sql] == ["to do", "to do"]
		assert (plan.password in str(rows)) == (password_hash(plan.password) in str(rows)) == shows
	assert plan.password not in str(plan)
	replica.query("START REPLICA")
	replica.catch_up(primary)


def test_without_an_administrators_login_it_says_what_it_does_not_see_and_runs_nothing(primary, replica):
	pair = pair_of(primary, replica)
	primary.query(f"GRANT SELECT ON {SITE}.* TO site@'127.0.0.1'")
	replica.catch_up(primary)
	logins = [replace(login, user="site", password="secret") for login in (pair.primary, pair.replica)]
	pair = replace(pair, primary=logins[0], replica=logins[1])
	plan = make_plan(pair.ask(), primary.host)
	found = {row.id: row for row in carry_out(pair, all_steps(pair, plan, is_admin=False), runs=True)}
	assert not any(row.can_run or row.ran for row in found.values())
	assert (
		found["replication-user"].state == "unknown" and "--db-root-password" in found["replication-user"].why
	)
	assert found["follow"].state == found["equal"].state == "done"


# What is planned


def test_a_server_that_does_not_answer_is_planned_for_as_well(primary, replica):
	pair = pair_of(primary, replica)
	gone = replace(pair, replica=replace(pair.replica, port=free_port()))
	plan = make_plan(gone.ask(), primary.host, other_ids=[3], listed_ids=[2])
	assert plan.server_id == 4
	rows = {row.id: row for row in carry_out(gone, all_steps(gone, plan, is_admin=True), runs=False)}
	assert (rows["replica-config"].state, rows["copy"].state) == ("unknown", "to do")
	assert "server_id=4" in rows["replica-config"].config
	assert f"innodb_buffer_pool_size={64 << 20}" in rows["replica-config"].config


def test_a_replica_elsewhere_is_not_told_to_look_for_its_primary_at_home(primary, replica):
	pair = pair_of(primary, replica)
	elsewhere = replace(make_plan(pair.ask(), "10.0.0.1"), replica_host="10.0.0.2")
	known = pair.ask().primary.variables
	# The site's own processes reach it at 127.0.0.1 still.
	assert primary_lines(known, elsewhere) == {"bind_address": "127.0.0.1,10.0.0.1"}
	older = replace(known, of_server=known.of_server | {"version": "10.6.22-MariaDB"})
	assert primary_lines(older, elsewhere) == {"bind_address": "0.0.0.0"}
	with pytest.raises(ValueError, match="--primary-host"):
		replace(elsewhere, primary_host="127.0.0.1")
	with pytest.raises(ValueError, match="is no position"):
		replace(elsewhere, position="binlog.000003")


@pytest.mark.parametrize(
	("version", "name"),
	[
		("10.6.22-MariaDB", "xtrabackup_binlog_info"),
		("10.11.19-MariaDB-0+deb12u1", "xtrabackup_binlog_info"),
		("11.0.6-MariaDB", "xtrabackup_binlog_info"),
		("11.1.2-MariaDB", "mariadb_backup_binlog_info"),
		("11.8.9-MariaDB", "mariadb_backup_binlog_info"),
		("12.0.2-MariaDB", "mariadb_backup_binlog_info"),
	],
)
def test_the_file_with_the_position_has_the_name_that_its_version_gives_it(version, name):
	assert info_file(version) == name
