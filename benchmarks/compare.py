# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Compares ways to do the same thing, so that noise hits all of them alike."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from read_replica.engine.metrics import PRIMARY
from read_replica.engine.reasons import Reason
from read_replica.engine.router import Router


@dataclass(frozen=True)
class Comparison:
	"""What each way took: for each round, the median of its calls, in seconds."""

	medians: dict[str, list[float]]

	def ratio(self, way: str, to: str) -> float:
		"""The median over all rounds of how many times longer a way took than another in the same round."""
		rounds = zip(self.medians[way], self.medians[to], strict=True)
		return statistics.median(one / other for one, other in rounds)

	def seconds(self, way: str) -> float:
		return statistics.median(self.medians[way])

	def __add__(self, other: "Comparison") -> "Comparison":
		return Comparison({way: rounds + other.medians[way] for way, rounds in self.medians.items()})


def interleaved(ways: dict[str, Callable[[], object]], rounds: int, calls: int) -> Comparison:
	"""Run all ways in each of many short rounds, in another order each time.

	:param calls: how often each way is called in a round; one call more, the first, is not counted
	"""
	medians: dict[str, list[float]] = {way: [] for way in ways}
	for _ in range(rounds):
		for way in random.sample(list(ways), len(ways)):
			ways[way]()
			medians[way].append(statistics.median(timed(ways[way]) for _ in range(calls)))
	return Comparison(medians)


def timed(call: Callable[[], object]) -> float:
	"""The seconds that a call takes."""
	begun = time.perf_counter()
	call()
	return time.perf_counter() - begun


def check_that_all_were_routed(router: Router) -> None:
	"""A call that went to the primary would be measured against the wrong server."""
	elsewhere = {reason.value: router.metrics.of(PRIMARY, reason) for reason in Reason}
	if any(elsewhere.values()):
		raise RuntimeError(f"Calls that were to be measured on the replica went to the primary: {elsewhere}")
