# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A Redis that comes back with older data, or one in its place, is not believed to have all positions."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from read_replica.engine.dialect import Position
from read_replica.engine.shared.redis_state import impatient
from support.one_address import one_address
from support.servers import Redis
from support.waiting import until

from ..sticking.test_session import read, write

AN_HOUR = 3600


class RedisWithDumps(Redis):
	"""A Redis that reads, when it starts, what it has saved."""

	def command(self) -> list[str]:
		command = super().command()
		# Not by itself: what is written between a test's own dump and the kill is to be lost.
		command[command.index("--save") + 1] = "86400 1000000"
		return command


@pytest.fixture
def dumping() -> Iterator[RedisWithDumps]:
	with tempfile.TemporaryDirectory(prefix="rr-dumps-") as folder:
		server = RedisWithDumps(Path(folder))
		server.start()
		yield server
		server.kill()


def at_work_with(host, port: int) -> None:
	"""As in a process that has had this Redis for an hour."""
	host.shared.client = impatient(redis.Redis("127.0.0.1", port))
	host.shared.mark_incomplete(seconds_ago=AN_HOUR)


def test_what_was_written_after_the_dump_that_redis_is_back_with_is_seen(stopped, host, router, dumping):
	at_work_with(host, dumping.port)
	assert read(host, router)[1] in (2, 3)
	host.end_request(router)
	dumping.client().save()
	write(host, router, 11)
	dumping.kill()
	dumping.start()
	assert read(host, router) == (11, 1)


def test_what_the_redis_that_takes_anothers_place_was_not_told_is_seen(stopped, host, router, dumping):
	with tempfile.TemporaryDirectory(prefix="rr-copy-") as folder:
		copy = Redis(Path(folder))
		copy.start()
		try:
			with one_address(dumping) as address:
				at_work_with(host, address.port)
				copy.client().replicaof("127.0.0.1", dumping.port)
				until(lambda: copy.client().dbsize() == dumping.client().dbsize() > 0)
				# It is told nothing from now on, as where the other one dies before it has passed on all.
				copy.client().replicaof("NO", "ONE")
				write(host, router, 11)
				address.servers = [copy]
				dumping.kill()
				assert read(host, router) == (11, 1)
		finally:
			copy.kill()


def test_a_redis_that_goes_on_is_asked_once_for_each_connection_who_it_is(host, dumping):
	dumping.client().config_resetstat()
	at_work_with(host, dumping.port)
	for number in range(1, 50):
		host.shared.keep_position({"clerk"}, Position(f"0-1-{number}"))
		assert host.shared.position_of("clerk").known_for == pytest.approx(AN_HOUR, abs=30)
	assert dumping.client().info("commandstats")["cmdstat_info"]["calls"] == 1


def test_a_redis_that_does_not_tell_who_it_is_goes_on_to_be_believed(host, dumping):
	dumping.client().execute_command("ACL", "SETUSER", "default", "-info")
	at_work_with(host, dumping.port)
	host.shared.keep_position({"clerk"}, Position("0-1-5"))
	found = host.shared.position_of("clerk")
	assert found.position == Position("0-1-5")
	assert found.known_for == pytest.approx(AN_HOUR, abs=30)
