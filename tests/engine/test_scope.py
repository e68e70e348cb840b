# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from read_replica.engine.settings import Need


def server_id(host) -> int:
	return host.current().sql("SELECT @@server_id")[0][0]


def test_a_read_only_call_is_answered_by_a_replica(host, router):
	with router.read_only(Need(), "report"):
		assert server_id(host) in (2, 3)
	assert server_id(host) == 1
