# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Redis lets in who has the password and nobody else, on the addresses that it is given, and never on a public one."""

from collections.abc import Iterator

import pytest
import redis

from read_replica.deploy import bench_programs, lan_address, overlays, redis_access
from read_replica.deploy.server_role import Role
from support.supervised_bench import SupervisedBench
from support.waiting import until

PASSWORD = redis_access.new_password()
# Another address of this machine's loopback, in the place of one in a local network.
OTHER_ADDRESS = "127.0.0.2"
VERSION = (7, 0)


@pytest.fixture
def bench(tmp_path) -> Iterator[SupervisedBench]:
	made = SupervisedBench(tmp_path)
	made.start()
	made.settled()
	yield made
	made.stop()


def pings(url: str) -> str:
	"""PONG, or what stands in its way."""
	try:
		with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
			return "PONG" if client.ping() else ""
	except redis.RedisError as error:
		return type(error).__name__


def test_only_who_has_the_password_is_let_in_and_on_the_address_that_was_given(bench):
	port = bench.ports["queue"]
	assert pings(f"redis://127.0.0.1:{port}") == "PONG"
	assert pings(f"redis://{OTHER_ADDRESS}:{port}") == "ConnectionError"
	for name in ("cache", "queue"):
		redis_access.acl_change(bench.config / f"redis_{name}.acl", PASSWORD, VERSION).write()
	programs = bench_programs.read(bench.config / "supervisor.conf", "erp")
	link = overlays.link_behind(overlays.bench_link(bench.config, (bench.conf_d,)))
	link.write_text(
		overlays.for_supervisor(
			programs, Role("primary", True, (), ("redis-cache", "redis-queue"), OTHER_ADDRESS)
		)
	)
	bench.ctl("reread")
	bench.ctl("update")
	bench.settled()
	for name in ("cache", "queue"):
		port = bench.ports[name]
		for address in ("127.0.0.1", OTHER_ADDRESS):
			with redis.Redis.from_url(redis_access.url(PASSWORD, address, port)) as client:
				until(lambda: _answers(client))
				assert client.config_get("bind") == {"bind": f"127.0.0.1 {OTHER_ADDRESS}"}
				client.publish("events", "1")
			assert pings(f"redis://{address}:{port}") == "AuthenticationError"
			assert pings(redis_access.url("wrong", address, port)) == "AuthenticationError"
		assert pings(redis_access.url(PASSWORD, "127.0.0.3", port)) == "ConnectionError"


def _answers(client: redis.Redis) -> bool:
	try:
		return client.ping()
	except redis.ConnectionError:
		return False


def test_other_users_of_an_aclfile_stay_and_a_second_time_changes_nothing(tmp_path):
	acl = tmp_path / "redis_queue.acl"
	acl.write_text("user default on nopass ~* &* +@all\nuser rq on >secret ~* &* +@all\n")
	acl.chmod(0o640)
	change = redis_access.acl_change(acl, PASSWORD, VERSION)
	assert PASSWORD not in change.diff() and "#" not in change.diff() and "secret" not in change.diff()
	change.write()
	assert "user rq on >secret ~* &* +@all" in acl.read_text() and "nopass" not in acl.read_text()
	assert PASSWORD not in acl.read_text() and acl.stat().st_mode & 0o777 == 0o640
	assert not redis_access.acl_change(acl, PASSWORD, VERSION)


def test_a_password_that_somebody_else_has_set_is_not_replaced(tmp_path):
	acl = tmp_path / "redis_cache.acl"
	acl.write_text("user default on >theirs ~* &* +@all\n")
	with pytest.raises(ValueError, match="another password"):
		redis_access.acl_change(acl, PASSWORD, VERSION)
	assert not redis_access.acl_change(acl, "theirs", VERSION)


def test_a_redis_without_rights_for_channels_gets_a_line_that_it_can_read(tmp_path):
	acl = tmp_path / "redis_cache.acl"
	assert "&" not in redis_access.acl_change(acl, PASSWORD, (6, 0, 16)).after
	with pytest.raises(ValueError, match=r"Redis 5\.0 has no aclfile"):
		redis_access.acl_change(acl, PASSWORD, (5, 0))


@pytest.mark.parametrize(
	"address", ["10.0.0.2", "192.168.1.5", "172.16.0.1", "100.64.0.7", "fd00::2", "[fd00::2]"]
)
def test_an_address_of_a_local_network_is_taken(address):
	assert lan_address.checked(address) == address.strip("[]")


def test_an_address_of_version_4_within_one_of_version_6_is_told_as_the_former():
	assert lan_address.checked("::ffff:10.0.0.2") == "10.0.0.2"


@pytest.mark.parametrize(
	("address", "reason"),
	[
		("8.8.8.8", "public"),
		("2a01:4f8::1", "public"),
		("::ffff:8.8.8.8", "public"),
		("0.0.0.0", "many addresses"),
		("::", "many addresses"),
		("224.0.0.1", "many addresses"),
		("127.0.0.1", "cannot reach"),
		("::1", "cannot reach"),
		("fe80::1", "cannot reach"),
		("localhost", "no IP address"),
		("10.0.0.0/8", "no IP address"),
		("*", "no IP address"),
	],
)
def test_any_other_address_is_refused_with_the_reason(address, reason):
	with pytest.raises(ValueError, match=reason):
		lan_address.checked(address)


def test_an_address_that_this_machine_does_not_have_is_refused_as_redis_would_not_start():
	lan_address.check_is_of_this_machine(OTHER_ADDRESS)
	# Set aside for documentation.
	for address in ("203.0.113.77", "2001:db8::77"):
		with pytest.raises(ValueError, match="no address of this machine"):
			lan_address.check_is_of_this_machine(address)


def test_an_address_of_version_6_stands_in_brackets_in_a_url():
	assert redis_access.url("pw", "fd00::2", 13000) == "redis://:pw@[fd00::2]:13000"
