# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which processes are at work, and which revision of the policy each has heard of."""

import os

from read_replica.engine.shared import process_list
from support.plain import PlainHost

from ..conftest import close, endpoint, make_router, until

OTHERS_CLOCK = 3600


def routers(shop, host, count=3):
	made = []
	for _ in range(count):
		one = PlainHost(shop.primary.address("shop"), shop.redis.client())
		one.shared = host.shared
		one.revision = "(SELECT COUNT(*) FROM log)"
		made.append(make_router(one, *[endpoint(replica) for replica in shop.replicas]))
	return made


def heard(host) -> list:
	return [note.revision for note in host.shared.load_processes()]


def test_each_process_at_work_notes_what_it_has_heard_of(shop, host):
	made = routers(shop, host)
	try:
		for router in made:
			router._watchdog.notice_call()
		until(lambda: heard(host) == ["0"] * 3)
		shop.primary.query("INSERT INTO shop.log (text) VALUES ('a change')")
		until(lambda: heard(host) == ["1"] * 3)
		assert len({note.owner for note in host.shared.load_processes()}) == 3
		assert all(note.owner.startswith(f"{os.getpid()}-") for note in host.shared.load_processes())
	finally:
		for router in made:
			close(router)


def test_a_process_that_rests_does_not_count(shop, host):
	[router] = routers(shop, host, 1)
	router._watchdog.notice_call()
	until(lambda: len(heard(host)) == 1)
	close(router)
	until(lambda: heard(host) == [])


def test_a_process_that_was_killed_counts_for_some_seconds_and_leaves_nothing(shop, host, monkeypatch):
	monkeypatch.setattr(process_list, "SECONDS_A_PROCESS_COUNTS", 1)
	killed, alive = routers(shop, host, 2)
	killed.health.run_round()
	assert len(heard(host)) == 1
	alive._watchdog.notice_call()
	try:
		until(lambda: [note.owner for note in host.shared.load_processes()] == [alive.health._owner])
		client = shop.redis.client()
		until(lambda: client.hlen(host.shared._key("revisions")) == 1)
	finally:
		close(alive)
		close(killed)


def test_a_process_that_has_heard_nothing_yet_is_told_apart_from_one_without_a_change(shop, host):
	[router] = routers(shop, host, 1)
	host.shared.read_health(router.health.fleet, router.health._note())
	assert heard(host) == [None]
	close(router)


def test_health_is_read_although_the_note_is_refused(shop, host, router):
	"""As by a Redis whose rules forbid scripts."""
	router.health.check_now()
	client = shop.redis.client()
	client.set(host.shared._key("processes"), "of another kind")
	assert host.shared.read_health(router.health.fleet, router.health._note()) is not None
	client.delete(host.shared._key("processes"))
