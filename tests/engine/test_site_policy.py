# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A router follows what may change while the site runs: its switch, and what calls are given that leave things open."""

from dataclasses import replace

import pytest

from read_replica.engine.errors import WriteInReadOnlyScope
from read_replica.engine.reasons import Reason
from read_replica.engine.router import Router
from read_replica.engine.settings import AS_CONFIGURED, DEFAULTS, Need, Settings

from .conftest import endpoint

METHOD = "app.method"


@pytest.fixture
def configured(shop, host):
	"""A router whose configuration names a max_lag for the site, and another one for a pool."""
	settings = Settings(
		replicas=(endpoint(shop.replicas[0]),),
		defaults=replace(DEFAULTS, max_lag=20),
		max_lag_of_pool=(("reports", 600),),
	)
	router = Router(settings, host)
	router.health.check_now()
	yield router
	router.stop()


def given(router: Router, need: Need = AS_CONFIGURED):
	with router.read_only(need, METHOD) as scope:
		return scope.need


def test_a_paused_router_keeps_the_next_call_on_the_primary_and_goes_on_when_it_is_over(configured):
	configured.follow(AS_CONFIGURED, paused=True)
	with configured.read_only(Need(on_unavailable="error"), METHOD) as scope:
		assert scope is None
	assert configured.metrics.of("primary", Reason.PAUSED) == 1
	configured.follow(AS_CONFIGURED, paused=False)
	with configured.read_only(AS_CONFIGURED, METHOD) as scope:
		assert scope.replica.name == configured.replicas[0].name


def test_a_call_that_has_begun_before_the_pause_ends_where_it_is(configured):
	with configured.read_only(AS_CONFIGURED, METHOD) as scope:
		configured.follow(AS_CONFIGURED, paused=True)
		assert configured.host.current() is scope.database
		assert scope.database.sql("SELECT COUNT(*) FROM stock")[0][0] == 3
		assert not scope.pinned


def test_a_call_that_may_not_write_may_not_in_a_pause_either(configured):
	configured.follow(AS_CONFIGURED, paused=True)
	with pytest.raises(WriteInReadOnlyScope):
		with configured.read_only(Need(on_write="error"), METHOD):
			configured.host.current().sql("DELETE FROM stock")


def test_what_a_call_leaves_open_is_as_the_site_says_now(configured):
	assert given(configured).max_lag == 20
	configured.follow(Need(max_lag=7, consistency="eventual", on_unavailable="error"), paused=False)
	assert (given(configured).max_lag, given(configured).consistency) == (7, "eventual")
	assert given(configured).on_unavailable == "error"
	assert given(configured, Need(max_lag=3, consistency="session")).max_lag == 3
	configured.follow(AS_CONFIGURED, paused=False)
	assert (given(configured).max_lag, given(configured).consistency) == (20, "session")


def test_what_a_pool_accepts_counts_before_what_the_site_says_now(configured):
	configured.follow(Need(max_lag=7), paused=False)
	assert given(configured, Need(pool="reports")).max_lag == 600


def test_a_replica_counts_as_late_by_what_the_site_says_now(configured):
	configured.follow(Need(max_lag=7), paused=False)
	assert configured.health.max_lag == 7
