# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A call with consistency="strong" shows what anybody had committed before it, wherever it stands."""

import pytest

from read_replica.engine.settings import Need

STRONG = Need(consistency="strong")


@pytest.fixture
def commit(shop):
	"""Somebody else commits a stock of bolts, and the replicas have it."""

	def commit(quantity: int) -> None:
		shop.primary.query("UPDATE shop.stock SET qty = %s WHERE item = 'bolt'", (quantity,))
		shop.catch_up()

	return commit


def quantity(host) -> int:
	return host.current().sql("SELECT qty FROM stock WHERE item = 'bolt'")[0][0]


@pytest.mark.parametrize("outer", ["eventual", "session", "strong"])
def test_inside_a_scope_it_shows_what_was_committed_since_that_began(host, router, commit, outer):
	with router.read_only(Need(consistency=outer), "outer"):
		assert quantity(host) == 10
		commit(11)
		with router.read_only(STRONG, "inner"):
			assert quantity(host) == 11
		assert quantity(host) == 10, "the scope around it goes on with its snapshot"


def test_inside_a_scope_that_stays_on_the_primary_too(host, router, commit):
	with router.read_only(Need(), "outer") as scope:
		scope.pin()
		assert quantity(host) == 10
		commit(11)
		with router.read_only(STRONG, "inner"):
			assert quantity(host) == 11


def test_inside_a_primary_block_too(host, router, commit):
	with router.primary():
		assert quantity(host) == 10
		commit(11)
		with router.read_only(STRONG, "inner"):
			assert quantity(host) == 11


@pytest.mark.parametrize("around", ["scope", "block"])
def test_what_is_written_and_not_committed_around_it_stays_in_its_transaction(host, router, commit, around):
	opened = router.read_only(Need(), "outer") if around == "scope" else router.primary()
	with opened:
		host.current().sql("UPDATE stock SET qty = 21 WHERE item = 'nut'")
		with router.read_only(STRONG, "inner"):
			assert host.current().sql("SELECT qty FROM stock WHERE item = 'nut'") == ((21,),)
	host.current().rollback()
	assert host.current().sql("SELECT qty FROM stock WHERE item = 'nut'") == ((20,),)


def test_a_call_inside_that_leaves_its_consistency_open_reads_from_the_same_snapshot(host, router, commit):
	with router.read_only(STRONG, "outer"):
		assert quantity(host) == 10
		commit(11)
		with router.read_only(Need(), "inner"):
			assert quantity(host) == 10
