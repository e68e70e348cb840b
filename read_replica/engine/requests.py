# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Counts what requests and jobs read and write, in this process, until it is shared."""

import time
from collections import Counter
from collections.abc import Mapping

from read_replica.engine.locks import Lock
from read_replica.engine.metrics import PRIMARY
from read_replica.engine.shared.request_counts import MOST_NAMES, RequestTally

# A dotted path with the longest name of a doctype or report.
LONGEST_NAME = 300


class Requests:
	"""The requests and jobs of this process that are not shared yet. Safe to share between threads."""

	def __init__(self) -> None:
		self._lock = Lock()
		self._tallies: dict[str, RequestTally] = {}
		self._statements: Counter[str] = Counter()

	def note(
		self,
		name: str | None,
		seconds: float,
		statements: Mapping[str, int],
		rows: int = 0,
		wrote: bool = False,
		primary_seconds: float = 0.0,
	) -> None:
		"""Count a request or job that has ended.

		:param name: what it is counted under; None: only its statements are counted
		:param statements: how many statements that read each server has answered
		:param wrote: whether it has committed a write
		"""
		now = time.time()
		on_primary = statements.get(PRIMARY, 0)
		with self._lock:
			self._statements.update(statements)
			if name is not None:
				on_replicas = sum(statements.values()) - on_primary
				counts = (1, seconds, on_primary, primary_seconds, on_replicas, rows, int(wrote))
				# It may come from a request, and not be text that can be encoded.
				name = name[:LONGEST_NAME].encode("utf-8", "replace").decode()
				self._add(name, RequestTally(*counts, now, now, now if wrote else 0.0))

	def _add(self, name: str, tally: RequestTally) -> None:
		known = self._tallies.get(name)
		if known:
			known.add(tally)
		elif len(self._tallies) < MOST_NAMES:
			self._tallies[name] = tally

	def take_unshared(self) -> tuple[dict[str, RequestTally], dict[str, int]]:
		"""Take out what was counted since the last time: tallies by name, and statements by server."""
		with self._lock:
			taken = self._tallies, +self._statements
			self._tallies, self._statements = {}, Counter()
			return taken

	def put_back(self, requests: dict[str, RequestTally], statements: dict[str, int]) -> None:
		"""Put back what was taken out and could not be shared."""
		with self._lock:
			self._statements.update(statements)
			for name, tally in requests.items():
				self._add(name, tally)
