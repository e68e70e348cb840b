# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""After an uninstall nothing is left in Redis, though processes go on for a while that know the site."""

from read_replica.engine.metrics import PRIMARY
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import Need

from ..conftest import close, endpoint, make_router, until


def read(host, router) -> None:
	with router.read_only(Need(), "report"):
		host.current().sql("SELECT 1")
	host.end_request(router)


def keys(router) -> set[bytes]:
	return {
		key.rpartition(b"|")[2]
		for key in router.host.shared.client.keys(f"{router.host.shared._prefix}|*")
		if router.host.shared.client.ttl(key) < 0 or router.host.shared.client.ttl(key) > 120
	}


def test_a_process_that_goes_on_leaves_nothing_and_begins_again_after_an_install(host, shop):
	router = make_router(host, *map(endpoint, shop.replicas))
	shared = host.shared
	read(host, router)
	router.share_counts()
	assert keys(router) >= {b"counts", b"beginning"}
	shared.forget_for_good()
	router.metrics.count(PRIMARY, Reason.RULE, "a")
	shared.mark_incomplete()
	until(lambda: not keys(router) and not router._watchdog._thread.is_alive())
	router.metrics.count(PRIMARY, Reason.RULE, "b")
	router.share_counts()
	assert not keys(router)

	shared.forget()
	read(host, router)
	until(lambda: b"counts" in keys(router))
	close(router)
