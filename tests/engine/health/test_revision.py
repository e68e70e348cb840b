# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a host keeps on the primary: every process hears that it has changed, with the health of the replicas."""

import pytest

from read_replica.engine.health.health_check import SECONDS_TO_ANSWER
from read_replica.engine.health.verdict import from_text
from support.plain import PlainHost
from support.servers import Cluster

from ..conftest import close, endpoint, make_router, until


@pytest.fixture
def router_of(shop: Cluster, host: PlainHost):
	"""Makes routers of processes in which the host keeps something in the table `log`."""
	made = []

	def make(of: PlainHost = host):
		of.shared = host.shared
		of.revision = "(SELECT COUNT(*) FROM log)"
		made.append(make_router(of, *[endpoint(replica) for replica in shop.replicas]))
		return made[-1]

	yield make
	for router in made:
		close(router)


@pytest.fixture
def other(shop: Cluster) -> PlainHost:
	return PlainHost(shop.primary.address("shop"), shop.redis.client())


def test_each_check_asks_the_primary_for_what_is_committed_now(shop: Cluster, router_of):
	router = router_of()
	router.health.check_now()
	assert router.health.revision == "0"
	shop.primary.query("INSERT INTO shop.log (text) VALUES ('a change')")
	router.health.check_now()
	assert router.health.revision == "1"


def test_a_change_reaches_the_processes_that_do_not_ask_the_primary(shop: Cluster, router_of, other):
	first, second = router_of(), router_of(other)
	for router in (first, second):
		router._watchdog.notice_call()
	until(lambda: first.health.revision == second.health.revision == "0")
	assert not (first.health.is_prober and second.health.is_prober)
	shop.primary.query("INSERT INTO shop.log (text) VALUES ('a change')")
	until(lambda: first.health.revision == second.health.revision == "1")
	assert max(first.health.revision_age, second.health.revision_age) < 60


def test_a_primary_that_does_not_answer_leaves_the_revision_as_it_was_and_older(shop: Cluster, router_of):
	router = router_of()
	assert router.health.revision is None and router.health.revision_age == float("inf")
	router.health.check_now()
	shop.primary.freeze()
	try:
		before = router.health.revision_age
		router.health.check_now()
		assert router.health.revision == "0"
		assert router.health.revision_age > before
	finally:
		shop.primary.thaw()


def test_it_is_as_old_as_the_question_however_long_a_frozen_replica_is_waited_for(
	shop: Cluster, router_of, other
):
	first, second = router_of(), router_of(other)
	first.health.check_now()
	shop.replicas[0].freeze()
	try:
		first.health.check_now()
		assert first.health.revision_age >= SECONDS_TO_ANSWER
		second.health.refresh()
		assert second.health.revision == "0"
		assert second.health.revision_age >= SECONDS_TO_ANSWER, "those that are told know it too"
	finally:
		shop.replicas[0].thaw()


def test_verdicts_of_an_older_version_tell_no_revision(router_of):
	router = router_of()
	router.health.check_now()
	published = router.host.shared.read_health(router.health.fleet)
	assert published and from_text(published[0]).revision == "0"
	assert from_text('{"at": 1, "verdicts": [], "history": []}').revision is None
