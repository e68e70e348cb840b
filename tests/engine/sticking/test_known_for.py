# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Where a user's writes are known only for a while, as after Redis was flushed: what may lack older ones is not read."""

import time

import pytest

from read_replica.engine.dialect import Position
from read_replica.engine.reasons import Reason
from read_replica.engine.selector import Selection
from read_replica.engine.settings import DEFAULTS, Endpoint
from support.one_address import one_address

from ..conftest import close, endpoint, make_router


def found(router, host, known_for: float) -> bool:
	"""Whether a server is found for whoever's writes are known for so many seconds."""
	selection = router.selector.find(DEFAULTS, Position(), host.current(), known_for)
	if isinstance(selection, Selection):
		selection.lease.give_back()
		return True
	assert selection is Reason.BEHIND
	return False


@pytest.mark.parametrize(
	("age", "known_for", "is_read"), [(0, 1, False), (0, 2, True), (1, 2, False), (1, 3, True)]
)
def test_a_verdict_may_be_older_than_it_seems_by_its_age_and_by_a_second_and_a_half(
	shop, host, age, known_for, is_read
):
	"""So what was committed in that time may be missing where its lag is 0."""
	router = make_router(host, endpoint(shop.replicas[0]))
	router.health.check_now()
	router.stop()
	router.health._updated_at = time.monotonic() - age
	assert router.health.verdict_of("replica01").lag < 0.4
	assert found(router, host, known_for) is is_read


@pytest.mark.parametrize(("known_for", "is_read"), [(1, False), (3, True)])
def test_so_may_the_answer_of_a_server_that_the_probe_has_not_reached(shop, host, known_for, is_read):
	with one_address(shop.replicas[0]) as address:
		router = make_router(host, Endpoint(name="readers", host=address.host, port=address.port))
		router.health.check_now()
		router.replicas[0].pool.close_idle()
		address.servers = [shop.replicas[1]]
		# Whether its address leads to several servers is known before: else the verdict decides alone.
		assert found(router, host, 600)
		assert router.selector.are_several("readers")
		assert found(router, host, known_for) is is_read
		close(router)
