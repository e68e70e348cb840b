# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What requests and jobs read and write is counted by name, for the whole site, within bounds."""

import time

import pytest
import time_machine

from read_replica.engine import requests
from read_replica.engine.metrics import PRIMARY
from read_replica.engine.reasons import Reason
from read_replica.engine.settings import Need
from read_replica.engine.shared import request_counts, shared_state
from read_replica.engine.shared.request_counts import RequestTally
from support.processes import Processes

from .conftest import make_router

READS = {PRIMARY: 3, "replica01": 4, "replica02": 5}
EVENTUAL = Need(consistency="eventual")


def note(router, name: str | None = "report", wrote: bool = False, seconds: float = 0.5) -> None:
	router.requests.note(name, seconds, READS, rows=100, wrote=wrote, primary_seconds=0.25)


def redis_is_down(host) -> None:
	host.shared._left_alone_until = time.monotonic() + 3600


def redis_is_back(host) -> None:
	host.shared._left_alone_until = 0


def test_what_a_name_has_done_adds_up(host, router):
	before = time.time()
	for wrote in (False, True, False):
		note(router, wrote=wrote)
		router.share_counts()
	tally = host.shared.load_requests()["report"]
	assert before <= tally.first_seen < tally.last_write < tally.last_seen <= time.time()
	assert tally == RequestTally(
		3, 1.5, 9, 0.75, 27, 300, 1, tally.first_seen, tally.last_seen, tally.last_write
	)
	assert host.shared.load_statements() == {server: 3 * count for server, count in READS.items()}


def test_calls_of_one_second_are_added_before_they_are_shared(host, router):
	note(router, wrote=True)
	note(router)
	router.share_counts()
	tally = host.shared.load_requests()["report"]
	assert (tally.calls, tally.seconds, tally.writes) == (2, 1.0, 1)
	assert tally.first_seen == tally.last_write < tally.last_seen


def test_a_request_without_a_name_counts_in_the_share_alone(host, router):
	note(router, None)
	router.share_counts()
	assert host.shared.load_requests() == {}
	assert host.shared.load_statements() == READS


def test_a_name_that_has_never_written_has_no_time_of_a_write(host, router):
	note(router)
	router.share_counts()
	assert host.shared.load_requests()["report"].last_write == 0


def test_several_processes_of_a_site_add_up_and_none_counts_what_its_parent_has(host, router):
	note(router)

	def work(number, report) -> None:
		for _ in range(50):
			note(router, f"report of {number % 2}")
			router.share_counts()

	with Processes(4, work, seconds=30) as processes:
		assert not processes.report().complaints
	router.share_counts()
	found = host.shared.load_requests()
	assert {name: tally.calls for name, tally in found.items()} == {
		"report": 1,
		"report of 0": 100,
		"report of 1": 100,
	}
	assert host.shared.load_statements()["replica01"] == 201 * READS["replica01"]


def test_a_forked_process_does_not_share_calls_that_its_parent_has_counted(host, router):
	router.metrics.count("replica01", Reason.REPLICA, "report")

	with Processes(1, lambda number, report: router.share_counts(), seconds=10) as processes:
		assert not processes.report().complaints
	assert host.shared.load_counts() == {}
	router.share_counts()
	assert host.shared.load_counts() == {("replica01", "replica", "report"): (1, 0.0)}


def test_all_counters_go_to_redis_in_one_round_trip(host, router, shop):
	def transactions() -> int:
		return shop.redis.client().info("commandstats")["cmdstat_exec"]["calls"]

	note(router, None)
	router.share_counts()
	before = transactions()
	router.metrics.count("replica01", Reason.REPLICA, "report")
	for number in range(20):
		note(router, f"report {number}")
	router.share_counts()
	assert transactions() == before + 1
	assert len(host.shared.load_requests()) == 20 and len(host.shared.load_counts()) == 1
	router.share_counts()
	assert transactions() == before + 1, "there was nothing to share"


# Bounds


@pytest.fixture
def three_names(monkeypatch) -> None:
	for module in (requests, request_counts):
		monkeypatch.setattr(module, "MOST_NAMES", 3)


def test_a_site_keeps_the_names_it_knows_when_somebody_makes_up_others(host, router, three_names):
	for name in ("one", "two", "three", "four", "one"):
		note(router, name)
		router.share_counts()
	assert {name: tally.calls for name, tally in host.shared.load_requests().items()} == {
		"one": 2,
		"two": 1,
		"three": 1,
	}
	assert host.shared.load_statements()[PRIMARY] == 5 * READS[PRIMARY]


def test_names_of_one_second_are_bounded_in_the_process_and_in_redis(host, router, three_names):
	other = make_router(host)
	note(other, "one")
	other.share_counts()
	for number in range(100):
		note(router, f"made up {number}")
	assert len(router.requests._tallies) == 3
	router.share_counts()
	assert set(host.shared.load_requests()) == {"one", "made up 0", "made up 1"}


def test_a_name_that_was_not_seen_for_long_makes_room(host, router, three_names):
	old = time.time() - request_counts.SECONDS_NAMES_ARE_KEPT - 60
	with time_machine.travel(old):
		for name in ("one", "two", "three"):
			note(router, name)
	note(router, "one")
	router.share_counts()
	assert set(host.shared.load_requests()) == {"one"}
	note(router, "four")
	router.share_counts()
	assert set(host.shared.load_requests()) == {"one", "four"}


def test_a_name_is_cut_and_need_not_be_text_that_can_be_sent(host, router):
	note(router, "frappe.client.get_list(\ud800)" + "x" * 1000)
	router.share_counts()
	[name] = host.shared.load_requests()
	assert name.startswith("frappe.client.get_list(?)x") and len(name) == requests.LONGEST_NAME


def test_names_are_forgotten_one_by_one_or_all(host, router):
	for name in ("one", "two", "three"):
		note(router, name)
	router.share_counts()
	assert host.shared.forget_requests("one", "unknown") == 1
	assert set(host.shared.load_requests()) == {"two", "three"}
	assert host.shared.forget_requests() == 2
	assert host.shared.load_requests() == {}


# Without Redis


def test_nothing_is_lost_while_redis_is_down(host, router):
	redis_is_down(host)
	for wrote in (False, True):
		note(router, wrote=wrote)
		router.share_counts()
	assert host.shared.load_requests() == {} and host.shared.load_statements() == {}
	redis_is_back(host)
	note(router)
	router.share_counts()
	tally = host.shared.load_requests()["report"]
	assert (tally.calls, tally.writes, tally.rows) == (3, 1, 300)
	assert tally.first_seen < tally.last_write < tally.last_seen
	assert host.shared.load_statements() == {server: 3 * count for server, count in READS.items()}


def test_while_redis_is_down_a_process_keeps_no_more_than_so_many_names(host, router):
	redis_is_down(host)
	for number in range(20_000):
		note(router, f"made up {number}")
		if number % 1000 == 0:
			router.share_counts()
	assert len(router.requests._tallies) == requests.MOST_NAMES == 5000
	redis_is_back(host)
	router.share_counts()
	assert len(host.shared.load_requests()) == 5000
	assert host.shared.load_statements()[PRIMARY] == 20_000 * READS[PRIMARY]


# The share of replicas


def test_calls_are_counted_by_reason_alone_as_well_and_begin_again_with_the_others(host, router):
	counts = {("replica01", "replica", f"method {at}"): (2, 0.0) for at in range(300)}
	host.shared.add_counts(counts | {("primary", "lagging", "method 1"): (3, 0.5)})
	host.shared.add_counts({("primary", "lagging", "method 2"): (4, 0.0)})
	assert host.shared.load_reasons() == {("replica01", "replica"): 600, ("primary", "lagging"): 7}
	for at in range(0, shared_state.MOST_COUNTERS, 1000):
		names = [f"made up {number}" for number in range(at, at + 1000)]
		assert host.shared.add_counts({("primary", "lagging", name): (1, 0.0) for name in names})
	assert host.shared.load_reasons() == host.shared.load_counts() == {}


def test_statements_of_the_last_hour_are_counted_apart(host, router):
	now = time.time()
	for ago in (5 * 3600, 3600 + request_counts.SECONDS_OF_A_SLOT, 3500, 0):
		with time_machine.travel(now - ago):
			note(router, None)
			router.share_counts()
	with time_machine.travel(now):
		assert host.shared.load_statements(since=now - 3600)[PRIMARY] == 2 * READS[PRIMARY]
		assert host.shared.load_statements(since=now - 6 * 3600)[PRIMARY] == 4 * READS[PRIMARY]
	assert host.shared.load_statements()[PRIMARY] == 4 * READS[PRIMARY]


def test_slots_are_kept_for_the_longest_day_and_no_longer(host, router, shop):
	note(router, None)
	router.share_counts()
	client = shop.redis.client()
	[slot] = client.keys(host.shared._key("statements|*"))
	kept = request_counts.SECONDS_SLOTS_ARE_KEPT
	assert 25 * 3600 == kept < client.ttl(slot) <= kept + request_counts.SECONDS_OF_A_SLOT
	# However long ago somebody asks for, no more keys are read than there may be.
	assert len(host.shared._slots(0)) == kept // request_counts.SECONDS_OF_A_SLOT + 1


def test_a_replica_counts_what_it_has_answered_with_its_rows(host, router):
	with router.read_only(EVENTUAL, "report") as scope:
		name = scope.replica.name
		host.current().sql("SELECT * FROM stock")
		host.current().sql("(select item from stock where qty > 10) union select 'x'")
		host.current().sql("SHOW TABLES")
		with pytest.raises(Exception):
			host.current().sql("SELECT nothing FROM nowhere")
		# What Frappe's `sql(query, run=False)` does.
		scope.run("SELECT * FROM stock", lambda: "SELECT * FROM stock", lambda: None)
		host.current().sql("INSERT INTO stock VALUES ('washer', 5)")
		host.current().sql("SELECT * FROM stock")
	host.current().rollback()
	assert host.state().replica_statements == {name: 2}
	assert host.state().rows == 3 + 3
