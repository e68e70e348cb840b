# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A running primary gets a replica by the steps as they are printed, and each step says how it stands before and after."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from read_replica.deploy.replication import all_steps
from read_replica.deploy.replication_plan import make_plan
from read_replica.deploy.replication_steps import Pair, StepRow, carry_out
from read_replica.deploy.servers import Login
from support.new_replica import SITE, FromFile, Load, Shell, checksums, make_site
from support.servers import ROOT_PASSWORD

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


@pytest.fixture(scope="module")
def primary(folder: Path) -> Iterator[FromFile]:
	(folder / "primary").mkdir()
	server = FromFile(folder / "primary", *DEFAULTS)
	server.start()
	make_site(server)
	yield server
	server.kill()


@pytest.fixture(scope="module")
def replica(folder: Path) -> Iterator[FromFile]:
	(folder / "replica").mkdir()
	server = FromFile(folder / "replica")
	server.start()
	yield server
	server.kill()


@pytest.fixture(scope="module")
def shell(folder: Path, replica: FromFile) -> Shell:
	(folder / "bin").mkdir()
	return Shell(folder / "bin", replica)


def pair_of(primary: FromFile, replica: FromFile) -> Pair:
	primary_login, replica_login = (
		Login(name, server.host, server.port, "root", ROOT_PASSWORD)
		for name, server in (("primary", primary), ("replica01", replica))
	)
	return Pair(primary_login, replica_login, SITE, "site")


def steps(primary: FromFile, replica: FromFile, runs: bool = False, **values) -> dict[str, StepRow]:
	pair = pair_of(primary, replica)
	plan = make_plan(pair.ask(), primary.host, **values)
	return {row.id: row for row in carry_out(all_steps(pair, plan, is_admin=True), runs)}


def states(rows: dict[str, StepRow]) -> dict[str, str]:
	return {id: row.state for id, row in rows.items()}


def test_a_primary_under_load_gets_a_replica_that_is_equal(primary, replica, shell):
	found = steps(primary, replica)
	assert states(found) == {
		"primary-config": "to do",
		"replication-user": "to do",
		"replica-config": "to do",
		"copy": "to do",
		"follow": "in the way",
		"equal": "in the way",
	}
	assert "no binary log" in found["primary-config"].why
	# Nothing is run upon what is missing.
	assert steps(primary, replica, runs=True) == found

	primary.restart([*DEFAULTS, *found["primary-config"].config])
	with Load(primary) as load:
		found = steps(primary, replica, runs=True)
		assert states(found)["primary-config"] == states(found)["replication-user"] == "done"
		assert len(found["replication-user"].ran) == 3 and found["follow"].ran == []
		replica.restart(found["replica-config"].config)
		found = steps(primary, replica)
		assert states(found)["replica-config"] == "done", found
		shell.run(found["copy"].shell)
		before = load.rounds
		found = steps(primary, replica)
		assert states(found)["copy"] == "done"
		assert states(found)["follow"] == "in the way" and "--position" in found["follow"].why
		found = steps(primary, replica, runs=True, position=shell.position)
		assert load.rounds > before > 50
	assert set(states(found).values()) == {"done"}, found
	assert "…" in found["follow"].ran[0] and found["follow"].ran[-1] == "START REPLICA"
	replica.catch_up(primary)
	assert checksums(replica) == checksums(primary)
	assert len(checksums(primary)) == 3
	assert replica.query(f"SELECT {SITE}.twice(21)") == ((42,),)


def test_run_again_it_changes_nothing(primary, replica):
	before = [server.query("SELECT @@gtid_binlog_pos, @@gtid_slave_pos") for server in (primary, replica)]
	found = steps(primary, replica, runs=True)
	assert set(states(found).values()) == {"done"}
	assert [row.ran for row in found.values() if row.ran] == []
	assert all(not row.shell and not row.sql for row in found.values())
	assert before == [
		server.query("SELECT @@gtid_binlog_pos, @@gtid_slave_pos") for server in (primary, replica)
	]
