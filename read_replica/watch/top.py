# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Looks at the replicas of the current site again and again: what they do, and how often they are called."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import frappe

from read_replica.database.host import shared_of_site
from read_replica.engine import dialect
from read_replica.site import routing_of_site
from read_replica.watch.status import head
from read_replica.watch.top_report import BusyReplica, Rate, Running, Top

SECONDS_TO_ANSWER = 2.0
LONGER_THAN = 1.0


class NoReplica(Exception):
	"""Raised on a site that reads from no replica, with the reason."""


class NotRunning(Exception):
	"""Raised when there is no such statement of the site's user, or no such replica."""


class Looker:
	"""Looks at the current site. Each look tells what has happened since the one before.

	:param longer_than: seconds that a statement must have run to be shown
	:raises NoReplica: if the site reads from no replica
	"""

	def __init__(self, longer_than: float = LONGER_THAN) -> None:
		routing = routing_of_site()
		if not routing.router:
			raise NoReplica(
				routing.problem or "This site reads from no replica: none is configured, or routing is off."
			)
		self._router = routing.router
		self._longer_than = longer_than
		self._connections: dict[str, Any] = {}
		self._counted_at, self._counts = time.monotonic(), _counts()

	def look(self, ended: str | None = None) -> Top:
		"""Returns what is so now; a replica that does not answer holds this up for two seconds at most.

		:param ended: the id of a statement that was ended just now
		"""
		self._router.health.check_now()
		before_at, before = self._counted_at, self._counts
		self._counted_at, self._counts = time.monotonic(), _counts()
		seconds = self._counted_at - before_at
		looked_at = [self._look_at(replica) for replica in self._router.replicas]
		running = [one for _, statements in looked_at for one in statements]
		return Top(
			**head(),
			seconds=round(seconds, 3),
			replicas=[busy for busy, _ in looked_at],
			rates=rates(before, self._counts, seconds),
			running=sorted(running, key=lambda one: -one.seconds),
			ended=ended,
		)

	def _look_at(self, replica: Any) -> tuple[BusyReplica, list[Running]]:
		verdict = self._router.health.verdict_of(replica.name)
		lag = verdict.lag if verdict and verdict.state == "up" else None
		state, error = (verdict.state, verdict.error or None) if verdict else (None, None)
		try:
			found = self._processes(replica)
		except Exception as problem:
			# Whatever the driver raises: the others are to be seen all the same.
			self._forget(replica)
			return BusyReplica(replica.name, state, lag, None, error or dialect.summary_of(problem)), []
		running = [
			Running(f"{one.id}@{replica.name}", replica.name, round(one.seconds, 3), one.state, one.statement)
			for one in found.running
			if one.seconds >= self._longer_than
		]
		return BusyReplica(replica.name, state, lag, found.connections, error), running

	def _processes(self, replica: Any) -> dialect.OwnProcesses:
		return dialect.own_processes(self._connection(replica), SECONDS_TO_ANSWER)

	def _connection(self, replica: Any) -> Any:
		"""Returns a connection to a replica that is kept for the next look, and counts for nobody's work."""
		if replica.name not in self._connections:
			connection = replica.connect()
			dialect.commit_each(connection)
			self._connections[replica.name] = connection
		return self._connections[replica.name]

	def _forget(self, replica: Any) -> None:
		"""Give up a connection on which an answer may still be under way; the next look opens another one."""
		if connection := self._connections.pop(replica.name, None):
			dialect.cut(connection, replica.endpoint.port)
			with suppress(Exception):
				connection.close()

	def end(self, id: str) -> None:
		"""End a statement of the site's own user; the call that waits for it gets an error, and is not tried again.

		:param id: as a look has shown it, such as `4711@replica01`
		:raises NotRunning: if it has ended, is somebody else's, or is on no replica of this site
		"""
		number, _, name = id.partition("@")
		replica = next((one for one in self._router.replicas if one.name == name), None)
		if not number.isdigit() or replica is None:
			raise NotRunning(f"{id} names no statement on a replica of this site; top shows the ids.")
		if int(number) not in {one.id for one in self._processes(replica).running}:
			raise NotRunning(f"{id} runs no longer, or not for this site's user; nothing was ended.")
		dialect.end_statement(self._connection(replica), int(number), SECONDS_TO_ANSWER)

	def close(self) -> None:
		"""Close the connections to the replicas."""
		for connection in self._connections.values():
			connection.close()
		self._connections.clear()


def _counts() -> dict[tuple[str, str, str], int]:
	return {key: count for key, (count, _seconds) in shared_of_site().load_counts().items()}


def rates(
	before: Mapping[tuple[str, str, str], int], now: Mapping[tuple[str, str, str], int], seconds: float
) -> list[Rate]:
	"""Returns what was called between two looks, by server, reason and method; the most frequent first.

	Counters that have begun again at 0 meanwhile count from there.
	"""
	found = []
	for (server, reason, method), count in now.items():
		was = before.get((server, reason, method), 0)
		more = count - was if count >= was else count
		if more and seconds > 0:
			found.append(Rate(server, reason, method, round(more / seconds, 3)))
	return sorted(found, key=lambda one: (-one.per_second, one.server, one.reason, one.method))
