# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Load for proofs: users who write and read through routers in several processes.

Each write of a user adds the next number to the table `ledger`, and each read asks for their highest
one, so that every answer can be checked against what the user is known to have committed.
"""

import contextlib
import multiprocessing
import os
import random
import secrets
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pymysql
import redis

from read_replica.engine.metrics import PRIMARY
from read_replica.engine.reasons import Reason
from read_replica.engine.router import Router
from read_replica.engine.shared.redis_state import impatient
from read_replica.engine.shared.shared_state import SharedState
from support.plain import PlainDatabase, PlainHost

LEDGER = "CREATE TABLE shop.ledger (user INT, number INT, PRIMARY KEY (user, number))"

# Why the primary answers a call that a replica could answer, or goes on with one that a replica has begun.
FALLBACKS = (Reason.NO_REPLICA, Reason.LAGGING, Reason.BEHIND)


def seed_of_run() -> int:
	"""From READ_REPLICA_SEED, to repeat a run as far as the machine's timing allows; else a new one."""
	return int(os.environ.get("READ_REPLICA_SEED") or secrets.randbelow(10**6))


class PrimaryFailed(Exception):
	"""The program's own connection to the primary failed; a replica has nothing to do with it."""


class PrimaryDatabase(PlainDatabase):
	"""The program's connection, opened again after it has failed, as by the next request."""

	@contextlib.contextmanager
	def watched(self) -> Iterator[None]:
		try:
			yield
		except (pymysql.Error, OSError) as error:
			self.close()
			self.pending, self.in_transaction = 0, False
			raise PrimaryFailed(repr(error)) from error

	def sql(self, statement: str, values: Any = None) -> tuple:
		with self.watched():
			return super().sql(statement, values)


class LoadHost(PlainHost):
	"""A host that tells its own failures from those of a replica, and knows what was opened for it."""

	def __init__(self, primary: dict, redis: redis.Redis, site: str):
		# Else PyMySQL reads all certificates of the machine for each connection: 30 ms of a core.
		super().__init__(primary | {"ssl_disabled": True}, redis)
		self.shared = SharedState(impatient(redis), site)
		self._opened: weakref.WeakSet = weakref.WeakSet()

	def current(self) -> Any:
		if not hasattr(self._local, "database"):
			self._local.database = PrimaryDatabase(self._primary)
			self._local.database.on_commit = self._note_commit
		return super().current()

	def end_transaction(self, database: PrimaryDatabase) -> None:
		with database.watched():
			super().end_transaction(database)

	def ask_primary(self, database: PrimaryDatabase, statement: str) -> tuple:
		with database.watched():
			return super().ask_primary(database, statement)

	def end_request(self, router: Router) -> None:
		super().end_request(router)
		# Else the next user's request would read in the snapshot of this one.
		with contextlib.suppress(PrimaryFailed):
			self.end_transaction(self.current())

	def connect(self, *args, **kwargs) -> Any:
		connection = super().connect(*args, **kwargs)
		self._opened.add(connection)
		return connection

	@property
	def open_connections(self) -> int:
		"""How many of the raw connections that the engine has asked for are not closed."""
		return sum(connection.open for connection in tuple(self._opened))


class Users:
	"""What each user has tried to write and has been told is committed, as all processes know it."""

	def __init__(self, count: int):
		self._locks = [multiprocessing.Lock() for _ in range(count)]
		self.tried = multiprocessing.RawArray("q", count)
		self.committed = multiprocessing.RawArray("q", count)

	@contextlib.contextmanager
	def one_at_random(self, rng: random.Random) -> Iterator[int]:
		"""A user who has no request running; nobody else serves that user meanwhile."""
		while True:
			user = rng.randrange(len(self._locks))
			if self._locks[user].acquire(timeout=0.01):
				break
		try:
			yield user
		finally:
			self._locks[user].release()


def write(host: LoadHost, users: Users, user: int) -> int:
	"""Let a user commit their next number, which is returned."""
	users.tried[user] += 1
	number = users.tried[user]
	host.current().sql("INSERT INTO ledger VALUES (%s, %s)", (user, number))
	host.current().commit()
	users.committed[user] = number
	return number


def read(host: LoadHost, user: int, seconds: float = 0) -> tuple[int, int]:
	"""A user's highest number, and the id of the server that told it after so many seconds."""
	query = "SELECT COALESCE(MAX(number), 0), @@server_id, SLEEP(%s) FROM ledger WHERE user = %s"
	number, server, _ = host.current().sql(query, (seconds, user))[0]
	return number, server


@dataclass
class Report:
	"""What a process tells in the end: what it has counted, what its router has, and what went wrong."""

	counts: Counter = field(default_factory=Counter)
	# User and number of each write that was acknowledged.
	committed: list[tuple[int, int]] = field(default_factory=list)
	routed: Counter = field(default_factory=Counter)
	complaints: list[str] = field(default_factory=list)

	def add(self, other: "Report") -> None:
		self.counts += other.counts
		self.committed += other.committed
		self.routed += other.routed
		self.complaints += other.complaints

	def note_end_of(self, router: Router, host: LoadHost) -> None:
		"""Stop a router, and take note of its counts and of what it has left open."""
		router.stop()
		deadline = time.monotonic() + 10
		while any(thread.name == "read_replica watchdog" for thread in threading.enumerate()):
			if time.monotonic() > deadline:
				self.complaints.append("the watchdog goes on after the router was stopped")
				break
			time.sleep(0.05)
		if left := host.open_connections:
			self.complaints.append(f"{left} connections are open after the router was stopped")
		router.share_counts()
		for server in (PRIMARY, *(replica.name for replica in router.replicas)):
			for reason in Reason:
				self.routed[server, reason] = router.metrics.of(server, reason)

	def by_replicas(self, reason: Reason) -> int:
		servers = {server for server, _ in self.routed} - {PRIMARY}
		return sum(self.routed[server, reason] for server in servers)

	def by_primary(self, *reasons: Reason) -> int:
		return sum(self.routed[PRIMARY, reason] for reason in reasons)


def shown(report: Report) -> str:
	"""The counts of all routers, for a message."""
	counts = sorted((f"{server} {reason.value}", count) for (server, reason), count in report.routed.items())
	return ", ".join(f"{name}: {count}" for name, count in counts if count)
