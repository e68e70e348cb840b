# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Counts what requests and jobs read and write, in this process, until it is shared."""

import time
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
		self._statements: dict[str, int] = {}

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
			self._add_statements(statements)
			tally = self._tally(name, now) if name is not None else None
			if tally is None:
				return
			tally.calls += 1
			tally.seconds += seconds
			tally.primary_statements += on_primary
			tally.primary_seconds += primary_seconds
			tally.replica_statements += sum(statements.values()) - on_primary
			tally.rows += rows
			tally.last_seen = now
			if wrote:
				tally.writes += 1
				tally.last_write = now

	def _add_statements(self, statements: Mapping[str, int]) -> None:
		for server, count in statements.items():
			if count:
				self._statements[server] = self._statements.get(server, 0) + count

	def _tally(self, name: str, first_seen: float) -> RequestTally | None:
		"""Return what a name has done so far; None if there are too many names for another one."""
		tally = self._tallies.get(name)
		if tally is None and len(self._tallies) < MOST_NAMES:
			tally = self._tallies[name] = RequestTally(first_seen=first_seen)
		return tally

	def take_unshared(self) -> tuple[dict[str, RequestTally], dict[str, int]]:
		"""Take out what was counted since the last time: tallies by name, and statements by server."""
		with self._lock:
			tallies, statements = self._tallies, self._statements
			self._tallies, self._statements = {}, {}
		return {_as_text(name): tally for name, tally in tallies.items()}, statements

	def put_back(self, requests: dict[str, RequestTally], statements: dict[str, int]) -> None:
		"""Put back what was taken out and could not be shared."""
		with self._lock:
			self._add_statements(statements)
			for name, tally in requests.items():
				if known := self._tally(name, tally.first_seen):
					known.add(tally)


def _as_text(name: str) -> str:
	"""Return a name as it may be sent: it may come from a request, and hold anything."""
	return name[:LONGEST_NAME].encode("utf-8", "replace").decode()
