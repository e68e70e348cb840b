# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A server is proved by what its processes, its Redis and its database say themselves."""

from collections.abc import Iterator

import pytest

from read_replica.deploy import server_proofs
from read_replica.deploy.replica_user import Proof
from read_replica.deploy.server_plan import BenchFolder
from read_replica.deploy.server_role import Role
from read_replica.deploy.servers import Login
from support.servers import ROOT_PASSWORD, Redis
from support.supervised_bench import SupervisedBench


def failed(proofs: Iterator[Proof]) -> list[str]:
	return [proof.tried for proof in proofs if not proof.passed]


@pytest.fixture
def redis_server(tmp_path) -> Iterator[Redis]:
	server = Redis(tmp_path)
	server.start()
	yield server
	server.stop()


def test_a_redis_that_lets_everyone_in_or_listens_everywhere_is_told(redis_server):
	url = f"redis://{redis_server.host}:{redis_server.port}"
	conf = {"redis_cache": url, "redis_queue": url}
	open_to_all = ["it lets nobody in without the password"] * 2
	assert failed(server_proofs.of_redis(conf)) == open_to_all
	client = redis_server.client()
	client.config_set("requirepass", "secret")
	with_password = {key: url.replace("//", "//:secret@") for key in conf}
	assert failed(server_proofs.of_redis(with_password)) == []
	assert failed(server_proofs.of_redis(conf)) == ["it lets the site in"] * 2


@pytest.mark.parametrize(
	"bind", ["*", "0.0.0.0", "::", "127.0.0.1 8.8.8.8", "-::*", "127.0.0.1 -2a01:4f8::1"]
)
def test_each_form_of_a_public_address_is_known(bind):
	addresses = [address.lstrip("-") for address in bind.split()]
	assert any(server_proofs._is_public(address) for address in addresses)
	assert not server_proofs._is_public("10.0.0.2") and not server_proofs._is_public("::1")


def test_processes_without_the_id_and_a_scheduler_too_many_are_told(tmp_path):
	bench = SupervisedBench(tmp_path)
	bench.start()
	try:
		bench.settled()
		found = list(server_proofs.of_processes(BenchFolder(bench.folder), Role("secondary", False)))
	finally:
		bench.stop()
	assert failed(found) == ["it has SERVER_ID=secondary"] * 4 + ["no scheduler runs"]
	gone = list(server_proofs.of_processes(BenchFolder(bench.folder), Role("secondary", True)))
	assert failed(gone) == ["a web process runs", "a worker process runs", "a scheduler runs"]


def test_another_database_server_than_the_first_ones_is_told(servers):
	login = Login("primary", servers.primary.host, servers.primary.port, "root", ROOT_PASSWORD)
	same = Role("secondary", False, database_server=server_proofs.identity_of(login))
	assert failed(server_proofs.of_database(login, same)) == []
	[replica] = servers.replicas
	other = Login("primary", replica.host, replica.port, "root", ROOT_PASSWORD)
	assert failed(server_proofs.of_database(other, same)) == ["it is the primary of the first server"]
	nobody = Login("primary", replica.host, replica.port, "nobody", "wrong")
	[proof] = server_proofs.of_database(nobody, same)
	assert not proof.passed and "1045" in proof.seen and "wrong" not in proof.seen
