# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What two reports that run all the time do to the latency of orders."""

import random
import statistics
import threading
import time
from collections.abc import Callable

from benchmarks.processes import Worker, event
from benchmarks.results import Figure
from benchmarks.shop import database_on
from demo.plain_shop import STOCK_BALANCE
from demo.results import percentile
from demo.ways import ORDER_CLIENTS, REPORT_CLIENTS, Shop
from support.servers import Cluster, MariaDB

QUESTION = "p95 of an order's latency while two reports run"
OF = "x the p95 without reports"

ROUNDS = 6
SECONDS = 4
# Until the clients are connected, and the replica is known.
SECONDS_TO_WARM_UP = 0.7

WITHOUT, ROUTED, ON_PRIMARY = "without reports", "reports routed", "reports on the primary"
# What the machine does to orders by itself: the servers share its memory, its caches and its disk.
STRAIGHT = "control: straight to the replica, no routing"


def measure(shop: Shop, servers: Cluster, cores: tuple[list[int], list[int]]) -> list[Figure]:
	"""Measure on cores of the primary, which order clients share, and of the replica, which reports share."""
	rounds = [_round(shop, servers, cores) for _ in range(ROUNDS)]
	return [_figure(rounds, ROUTED, 1.05), _figure(rounds, STRAIGHT, None), _figure(rounds, ON_PRIMARY, None)]


def _figure(rounds: list[dict[str, float]], way: str, target: float | None) -> Figure:
	measured = {f"p95 {name}, ms": statistics.median(r[name] for r in rounds) for name in (WITHOUT, way)}
	return Figure(QUESTION, way, statistics.median(r[way] / r[WITHOUT] for r in rounds), OF, target, measured)


def _round(shop: Shop, servers: Cluster, cores: tuple[list[int], list[int]]) -> dict[str, float]:
	"""The p95 in milliseconds of each way, one after the other, in another order each time."""
	ways = {
		WITHOUT: (True, None),
		ROUTED: (True, lambda stop: _report(shop, stop)),
		STRAIGHT: (True, lambda stop: _report_straight(servers.replicas[0], stop)),
		ON_PRIMARY: (False, lambda stop: _report(shop, stop)),
	}
	found = {}
	for way in random.sample(list(ways), len(ways)):
		routed, report = ways[way]
		shop.prepare(routed)
		found[way], answered_by = _p95_of_orders(shop, cores, report)
		if way == ROUTED and answered_by == {"primary"}:
			raise RuntimeError("No replica has answered a report, so there is nothing to measure")
	return found


def _p95_of_orders(
	shop: Shop, cores: tuple[list[int], list[int]], report: Callable | None
) -> tuple[float, set[str]]:
	"""The p95 in milliseconds while two clients make reports, if any, and who has answered those."""
	stop = event()
	reporters = [Worker(lambda: report(stop), cores[1]) for _ in range(REPORT_CLIENTS if report else 0)]
	seller = Worker(lambda: _sell(shop), cores[0])
	try:
		latencies = seller.result(SECONDS + 30)
		stop.set()
		answered_by = {server for reporter in reporters for server in reporter.result(30)}
	finally:
		for worker in (seller, *reporters):
			worker.end()
	return percentile(latencies, 95), answered_by


def _report(shop: Shop, stop) -> set[str]:
	servers = set()
	with shop.client():
		while not stop.is_set():
			servers.add(shop.report())
	return servers


def _report_straight(replica: MariaDB, stop) -> set[str]:
	with database_on(replica) as database:
		while not stop.is_set():
			database.sql(STOCK_BALANCE)
			database.rollback()
	return {"replica"}


def _sell(shop: Shop) -> list[float]:
	"""Take orders for a while; the latencies of all but the first ones."""
	latencies: list[float] = []
	measured_from = time.perf_counter() + SECONDS_TO_WARM_UP
	until = measured_from + SECONDS

	def client(number: int) -> None:
		with shop.client():
			while (begun := time.perf_counter()) < until:
				shop.order(number)
				if begun > measured_from:
					latencies.append(time.perf_counter() - begun)
				number += ORDER_CLIENTS
				time.sleep(shop.thinking)

	threads = [threading.Thread(target=client, args=(number,)) for number in range(ORDER_CLIENTS)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	return latencies
