# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Servers of one site with a cache Redis for each: what a user saves through one is seen through the other."""

import contextlib
import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import frappe
import pytest
import redis
from frappe.core.doctype.user.user import generate_keys
from frappe.utils.password import get_encryption_key

from read_replica.engine.shared.redis_state import impatient
from read_replica.engine.shared.shared_state import SharedState
from support.servers import Redis
from support.trouble import standing_still
from support.waiting import until
from support.web_bench import Client, WebBench

from .conftest import CLERK, REPLICAS, connected, full_form

# The replicas of these tests are stopped, and are used all the same.
AN_HOUR = 3600

# Two are promised; a busy machine may be late by as much again.
SECONDS_FOR_A_RULE = 5

EVERYWHERE = (1, *REPLICAS)


class Servers(NamedTuple):
	"""The first one has the Redis of the tests' own bench."""

	a: WebBench
	b: WebBench
	redis_of_b: Redis


@pytest.fixture(scope="module")
def both(sites, servers) -> Iterator[Servers]:
	with connected():
		# Made when it is first asked for, and written into the site's configuration.
		get_encryption_key()
	with tempfile.TemporaryDirectory(prefix="rr-two-") as folder, contextlib.ExitStack() as stack:
		stack.callback(forget_redises)
		(Path(folder) / "redis").mkdir()
		other = Redis(Path(folder) / "redis")
		other.start()
		stack.callback(other.kill)
		made = []
		for server_id, port in (("a", servers.redis.port), ("b", other.port)):
			made.append(WebBench(Path(folder) / server_id, sites, server_id, port))
			stack.callback(made[-1].stop)
			made[-1].start_web()
		yield Servers(*made, other)


@pytest.fixture
def apart(both, configured, servers) -> Servers:
	"""Both servers have been at work for an hour."""
	configured.configure(read_replica=full_form(servers, max_lag=AN_HOUR))
	for server in both[:2]:
		assert Client().log_in(server).call(server, "sample_app.api.decorated") in EVERYWHERE
	as_for_an_hour(both)
	until(lambda: all(several_for(server) > AN_HOUR for server in both[:2]))
	return both


def several_for(server: WebBench) -> float:
	"""Since when the processes of a server know of several Redises, in seconds; 0: they do not."""
	client = redis.Redis("127.0.0.1", server.redis_port)
	[key] = client.keys("read_replica|*|redises") or [""]
	return json.loads(client.get(key) or "[0, 0]")[1] or 0


def forget_redises() -> None:
	with connected():
		frappe.db.delete("Cache Redis")
		frappe.db.commit()


def as_for_an_hour(both: Servers, since: str = "utc_timestamp(6) - interval 2 hour") -> None:
	"""What users have written is known for an hour, in both Redises, and that these are two since then."""
	with connected():
		prefix = f"read_replica|{frappe.conf.db_name}"
		frappe.db.sql(f"update `tabCache Redis` set in_use_since = {since}")
		frappe.db.commit()
	for server in both[:2]:
		SharedState(impatient(redis.Redis("127.0.0.1", server.redis_port)), prefix).mark_incomplete(
			seconds_ago=AN_HOUR
		)


@pytest.fixture(scope="module")
def token(both) -> dict[str, str]:
	"""What an API client of the clerk's sends, and nothing else."""
	with connected():
		frappe.set_user("Administrator")
		secret = generate_keys(CLERK)["api_secret"]
		key = frappe.db.get_value("User", CLERK, "api_key")
		frappe.db.commit()
	return {"Authorization": f"token {key}:{secret}"}


@pytest.fixture
def directions(apart, servers) -> Callable[[], Iterator[tuple[WebBench, WebBench]]]:
	"""From each server to the other, with replicas that had been in step and stop applying what is committed."""

	def in_turn():
		for one, other in ((apart.a, apart.b), (apart.b, apart.a)):
			with standing_still(servers):
				yield one, other

	return in_turn


def test_a_browser_finds_on_one_server_what_it_has_saved_through_the_other(apart, directions):
	browser = Client().log_in(apart.a)
	for one, other in directions():
		name = browser.saves(one)
		assert browser.finds(other, name)


def test_so_does_an_api_client_that_keeps_no_cookies(directions, token):
	for one, other in directions():
		name = Client(token).saves(one)
		assert Client(token).finds(other, name)


def test_so_does_another_browser_of_the_same_user(apart, directions):
	first, second = Client().log_in(apart.a), Client().log_in(apart.b)
	for one, other in directions():
		name = first.saves(one)
		assert second.finds(other, name)


def test_so_it_is_while_one_of_them_has_just_begun_to_work(apart, directions, token):
	as_for_an_hour(apart, since="utc_timestamp(6)")
	until(lambda: all(0 < several_for(server) < AN_HOUR for server in apart[:2]))
	for one, other in directions():
		name = Client(token).saves(one)
		assert Client(token).finds(other, name)


def test_who_has_written_nothing_is_answered_by_late_replicas_and_who_has_by_the_primary(
	apart, directions, token
):
	for one, other in directions():
		Client(token).saves(one)
		for server in (one, other):
			assert Client(token).call(server, "sample_app.api.decorated") == 1
			assert Client().call(server, "sample_app.api.for_a_visitor") in REPLICAS


def test_status_names_the_redises_and_their_hosts_on_each_server(apart):
	for server in apart[:2]:
		said = server.bench("read-replica", "status")
		assert "2 cache Redises" in said and said.count(f" on {socket.gethostname()}, seen ") == 2
		for each in apart[:2]:
			assert f"127.0.0.1:{each.redis_port} on" in said


def test_so_does_a_job_that_works_for_the_user_on_the_other(apart, directions, token):
	for server in apart[:2]:
		# With its first job, a worker notes itself in the database, and is shown all until then.
		assert not looks_in_a_job(server, "none")
	for one, other in directions():
		name = Client(token).saves(one)
		assert looks_in_a_job(other, name)


def looks_in_a_job(server: WebBench, name: str) -> bool:
	"""What a job for the clerk finds that is queued on a server, and that a worker of that server runs."""
	arguments = frappe.as_json({"user": CLERK, "todo": name}, indent=None)
	server.bench("execute", "sample_app.jobs.queue_a_look", "--kwargs", arguments)
	server.works_with("worker", "--queue", "default", "--burst")
	server.start("workers")
	found = redis.Redis("127.0.0.1", server.redis_port)
	try:
		until(lambda: found.get(f"sample_app_looked|{name}") is not None, 60)
	finally:
		server.kill("workers")
	return found.get(f"sample_app_looked|{name}") == b"1"


def test_a_row_of_the_desk_counts_in_all_processes_without_a_restart_and_no_longer_once_it_is_gone(apart):
	method = "sample_app.api.undecorated"
	client = Client().log_in(apart.a)
	servers_of_site = (apart.a, apart.b)
	assert [client.call(server, method) for server in servers_of_site] == [1, 1]
	with connected():
		row = frappe.get_doc({"doctype": "Routed Method", "method": method}).insert()
		frappe.db.commit()
		committed_at = time.monotonic()
	try:
		for server in servers_of_site:
			until(lambda server=server: client.call(server, method) in REPLICAS, SECONDS_FOR_A_RULE)
		print(f"taken up after {time.monotonic() - committed_at:.1f} s")
	finally:
		with connected():
			frappe.delete_doc("Routed Method", row.name)
			frappe.db.commit()
	for server in servers_of_site:
		until(lambda server=server: client.call(server, method) == 1, SECONDS_FOR_A_RULE)
