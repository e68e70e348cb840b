# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The replica's user can read the site's database on each server, and do nothing else, whatever the names."""

import threading

import pytest

from read_replica.deploy.accounts import Account, create_reader, identifier, other_grants, quoted
from read_replica.deploy.replica_user import AccountDiffers, create, prove
from read_replica.deploy.servers import Login
from support.servers import ROOT_PASSWORD, Cluster, MariaDB

# A wildcard, quotes, a backslash and a letter that is no ASCII.
DATABASE = "_shop%1`\\'ä"
TABLE = "tabDocType"
USERS = ["reader", "o'brien\\", '_%`"ü']


def login(server: MariaDB) -> Login:
	return Login(server.folder.name, server.host, server.port, "root", ROOT_PASSWORD)


@pytest.fixture
def shop(servers: Cluster) -> Cluster:
	for database in (DATABASE, "xshop21`\\'ä"):
		servers.primary.query(f"CREATE DATABASE IF NOT EXISTS {identifier(database)}")
		servers.primary.query(
			f"CREATE TABLE IF NOT EXISTS {identifier(database)}.{TABLE} (name INT PRIMARY KEY)"
		)
	servers.catch_up()
	return servers


@pytest.fixture(params=USERS)
def account(request, shop: Cluster) -> Account:
	account = Account(request.param, "127.0.0.%")
	yield account
	shop.primary.query(f"DROP USER IF EXISTS {account}")
	shop.catch_up()


def proofs_of(shop: Cluster, account: Account, password: str) -> dict[tuple[str, str], bool]:
	servers = [login(server) for server in shop.replicas]
	found = prove(login(shop.primary), servers, account.user, password, DATABASE, TABLE)
	return {(proof.server, proof.tried): proof.passed for proof in found}


def test_it_reads_the_sites_database_and_is_refused_everything_else_on_each_server(shop, account):
	create(login(shop.primary), [account], "a-password", DATABASE)
	found = proofs_of(shop, account, "a-password")
	assert all(found.values()), found
	for server in ("primary", "replica01"):
		for tried in ("change a row", "make a temporary table", "make a table", "read another database"):
			assert (server, f"be refused to {tried}") in found


def test_it_may_not_read_a_database_whose_name_the_wildcards_of_its_own_would_match(shop, account):
	create(login(shop.primary), [account], "a-password", DATABASE)
	connection = login(shop.primary).connect(account.user, "a-password")
	with connection.cursor() as cursor:
		cursor.execute("SHOW DATABASES")
		assert sorted(row[0] for row in cursor.fetchall()) == sorted([DATABASE, "information_schema"])
	connection.close()


def test_run_twice_it_changes_nothing_and_a_new_password_only_takes_the_place_of_the_old_one_if_asked_to(
	shop, account
):
	assert len(create(login(shop.primary), [account], "a-password", DATABASE)) == 3
	position = shop.primary.query("SELECT @@gtid_binlog_pos")
	assert create(login(shop.primary), [account], "a-password", DATABASE) == []
	assert shop.primary.query("SELECT @@gtid_binlog_pos") == position
	with pytest.raises(AccountDiffers, match=r"with another password.*--reset-password"):
		create(login(shop.primary), [account], "another", DATABASE)
	assert all(proofs_of(shop, account, "a-password").values())
	assert create(login(shop.primary), [account], "another", DATABASE, resets_password=True)
	assert all(proofs_of(shop, account, "another").values())


def test_no_statement_has_the_password_in_it(shop, account):
	assert "a-password" not in str(create(login(shop.primary), [account], "a-password", DATABASE))


def test_the_replica_has_no_transaction_of_its_own(shop, account):
	create(login(shop.primary), [account], "a-password", DATABASE)
	shop.catch_up()
	[[state]] = shop.replicas[0].query("SELECT @@gtid_binlog_state")
	assert all(position.split("-")[1] == "1" for position in state.split(","))


MORE = {
	"a write": "GRANT INSERT ON {at}.* TO {account}",
	"temporary tables": "GRANT CREATE TEMPORARY TABLES ON {at}.* TO {account}",
	"all databases": "GRANT SELECT ON *.* TO {account}",
	"granting": "GRANT SELECT ON {at}.* TO {account} WITH GRANT OPTION",
	"a table elsewhere": "GRANT SELECT ON mysql.db TO {account}",
}


@pytest.mark.parametrize("what", MORE)
def test_an_account_that_may_do_more_is_refused_and_the_proof_fails(shop, account, what):
	create(login(shop.primary), [account], "a-password", DATABASE)
	at = identifier(DATABASE.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"))
	shop.primary.query(MORE[what].format(at=at, account=account))
	shop.catch_up()
	with pytest.raises(AccountDiffers, match="may do more"):
		create(login(shop.primary), [account], "a-password", DATABASE)
	assert not proofs_of(shop, account, "a-password")["replica01", "hold no other grant"]


def test_what_everybody_may_and_a_grant_written_by_hand_count_as_no_more():
	grants = [
		"GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*1'",
		"GRANT SELECT ON `_shop`.* TO `a`@`%`",
	]
	assert other_grants([*grants, "GRANT SELECT, INSERT ON `test`.* TO PUBLIC"], "_shop") == []
	assert other_grants([*grants, "GRANT SELECT, INSERT ON `test`.* TO `a`@`%`"], "_shop") != []


def test_the_proof_waits_for_the_grants_as_well_which_arrive_after_the_user(shop):
	account, [replica] = Account("slow", "127.0.0.%"), shop.replicas
	first, *others = create_reader([account], "a-password", DATABASE)
	shop.catch_up()
	replica.query("STOP SLAVE")
	shop.primary.query(first)
	[[position]] = shop.primary.query("SELECT @@gtid_binlog_pos")
	for statement in others:
		shop.primary.query(statement)
	replica.query(f"START SLAVE UNTIL master_gtid_pos = '{position}'")
	later = threading.Timer(2, lambda: replica.query("START SLAVE"))
	later.start()
	try:
		found = proofs_of(shop, account, "a-password")
	finally:
		later.join()
		shop.primary.query(f"DROP USER {account}")
		shop.catch_up()
	assert all(found.values()), found


def test_a_replica_where_it_does_not_arrive_is_named_with_what_to_look_at(shop, monkeypatch):
	monkeypatch.setattr("read_replica.deploy.replica_user.SECONDS_TO_ARRIVE", 0.5)
	account = Account("late", "127.0.0.%")
	shop.replicas[0].query("STOP SLAVE")
	try:
		create(login(shop.primary), [account], "a-password", DATABASE)
		servers = [login(server) for server in shop.replicas]
		[*_, failed] = prove(login(shop.primary), servers, "late", "a-password", DATABASE, TABLE)
	finally:
		shop.replicas[0].query("START SLAVE")
		shop.primary.query(f"DROP USER {account}")
	assert (failed.server, failed.passed) == ("replica01", False)
	assert "1045" in failed.seen and "SHOW REPLICA STATUS" in failed.seen


@pytest.mark.parametrize(
	("user", "host"), [("", "%"), ("a" * 81, "%"), ("a\nb", "%"), ("a", ""), ("a", "h" * 256)]
)
def test_names_that_mariadb_does_not_take_are_refused_before_anything_is_run(user, host):
	with pytest.raises(ValueError, match="write 1 to"):
		Account(user, host)


def test_grants_are_told_apart_by_more_than_their_beginning():
	assert (
		other_grants(
			["GRANT SELECT ON `shop`.* TO `a`@`%`", "GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY 'x'"], "shop"
		)
		== []
	)
	assert other_grants(["GRANT SELECT ON `shopping`.* TO `a`@`%`"], "shop")
	assert other_grants(["GRANT SELECT, INSERT ON `shop`.* TO `a`@`%`"], "shop")
	assert quoted("a'b\\") == "'a\\'b\\\\'"
