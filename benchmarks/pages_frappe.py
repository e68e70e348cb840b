# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the pages of the desk pay for what is counted: as much as is ever kept, against a tenth of it."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import frappe

from benchmarks.compare import timed
from benchmarks.results import Figure
from read_replica.database.host import shared_of_site
from read_replica.engine.shared.request_counts import MOST_NAMES, RequestTally
from read_replica.engine.shared.shared_state import MOST_COUNTERS
from read_replica.watch import desk_methods, desk_settings, monitor

QUESTION = "A page of the desk, with ten times as much counted as usual"
OF = "x the cost at the usual size"
# The monitor asks every few seconds. The others are opened now and then, and look at each name that is counted.
TARGET_OF_MONITOR, TARGET = 1.5, 3.0

ROUNDS = 11
CALLS = 5
DAY = 24 * 3600

# Whatever their number, those who work there take them, or they move by themselves.
COULD_MOVE = 20


def measure() -> list[Figure]:
	"""On a site that is connected, with routing switched on."""
	shared = shared_of_site()
	try:
		return [
			_figure(
				"Replica Monitor",
				_count_calls,
				MOST_COUNTERS,
				lambda: monitor.monitor(True),
				TARGET_OF_MONITOR,
			),
			_figure("Routed Methods", _count_requests, MOST_NAMES, desk_methods.of_page),
			_figure("Read Replica Settings", _count_requests, MOST_NAMES, desk_settings.of_settings),
		]
	finally:
		shared.forget()


def _figure(
	page: str, count: Callable[[int], None], most: int, work: Callable[[], Any], target: float = TARGET
) -> Figure:
	"""Both sizes in each of many rounds, in another order each time."""
	medians: dict[int, list[float]] = {most // 10: [], most: []}
	for _ in range(ROUNDS):
		for size in random.sample(list(medians), 2):
			shared_of_site().forget()
			count(size)
			took = []
			for _ in range(CALLS + 1):
				# Each request reads the primary anew.
				frappe.db.commit()
				took.append(timed(work))
			medians[size].append(statistics.median(took[1:]))
	ratio = statistics.median(
		many / usual for many, usual in zip(medians[most], medians[most // 10], strict=True)
	)
	measured = {f"with {size:,} names, ms": statistics.median(medians[size]) * 1e3 for size in medians}
	return Figure(QUESTION, page, ratio, OF, target, measured)


def _count_calls(size: int) -> None:
	# Some less than are kept, as calls of this benchmark may be counted as well.
	for begin in range(0, size - 100, 1000):
		ats = range(begin, min(begin + 1000, size - 100))
		shared_of_site().add_counts(
			{("replica01", "replica", f"app.module.method_{at}"): (1, 0.0) for at in ats}
		)


def _count_requests(size: int) -> None:
	"""As on a site in use: each second method writes, most are seldom called, and some could move."""
	shared, now = shared_of_site(), time.time()
	rows = {}
	for at in range(size):
		writes = 40 if at % 2 and at >= COULD_MOVE else 0
		tally = RequestTally(
			calls=400 if at < COULD_MOVE else 30,
			seconds=60.0,
			primary_statements=900,
			primary_seconds=30.0,
			writes=writes,
			first_seen=now - 3 * DAY,
			last_seen=now - at,
			last_write=now - at if writes else 0.0,
		)
		rows[f"app.module_{at % 100}.method_{at}"] = " ".join(map(repr, astuple(tally)))
	shared.client.hset(shared._key("requests"), mapping=rows)
