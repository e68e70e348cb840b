# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What can befall servers, at random, and how it is undone."""

import ctypes
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from support.servers import Cluster, MariaDB, Server


class Trouble(NamedTuple):
	"""Something that can befall a server, and how it is undone."""

	name: str
	begin: Callable[[Server], None]
	undo: Callable[[Server], None]


def stopped(thread: str) -> Trouble:
	"""Replication stands still, in the thread that receives (IO_THREAD) or in the one that applies."""
	return Trouble(
		f"{thread} stopped",
		lambda replica: replica.query(f"STOP SLAVE {thread}"),
		lambda replica: replica.query(f"START SLAVE {thread}"),
	)


@contextmanager
def standing_still(servers: Cluster) -> Iterator[None]:
	"""The replicas stay up, and apply nothing of what the primary commits from now on."""
	trouble = stopped("SQL_THREAD")
	servers.catch_up()
	for replica in servers.replicas:
		trouble.begin(replica)
	try:
		yield
	finally:
		for replica in servers.replicas:
			trouble.undo(replica)
		servers.catch_up()


def _delay(replica: MariaDB, seconds: int) -> None:
	replica.query("STOP SLAVE")
	replica.query(f"CHANGE MASTER TO master_delay = {seconds}")
	replica.query("START SLAVE")


def _start_replica(replica: MariaDB) -> None:
	replica.start()
	replica.query("SET GLOBAL read_only = 1")


frozen = Trouble("frozen", Server.freeze, Server.thaw)
delayed = Trouble("delayed", lambda replica: _delay(replica, 1), lambda replica: _delay(replica, 0))
LAGS = [delayed, stopped("SQL_THREAD"), stopped("IO_THREAD"), frozen]
OUTAGES = [
	Trouble("killed", Server.kill, _start_replica),
	Trouble("restarted", Server.stop, _start_replica),
	stopped("SQL_THREAD"),
	stopped("IO_THREAD"),
	frozen,
]
OUTAGES_OF_REDIS = [
	Trouble("redis killed", Server.kill, Server.start),
	Trouble("redis frozen", Server.freeze, Server.thaw),
]


class Announcements:
	"""Whether the primary is being restarted, for all processes; odd while it is."""

	def __init__(self):
		self._count = multiprocessing.RawValue(ctypes.c_long, 0)

	def restart_begins(self, primary: Server) -> None:
		self._count.value += 1
		primary.stop()

	def restart_ends(self, primary: MariaDB) -> None:
		primary.start()
		primary.query("SELECT 1")
		self._count.value += 1

	@property
	def now(self) -> int:
		return self._count.value

	def cover(self, since: int) -> bool:
		"""Whether the primary was away at some time since then."""
		return bool(since % 2) or self.now != since


class Agent:
	"""Lets trouble befall servers at random, at most one at a time for each, and undoes it later."""

	def __init__(
		self, rng: random.Random, kinds: list[tuple[Trouble, list[Server]]], seconds: tuple[float, float]
	):
		self._rng = rng
		self._kinds = kinds
		self._seconds = seconds
		self._deck: list[tuple[Trouble, list[Server]]] = []
		self._until: dict[Server, tuple[float, Trouble]] = {}
		self._servers = list({server: None for _, servers in kinds for server in servers})
		# For all processes: by time.monotonic(), since when each server has been left in peace.
		self._sound_since = multiprocessing.RawArray("d", [time.monotonic()] * len(self._servers))
		self.begun: Counter = Counter()

	@property
	def kinds(self) -> int:
		return len(self._kinds)

	def step(self) -> None:
		"""Undo what has lasted long enough, and begin one more where there is a server for it."""
		for server, (until, _) in list(self._until.items()):
			if time.monotonic() >= until:
				self._undo(server)
		# Each kind has its turn before any comes again, or a short run would miss some.
		if not self._deck:
			self._deck = self._rng.sample(self._kinds, len(self._kinds))
		trouble, servers = self._deck[-1]
		free = [server for server in servers if server not in self._until]
		if free:
			self._deck.pop()
			server = self._rng.choice(free)
			self._sound_since[self._servers.index(server)] = float("inf")
			trouble.begin(server)
			self.begun[trouble.name] += 1
			self._until[server] = (time.monotonic() + self._rng.uniform(*self._seconds), trouble)

	def undo_all(self) -> None:
		for server in list(self._until):
			self._undo(server)

	def _undo(self, server: Server) -> None:
		_, trouble = self._until.pop(server)
		trouble.undo(server)
		self._sound_since[self._servers.index(server)] = time.monotonic()

	def one_is_sound(self, servers: list[Server], seconds: float) -> bool:
		"""Whether one of these has been left in peace for so long; may be asked in any process."""
		since = min(self._sound_since[self._servers.index(server)] for server in servers)
		return time.monotonic() - since > seconds
