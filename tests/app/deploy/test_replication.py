# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The command shows the steps for a new replica with the site's own values, and what it runs it says."""

import json

import pytest

from support.bench import SITE
from support.servers import ROOT_PASSWORD, free_port

ROOT = ("--db-root-password", ROOT_PASSWORD)


@pytest.fixture
def command(configured):
	"""Runs `replication --json` and returns what it says."""

	def command(*options: str, exits: int = 0) -> dict:
		result = configured.run("--site", SITE, "read-replica", "replication", "--json", *options)
		assert result.returncode == exits, result.stdout + result.stderr
		return json.loads(result.stdout) if result.stdout else {"error": result.stderr}

	return command


def steps(said: dict) -> dict[str, dict]:
	return {step["id"]: step for step in said["steps"]}


def test_a_server_that_is_not_there_yet_gets_its_steps_and_nothing_is_changed(command, servers):
	before = servers.primary.query("SELECT @@gtid_binlog_pos")
	port = str(free_port())
	for options in ((), ROOT, ("--dry-run", "--run", *ROOT)):
		said = command("--replica", "127.0.0.1", "--port", port, *options)
		assert said["replica"] == f"127.0.0.1:{port}" and not said["has_changed"] and said["password"] is None
		found = steps(said)
		assert found["copy"]["state"] == found["reads"]["state"] == "to do"
		assert f"port={port}" in found["replica-config"]["config"]
		assert f"MASTER_PORT={servers.primary.port}" in found["follow"]["sql"][1]
		assert "MASTER_PASSWORD='…'" in found["follow"]["sql"][1]
	assert servers.primary.query("SELECT @@gtid_binlog_pos") == before


def test_the_sites_own_replica_is_looked_at_and_left_as_it_is(command, servers):
	[replica, _] = servers.replicas
	before = replica.query("SELECT @@gtid_slave_pos")
	found = steps(command("--replica", "replica01", "--check", *ROOT, exits=1))
	assert found["copy"]["state"] == found["follow"]["state"] == found["reads"]["state"] == "done", found
	assert command("--replica", "replica01")["server_id"] == replica.server_id
	assert replica.query("SELECT @@gtid_slave_pos") == before


def test_the_account_of_a_new_replica_is_made_once(command, servers):
	for statement in ("log_bin_trust_function_creators=1", "binlog_format=ROW"):
		servers.primary.query(f"SET GLOBAL {statement}")
	options = ("--replica", "127.0.0.1", "--port", str(free_port()), "--user", "new_one", "--run", *ROOT)
	try:
		said = command(*options, exits=1)
		assert said["has_changed"] and steps(said)["replication-user"]["ran"][-1].startswith(
			"GRANT REPLICATION SLAVE"
		)
		assert not command(*options, exits=1)["has_changed"]
		[[grant]] = servers.primary.query("SHOW GRANTS FOR new_one@'127.0.0.1'")
		assert grant.startswith("GRANT REPLICATION SLAVE ON *.* TO")
	finally:
		servers.primary.query("DROP USER IF EXISTS new_one@'127.0.0.1'")
		servers.primary.query("SET GLOBAL log_bin_trust_function_creators=0, binlog_format=MIXED")
		servers.catch_up()


def test_it_has_to_be_said_which_server(command):
	said = command(exits=1)["error"]
	assert "--replica" in said and "Traceback" not in said
