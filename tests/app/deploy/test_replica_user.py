# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""One command gives the site a user for its replicas that can only read, proves it, and writes it down."""

import json

import frappe
import pytest

from read_replica.watch.freshness_header import HEADER
from support.bench import SITE
from support.servers import ROOT_PASSWORD

VERSION = int(frappe.__version__.split(".")[0])
RUN = ("--run", "--db-root-password", ROOT_PASSWORD)


@pytest.fixture
def command(configured, servers):
	"""Runs `replica-user --json` and returns what it says; the users that it has made are gone afterwards."""

	def command(*options: str, exits: int = 0) -> dict:
		result = configured.run("--site", SITE, "read-replica", "replica-user", "--json", *options)
		assert result.returncode == exits, result.stdout + result.stderr
		return json.loads(result.stdout) if result.stdout else {"error": result.stderr}

	yield command
	for user, host in servers.primary.query("SELECT user, host FROM mysql.user WHERE user LIKE '%\\_read'"):
		servers.primary.query(f"DROP USER '{user}'@'{host}'")
	servers.catch_up()


def logins(configured) -> list[tuple]:
	return [(row.get("user"), row.get("password")) for row in configured.config()["read_replica"]["replicas"]]


def test_without_run_it_says_what_it_would_do_and_changes_nothing(command, configured, servers):
	before = configured.config(), servers.primary.query("SELECT @@gtid_binlog_pos")
	for options in ((), ("--dry-run", *RUN)):
		said = command(*options)
		assert any(statement.startswith("GRANT SELECT ON `") for statement in said["sql"])
		assert '"user"' in said["diff"] and said["password"] is None and not said["has_changed"]
		assert "*" not in said["sql"][0] and "…" in said["sql"][0]
	assert (configured.config(), servers.primary.query("SELECT @@gtid_binlog_pos")) == before


def test_the_user_is_made_proved_written_and_read_with(command, configured, servers, browser):
	said = command(*RUN)
	assert said["has_changed"] and {proof["server"] for proof in said["proofs"]} == {
		"primary",
		"replica01",
		"replica02",
	}
	assert all(proof["passed"] for proof in said["proofs"])
	[(user, password), second] = logins(configured)
	assert user == f"{configured.config()['db_name']}_read" and second == (user, password)
	assert password not in json.dumps(said)
	assert HEADER in browser.ask("sample_app.api.decorated").headers
	assert any(
		replica.query(f"SELECT 1 FROM information_schema.processlist WHERE user = '{user}'")
		for replica in servers.replicas
	)
	again = command(*RUN)
	assert not again["has_changed"] and again["sql"] == [] and again["diff"] == ""
	assert command("--check")["proofs"] == again["proofs"]


def test_sql_that_can_be_run_by_hand_is_shown_only_if_asked_for_and_then_taken(command, configured, servers):
	shown = command("--show-password")
	for statement in shown["sql"]:
		servers.primary.query(statement)
	servers.catch_up()
	result = configured.run_with_input(
		f"{shown['password']}\n", "--site", SITE, "read-replica", "replica-user", "--json", "--take"
	)
	assert result.returncode == 0, result.stdout + result.stderr
	assert logins(configured)[0] == (shown["user"], shown["password"])
	assert shown["password"] not in result.stdout + result.stderr


def test_a_user_that_may_do_more_is_not_written(command, configured, servers):
	name = f"{configured.config()['db_name']}_read"
	servers.primary.query(f"CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY 'x'")
	servers.primary.query(f"GRANT INSERT ON `{configured.config()['db_name']}`.* TO '{name}'@'127.0.0.1'")
	assert "may do more" in command(*RUN, exits=1)["error"]
	assert logins(configured)[0] == (None, None)
	assert "has no password" in command("--check", exits=1)["error"]


def test_a_wrong_password_of_root_is_said_in_a_sentence(command, configured):
	said = command("--run", "--db-root-password", "wrong", exits=1)["error"]
	assert "Access denied" in said and "Traceback" not in said


def test_cores_keys_and_the_original_ones_are_written_in_their_form(command, configured, servers):
	[replica, _] = servers.replicas
	configured.configure(
		read_replica=None, read_from_replica=1, replica_host=replica.host, replica_db_port=replica.port
	)
	assert command(*RUN)["has_changed"]
	written = configured.config()
	user = f"{written['db_name']}_read"
	assert written["replica_db_user"] == user and written["different_credentials_for_replica"] == 1
	assert written["replica_db_name"] == (written["db_name"] if VERSION > 15 else user)
	assert not command(*RUN)["has_changed"]
