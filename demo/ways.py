# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Runs orders and reports side by side for a while, and keeps how long they took."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from support.servers import Cluster

ORDER_CLIENTS = 3
REPORT_CLIENTS = 2


@dataclass(frozen=True)
class Way:
	"""One of the four ways in which the demo works; `seconds` says for how long."""

	title: str
	routed: bool
	makes_reports: bool = True
	kills_a_replica: bool = False
	seconds: float = 20


# Orders alone comes first: it is the line to judge the others by, and half the time gives its percentiles.
ORDERS_ALONE = Way("Orders alone", routed=False, makes_reports=False, seconds=10)
WAYS = (
	ORDERS_ALONE,
	Way("All on the primary", routed=False),
	Way("Reports routed", routed=True),
	Way("Routed, one killed", routed=True, kills_a_replica=True),
)


class Shop(Protocol):
	"""Something that takes orders and reports its stock; entered and left as a context."""

	name: str
	# What a client takes between two orders, in seconds: the machine is to be busy, and not swamped.
	thinking: float

	def load(self, rows: int) -> Iterator[int]:
		"""Fill the stock ledger; yields how many rows are there so far."""

	def prepare(self, routed: bool) -> None:
		"""Get ready for one of the ways."""

	def client(self) -> AbstractContextManager[None]:
		"""What a client's thread works in."""

	def order(self, number: int) -> None:
		"""Take one order and commit it."""

	def report(self) -> str:
		"""Work out the stock balance; returns the name of the server that answered."""


@dataclass
class Result:
	"""What came of one way: latencies in seconds, and the times of reports since its start."""

	way: Way
	orders: list[float] = field(default_factory=list)
	reports: list[tuple[float, str]] = field(default_factory=list)
	failures: list[str] = field(default_factory=list)
	down: tuple[float, float] | None = None

	@property
	def answered_by(self) -> Counter:
		return Counter(server for _, server in self.reports)


def run(shop: Shop, way: Way, servers: Cluster, tell: Callable[[float], None]) -> Result:
	"""Let all clients work for as long as the way takes, and return what they did.

	:param tell: called with the seconds since the start, several times a second
	"""
	shop.prepare(way.routed)
	result = Result(way)
	stop = threading.Event()
	started = time.perf_counter()

	def take_orders(client: int) -> None:
		number = client
		while not stop.is_set():
			begun = time.perf_counter()
			shop.order(number)
			result.orders.append(time.perf_counter() - begun)
			number += ORDER_CLIENTS
			stop.wait(shop.thinking)

	def make_reports(client: int) -> None:
		while not stop.is_set():
			server = shop.report()
			result.reports.append((time.perf_counter() - started, server))

	def work(job: Callable[[int], None], client: int) -> None:
		with shop.client():
			while not stop.is_set():
				try:
					job(client)
				except Exception as error:
					result.failures.append(f"{job.__name__}: {error!r}")

	jobs = [(take_orders, n) for n in range(ORDER_CLIENTS)]
	if way.makes_reports:
		jobs += [(make_reports, n) for n in range(REPORT_CLIENTS)]
	threads = [threading.Thread(target=work, args=job, daemon=True) for job in jobs]
	for thread in threads:
		thread.start()
	try:
		_wait(result, servers, started, tell)
	finally:
		stop.set()
		for thread in threads:
			thread.join(30)
	return result


def _wait(result: Result, servers: Cluster, started: float, tell: Callable[[float], None]) -> None:
	"""Wait for the end of the way; kill a replica after a quarter of it, start it after another."""
	victim = servers.replicas[0]
	seconds = result.way.seconds
	while (now := time.perf_counter() - started) < seconds:
		tell(now)
		if result.way.kills_a_replica:
			if not result.down and now > seconds / 4:
				victim.kill()
				result.down = (now, seconds)
			elif result.down and not victim.is_running and now > seconds / 2:
				victim.start()
				result.down = (result.down[0], time.perf_counter() - started)
		time.sleep(0.05)
	tell(seconds)
