# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a replica that freezes does to calls: SIGSTOP, so that it accepts connections and says nothing."""

import statistics
import threading
import time

from benchmarks.compare import Comparison, interleaved, timed
from benchmarks.results import Figure
from benchmarks.shop import EVENTUAL, LIST, LIST_VALUES, REPORT, routed
from read_replica.engine.router import Router
from support.plain import PlainHost
from support.servers import Cluster

QUESTION = "A replica freezes, and goes on"
TIMES = 4
SECONDS_OF_CALLS = 3.0

RIGHT_TO_PRIMARY = "on the primary"
REPORTS, LISTS = "reports meanwhile", "lists meanwhile"


def measure(servers: Cluster) -> list[Figure]:
	late, back, reports, lists = [], [], [], []
	with routed(servers) as (host, router):
		for _ in range(TIMES):
			late.append(_longest_call_while_it_freezes(servers, host, router))
			reports.append(_compare(host, router, REPORT, None, rounds=6, calls=5))
			lists.append(_compare(host, router, LIST, LIST_VALUES, rounds=15, calls=30))
			servers.replicas[0].thaw()
			back.append(_seconds_until_used(host, router))
			# The breaker of an outage that has just ended is not what is measured next time.
			time.sleep(2)
	return [
		Figure(QUESTION, "the first call is late by", max(late), f"s, at worst of {TIMES}", 1.2),
		_figure(reports, REPORTS, 1.05),
		_figure(lists, LISTS, None),
		Figure(QUESTION, "in use again after", max(back), f"s, at worst of {TIMES}", 2),
	]


def _figure(comparisons: list[Comparison], name: str, target: float | None) -> Figure:
	found = sum(comparisons[1:], comparisons[0])
	measured = {f"{way}, us": found.seconds(way) * 1e6 for way in (RIGHT_TO_PRIMARY, "routed")}
	return Figure(
		QUESTION, name, found.ratio("routed", RIGHT_TO_PRIMARY), "x the same on the primary", target, measured
	)


def _call(host: PlainHost, router: Router, query: str, values: tuple | None) -> str:
	"""Make one routed call; the name of the server that has answered."""
	with router.read_only(EVENTUAL, "list") as scope:
		host.current().sql(query, values)
		answered_by = scope.replica.name if scope and not scope.pinned else "primary"
	host.current().rollback()
	host.end_request(router)
	return answered_by


def _longest_call_while_it_freezes(servers: Cluster, host: PlainHost, router: Router) -> float:
	"""By how many seconds the longest call is longer than the usual one; the replica stays frozen."""
	usual = statistics.median(timed(lambda: _call(host, router, LIST, LIST_VALUES)) for _ in range(100))
	# While calls go on without a pause, so that it hits any part of one.
	freezing = threading.Timer(SECONDS_OF_CALLS / 3, servers.replicas[0].freeze)
	freezing.start()
	longest = 0.0
	until = time.monotonic() + SECONDS_OF_CALLS
	while time.monotonic() < until:
		longest = max(longest, timed(lambda: _call(host, router, LIST, LIST_VALUES)))
	freezing.join()
	return longest - usual


def _compare(
	host: PlainHost, router: Router, query: str, values: tuple | None, rounds: int, calls: int
) -> Comparison:
	def on_primary() -> None:
		host.current().sql(query, values)
		host.current().rollback()

	ways = {RIGHT_TO_PRIMARY: on_primary, "routed": lambda: _call(host, router, query, values)}
	return interleaved(ways, rounds, calls)


def _seconds_until_used(host: PlainHost, router: Router) -> float:
	begun = time.monotonic()
	while _call(host, router, LIST, LIST_VALUES) == "primary":
		if time.monotonic() - begun > 60:
			raise TimeoutError("The replica was not used again within a minute after it went on")
		time.sleep(0.01)
	return time.monotonic() - begun
