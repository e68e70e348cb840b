# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The doctor finds nothing on Redis servers that are right, and of each thing that is wrong it names that one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from read_replica.deploy import doctor, redis_checks
from read_replica.deploy.redis_facts import Redises
from support.docs import Page
from support.servers import Redis


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Iterator[tuple[Redis, Redis]]:
	servers = [Redis(tmp_path_factory.mktemp(name)) for name in ("cache", "queue")]
	for server in servers:
		server.start()
	yield tuple(servers)
	for server in servers:
		server.stop()


def url(server: Redis, password: str = "") -> str:
	return f"redis://{password and f':{password}@'}{server.host}:{server.port}"


def known(two: tuple[Redis, Redis], **conf: str) -> Redises:
	cache, queue = two
	return Redises({"redis_cache": url(cache), "redis_queue": url(queue)} | conf)


def wrong(servers: Redises) -> dict[str, str]:
	found = doctor.run(redis_checks.CHECKS, servers)
	return {one.id: one.status for one in found if one.status not in ("ok", "skipped")}


def test_all_is_well_on_two_servers_that_only_this_machine_reaches(two):
	found = doctor.run(redis_checks.CHECKS, known(two))
	assert [(one.id, one.status, one.seen) for one in found if one.status != "ok"] == []


@pytest.mark.parametrize("address", ["redis://127.0.0.1:1", ""])
def test_one_that_is_down_or_not_configured_is_named_and_the_other_is_looked_at(two, address):
	servers = known(two, redis_queue=address)
	found = {one.id: one for one in doctor.run(redis_checks.CHECKS, servers)}
	assert found["redis-reachable"].status == "fail" and "redis_queue" in found["redis-reachable"].seen
	assert found["redis-keeps-jobs"].status == "skipped"
	assert "because redis_queue cannot be asked" in found["redis-keeps-jobs"].seen


@pytest.mark.parametrize("password", ["pa#s3cret", "pa/s3cret", "pa?s3cret", "[s3cret"])
def test_a_password_that_makes_an_address_unreadable_is_not_told(two, password):
	servers = known(two, redis_queue=url(two[1], password))
	found = {one.id: one for one in doctor.run(redis_checks.CHECKS, servers)}
	assert found["redis-reachable"].status == "fail" and "%23" in found["redis-reachable"].seen
	assert not [one for one in found.values() if "s3cret" in one.seen or "'pa'" in one.seen]


def test_one_server_for_both_is_named(two):
	assert wrong(known(two, redis_queue=url(two[0]))) == {"redis-cache-and-queue-apart": "warn"}


def test_a_server_of_queues_that_deletes_when_it_is_full_is_named(two):
	client = two[1].client()
	client.config_set("maxmemory", 2**30)
	client.config_set("maxmemory-policy", "allkeys-lru")
	try:
		assert wrong(known(two)) == {"redis-keeps-jobs": "fail"}
		client.config_set("maxmemory-policy", "noeviction")
		assert wrong(known(two)) == {}
		client.config_set("maxmemory", client.info()["used_memory"] + 10_000)
		assert wrong(known(two)) == {"redis-keeps-jobs": "warn"}
	finally:
		client.config_set("maxmemory-policy", "noeviction")
		client.config_set("maxmemory", 0)


def test_a_password_is_asked_for_and_not_read(two):
	client = two[0].client()
	servers = known(two)
	two[0].client().config_set("protected-mode", "no")
	try:
		assert wrong(known(two)) == {"redis-protected-mode": "warn"}
		# As another machine would see it.
		servers.cache.host = "10.0.0.2"
		assert wrong(servers)["redis-password"] == "fail"
		client.config_set("requirepass", "secret")
		client.execute_command("AUTH", "secret")
		with_password = known(two, redis_cache=url(two[0], "secret"))
		with_password.cache.host = "10.0.0.2"
		assert wrong(with_password) == {}
		# The user default is open again, as with an aclfile, whatever requirepass says.
		client.execute_command("ACL", "SETUSER", "default", "nopass")
		still = known(two)
		still.cache.host = "10.0.0.2"
		assert wrong(still)["redis-password"] == "fail"
	finally:
		client.config_set("requirepass", "")
		client.config_set("protected-mode", "yes")


def test_a_replica_and_an_old_version_are_named_by_what_they_say(two):
	for change, expected in (
		({"role": "slave"}, {"redis-is-no-replica": "fail"}),
		({"redis_version": "5.0.14"}, {"redis-version": "warn"}),
	):
		servers = known(two)
		state = servers.cache.state
		servers.cache._known["state"] = replace(state, info=state.info | change)
		assert wrong(servers) == expected


def test_settings_that_may_not_be_seen_are_skipped(two):
	servers = known(two)
	for server in servers.all:
		server._known["state"] = replace(server.state, config={})
	found = {one.id: one.status for one in doctor.run(redis_checks.CHECKS, servers)}
	assert found["redis-protected-mode"] == "skipped" and found["redis-password"] == "ok"


def test_each_check_is_explained_where_its_link_leads():
	page = Page("docs/doctor.md")
	for one in redis_checks.CHECKS:
		assert one.id in page.anchors and one.expected in page.text and one.fix in page.text
