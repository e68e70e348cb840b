# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the walk has seen: each visit of a page, and what follows from all of them."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.desk_counts import Read


@dataclass(frozen=True)
class Visit:
	"""One page, opened once.

	:param reads: what it has read from the primary, and from each replica
	"""

	seconds: float
	reads: list[Read]


@dataclass(frozen=True)
class Share:
	"""How much of something was read from the primary, and from all replicas."""

	primary: float
	replicas: float

	@property
	def on_replicas(self) -> float:
		"""Percent; 100 of nothing."""
		whole = self.primary + self.replicas
		return 100 * self.replicas / whole if whole else 100.0


class Visits:
	"""All visits of one kind: by full loads, or by moving inside the desk."""

	def __init__(self) -> None:
		self._by_page: dict[str, dict[str, list[Visit]]] = defaultdict(lambda: defaultdict(list))

	def add(self, page: str, way: str, visit: Visit) -> None:
		self._by_page[page][way].append(visit)

	@property
	def pages(self) -> list[str]:
		return list(self._by_page)

	def selects(self, way: str, pages: Iterable[str] | None = None) -> Share:
		"""SELECTs of one walk through these pages, or through all."""
		return self._share(way, pages, "selects")

	def rows(self, way: str, pages: Iterable[str] | None = None) -> Share:
		return self._share(way, pages, "rows")

	def _share(self, way: str, pages: Iterable[str] | None, what: str) -> Share:
		primary = replicas = 0.0
		for page in self.pages if pages is None else pages:
			visits = self._by_page[page][way]
			primary += statistics.mean(getattr(visit.reads[0], what) for visit in visits)
			replicas += statistics.mean(
				sum(getattr(read, what) for read in visit.reads[1:]) for visit in visits
			)
		return Share(primary, replicas)

	def of_each_server(self, way: str) -> list[Read]:
		"""What all visits together have read from the primary, and from each replica."""
		visits = [visit.reads for ways in self._by_page.values() for visit in ways[way]]
		return [sum(reads, Read()) for reads in zip(*visits, strict=True)]

	def milliseconds(self, page: str, way: str) -> float:
		"""The median of the visits of a page."""
		return 1000 * statistics.median(visit.seconds for visit in self._by_page[page][way])

	def ratio(self, page: str, way: str, to: str) -> float:
		"""How many times longer a page took one way than the other: the median of the ratios of all rounds."""
		rounds = zip(self._by_page[page][way], self._by_page[page][to], strict=True)
		return statistics.median(one.seconds / other.seconds for one, other in rounds)

	def median_ratio(self, way: str, to: str) -> float:
		return statistics.median(self.ratio(page, way, to) for page in self.pages)

	def worst(self, way: str, to: str) -> tuple[str, float]:
		"""The page that has become slower than any other, and its ratio."""
		return max(((page, self.ratio(page, way, to)) for page in self.pages), key=lambda found: found[1])
