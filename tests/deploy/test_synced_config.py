# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Of site_config.json, the primary's server says what holds, and the second server keeps what is its own."""

import pytest

from read_replica.deploy.synced_config import CannotTakeOver, TakenOver, take_over

SITE = {"db_name": "_1", "db_password": "p"}


def over(there: dict, here: dict | None = None, last: TakenOver | None = None, has_address: bool = True):
	merged, taken = take_over(SITE | there, SITE | (here or {}), last or TakenOver(), has_address)
	return {key: value for key, value in merged.items() if key not in SITE}, taken


def test_values_of_the_other_server_hold_and_keys_that_only_this_one_has_stay():
	assert over({"limit": 5, "new": 1}, {"limit": 4, "own": 2})[0] == {"limit": 5, "own": 2, "new": 1}


def test_a_key_that_came_over_and_is_gone_there_goes_here_too():
	after, taken = over({"limit": 5}, {"own": 2})
	assert over({}, after, taken)[0] == {"own": 2}


@pytest.mark.parametrize("host", [None, "localhost", "127.0.0.1", "127.0.1.1", "::1"])
def test_an_address_that_leads_each_server_to_itself_never_comes_over(host):
	there = {"db_host": host, "db_port": 3307} if host else {"db_port": 3307}
	assert over(there)[0] == {}
	assert over(there, {"db_host": "10.0.0.1"})[0] == {"db_host": "10.0.0.1"}
	assert over({"db_socket": "/run/mysqld.sock"})[0] == {}


def test_without_any_address_of_the_primary_nothing_is_taken_over():
	with pytest.raises(CannotTakeOver, match="db_host into common_site_config"):
		over({"db_host": "localhost"}, has_address=False)
	# As where a proxy on each server leads to the primary.
	assert over({}, {"db_host": "127.0.0.1"}, has_address=False)[0] == {"db_host": "127.0.0.1"}


def test_an_address_that_came_over_follows_the_other_server_and_one_of_its_own_does_not():
	after, taken = over({"db_host": "db1"}, has_address=False)
	assert after == {"db_host": "db1"}
	moved, taken = over({"db_host": "db2"}, after, taken)
	assert moved == {"db_host": "db2"}
	assert over({"db_host": "db3"}, {"db_host": "proxy"}, taken)[0] == {"db_host": "proxy"}


OWN = {"read_replica": {"replicas": [{"host": "127.0.0.1"}]}}
THEIRS = {"read_replica": {"replicas": [{"host": "10.0.0.2", "password": "new"}]}}


def test_replicas_of_its_own_stay_as_one_and_those_that_came_over_follow():
	assert over(THEIRS, OWN)[0] == OWN
	# Not half of one form and half of the other.
	assert over({"read_from_replica": 1, "replica_host": "r"}, OWN)[0] == OWN
	after, taken = over(THEIRS)
	assert after == THEIRS
	assert over(OWN, after, taken)[0] == OWN
	assert over({}, after, taken)[0] == {}
	assert over({}, OWN, taken)[0] == OWN


def test_what_the_other_server_is_doing_does_not_come_over():
	there = {"maintenance_mode": 1, "pause_scheduler": 1, "developer_mode": 1}
	assert over(there, {"pause_scheduler": 0})[0] == {"pause_scheduler": 0}


def test_run_twice_it_changes_nothing_also_where_the_stamp_was_lost():
	there = THEIRS | {"limit": 5, "db_host": "db1", "host_name": "https://example.com"}
	after, taken = over(there, {"own": 1})
	assert over(there, after, taken) == (after, taken)
	assert over(there, after) == (after, taken)


def test_another_site_and_another_encryption_key_are_refused():
	with pytest.raises(CannotTakeOver, match="another site"):
		over({"db_name": "_2"})
	with pytest.raises(CannotTakeOver, match="no db_password"):
		take_over({"db_name": "_1"}, {}, TakenOver(), True)
	with pytest.raises(CannotTakeOver, match="different encryption keys"):
		over({"encryption_key": "a"}, {"encryption_key": "b"})


def test_an_encryption_key_is_never_lost():
	after, taken = over({"encryption_key": "a"})
	assert over({}, after, taken)[0] == {"encryption_key": "a"}


def test_nothing_of_a_value_can_be_read_from_what_is_remembered():
	_, taken = over(THEIRS)
	assert "new" not in str(taken) and "10.0.0.2" not in str(taken)
