# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A test of a replica's connection says what is wrong, and the SQL that it gives mends it."""

from dataclasses import replace

import pytest

from read_replica.deploy.accounts import Account, identifier
from read_replica.deploy.connection_test import ConnectionTest, try_connection
from read_replica.deploy.servers import Login
from support.servers import ROOT_PASSWORD, Cluster, MariaDB

DATABASE = "_shop%1`ä"
TABLE = "tabDocType"
READER = Account("reader", "127.0.0.1")
PASSWORD = "a-password"


def login(server: MariaDB, user: str = "root", password: str = ROOT_PASSWORD) -> Login:
	return Login(server.folder.name, server.host, server.port, user, password)


@pytest.fixture
def shop(servers: Cluster):
	servers.primary.query(f"CREATE DATABASE IF NOT EXISTS {identifier(DATABASE)}")
	servers.primary.query(f"CREATE TABLE IF NOT EXISTS {identifier(DATABASE)}.{TABLE} (name INT PRIMARY KEY)")
	servers.catch_up()
	yield servers
	servers.primary.query(f"DROP USER IF EXISTS {READER}")
	servers.catch_up()


def tried(shop: Cluster, **changes) -> ConnectionTest:
	replica = replace(login(shop.replicas[0], READER.user, PASSWORD), **changes)
	return try_connection(replica, login(shop.primary), DATABASE, TABLE)


def run_on_primary(shop: Cluster, test: ConnectionTest) -> None:
	assert test.sql
	for statement in test.sql:
		shop.primary.query(statement.replace("…", PASSWORD))
	shop.catch_up()


def test_the_sql_for_a_user_that_is_not_there_mends_it(shop):
	refused = tried(shop)
	assert refused.found == "login_refused" and "reader" in refused.said
	assert PASSWORD not in str(refused)
	run_on_primary(shop, refused)
	assert tried(shop) == ConnectionTest("works")


def test_the_sql_for_a_user_with_another_password_mends_it(shop):
	shop.primary.query(f"CREATE USER {READER} IDENTIFIED BY 'another'")
	shop.catch_up()
	refused = tried(shop)
	assert refused.found == "login_refused"
	run_on_primary(shop, refused)
	assert tried(shop).found == "works"


def test_the_sql_for_a_user_without_a_grant_is_that_grant_alone(shop):
	shop.primary.query(f"CREATE USER {READER} IDENTIFIED BY '{PASSWORD}'")
	shop.catch_up()
	refused = tried(shop)
	assert refused.found == "not_granted"
	assert [statement.split()[0] for statement in refused.sql] == ["GRANT"]
	run_on_primary(shop, refused)
	assert tried(shop).found == "works"


def test_no_account_is_suggested_for_the_sites_own_user(shop):
	# One that may only read would be taken before its own on the primary, and refuse its writes.
	refused = tried(shop, user="root", password="wrong")
	assert (refused.found, refused.sql) == ("login_refused", ())


def test_a_server_that_is_not_there_and_a_database_that_is_not_there_are_told_apart(shop):
	assert tried(shop, port=1).found == "unreachable"
	assert tried(shop, host="no-such-host.invalid").found == "unreachable"
	root = login(shop.replicas[0])
	assert try_connection(root, login(shop.primary), "nothing", TABLE).found == "no_database"
	assert try_connection(root, login(shop.primary), DATABASE, "nothing").found == "no_database"


def test_the_primary_is_not_taken_for_its_replica(shop):
	root = login(shop.primary)
	assert try_connection(root, root, DATABASE, TABLE).found == "primary_itself"
