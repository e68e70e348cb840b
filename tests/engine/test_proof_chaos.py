# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A chaos run: servers die, freeze and come back at random, while many users read and write.

No read fails that a server could answer, no acknowledged write is lost, no connection and no scope is
left open, and the counts add up. About half a minute; with READ_REPLICA_LONG set, some minutes. A
failure names its seed: READ_REPLICA_SEED.

The primary is restarted, not killed: the test servers do not sync their logs. While that is announced,
what fails on the program's own connection is the program's to try again, and nothing else is.
"""

import contextlib
import ctypes
import multiprocessing
import os
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
import redis

from read_replica.engine.reasons import Reason
from read_replica.engine.router import Router
from read_replica.engine.settings import Need
from support.load import (
	FALLBACKS,
	LEDGER,
	LoadHost,
	PrimaryDatabase,
	PrimaryFailed,
	Report,
	Users,
	read,
	seed_of_run,
	shown,
	write,
)
from support.processes import Processes
from support.servers import Cluster, MariaDB, cluster
from support.trouble import OUTAGES, OUTAGES_OF_REDIS, Agent, Announcements, Trouble

from .conftest import endpoint, make_router, until

# How often each kind of trouble comes, and when the run is given up.
TURNS, SECONDS = (20, 900) if os.environ.get("READ_REPLICA_LONG") else (2, 150)
PROCESSES = 3
THREADS = 3
# Fewer than threads, so that calls also find the pool empty.
CONNECTIONS = 2
USERS = 40

# A replica that has been back for so long must be in use again, wherever its breaker was open.
SECONDS_UNTIL_USED = 6


@pytest.fixture
def market() -> Iterator[Cluster]:
	"""Servers of its own, new ones for a run that is tried again, with a user of the shop's whose connections can be told from others."""
	with cluster(replicas=2) as servers:
		servers.primary.query("CREATE DATABASE shop")
		servers.primary.query(LEDGER)
		servers.primary.query("CREATE USER shop@'127.0.0.1' IDENTIFIED BY 'shop'")
		servers.primary.query("GRANT SELECT, INSERT ON shop.* TO shop@'127.0.0.1'")
		servers.catch_up()
		yield servers


def agent_of(market: Cluster, announcements: Announcements, seed: int) -> Agent:
	restart = Trouble("primary restarted", announcements.restart_begins, announcements.restart_ends)
	kinds = [(outage, market.replicas) for outage in OUTAGES]
	kinds += [(outage, [market.redis]) for outage in OUTAGES_OF_REDIS]
	kinds += [(restart, [market.primary])]
	return Agent(random.Random(seed), kinds, seconds=(0.3, 2.5))


@dataclass
class Clerk:
	"""One thread of a process: serves one request after another until the run is over."""

	host: LoadHost
	router: Router
	users: Users
	announcements: Announcements
	is_replica_sound: Callable[[], bool]
	rng: random.Random
	report: Report

	def work(self, over: object) -> None:
		while not over.value:
			with self.users.one_at_random(self.rng) as user:
				self.serve(user)

	def serve(self, user: int) -> None:
		"""One request, which fails by the primary's announced absence or not at all."""
		self.host.log_in(f"user{user}")
		announced = self.announcements.now
		try:
			self.write(user) if self.rng.random() < 0.3 else self.read(user)
		except PrimaryFailed:
			self.report.counts["refused"] += 1
			if not self.announcements.cover(announced):
				self.report.complaints.append(f"the primary was there\n{traceback.format_exc()}")
		except Exception:
			self.report.complaints.append(traceback.format_exc())
		self.check_nothing_is_left()
		self.host.end_request(self.router)
		self.host.current().close()

	def write(self, user: int) -> None:
		number = write(self.host, self.users, user)
		self.report.committed.append((user, number))

	def read(self, user: int) -> None:
		"""A call, and sometimes another one inside."""
		[consistency] = self.rng.choices(("session", "eventual", "strong"), (70, 20, 10))
		with self.call(consistency):
			self.look(user, consistency)
			if self.rng.random() < 0.2:
				with self.call(consistency):
					self.look(user, consistency)

	@contextlib.contextmanager
	def call(self, consistency: str) -> Iterator[None]:
		with self.router.read_only(Need(consistency=consistency), "report") as scope:
			self.report.counts["calls"] += 1
			try:
				yield
			finally:
				self.report.counts["moved to the primary"] += bool(scope and scope.pinned)

	def look(self, user: int, consistency: str) -> None:
		try:
			number, server = read(self.host, user, seconds=self.rng.choice((0, 0, 0, 0.1)))
		except PrimaryFailed:
			self.report.counts["reads refused"] += 1
			# The replica may lack the last writes of a user, so only those are told that want none.
			if consistency == "eventual" and self.is_replica_sound():
				self.report.complaints.append("a read failed that a replica could have answered")
			raise
		self.report.counts["reads of primary" if server == 1 else "reads of replicas"] += 1
		if self.announcements.now % 2 and server != 1:
			self.report.counts["reads while the primary was away"] += 1
		if consistency != "eventual" and number < self.users.committed[user]:
			self.report.complaints.append(
				f"user {user} has committed {self.users.committed[user]}, and was shown {number}"
				f" by server {server} ({consistency})"
			)

	def check_nothing_is_left(self) -> None:
		if self.host.state().frames:
			self.report.complaints.append("a scope was left open")
		if not isinstance(self.host.current(), PrimaryDatabase):
			self.report.complaints.append("the primary was not put back in place")
		for replica in self.router.replicas:
			if not 0 <= replica.pool.lent <= CONNECTIONS:
				self.report.complaints.append(f"{replica.pool.lent} connections are lent of {replica.name}")


def run(market: Cluster, seed: int) -> tuple[Report, Agent]:
	users, announcements = Users(USERS), Announcements()
	over = multiprocessing.RawValue(ctypes.c_bool, False)
	agent = agent_of(market, announcements, seed)
	is_sound = partial(agent.one_is_sound, market.replicas, SECONDS_UNTIL_USED)
	address = market.primary.address("shop") | {"user": "shop", "password": "shop"}

	def host_of_process() -> LoadHost:
		return LoadHost(address, redis.Redis(market.redis.host, market.redis.port), f"chaos|{seed}")

	def work(number: int, report: Report) -> None:
		host = host_of_process()
		endpoints = [endpoint(replica) for replica in market.replicas]
		router = make_router(host, *endpoints, connections_per_replica=CONNECTIONS, wait=0.2)
		rngs = [random.Random(f"{seed} {number} {thread}") for thread in range(THREADS)]
		clerks = [Clerk(host, router, users, announcements, is_sound, rng, Report()) for rng in rngs]
		threads = [threading.Thread(target=clerk.work, args=(over,)) for clerk in clerks]
		for thread in threads:
			thread.start()
		for thread in threads:
			thread.join()
		for clerk in clerks:
			report.add(clerk.report)
		report.complaints += [f"{replica.name}: lent" for replica in router.replicas if replica.pool.lent]
		report.note_end_of(router, host)
		report.complaints += fallbacks_that_were_not_logged(host, report)

	host_of_process().shared.mark_incomplete(seconds_ago=3600)
	with Processes(PROCESSES, work, SECONDS) as processes:
		deadline = time.monotonic() + SECONDS - 60
		while agent.begun.total() < TURNS * agent.kinds and time.monotonic() < deadline:
			# Trouble comes often enough to overlap, and seldom enough for load to be answered in between.
			time.sleep(1.2)
			agent.step()
		agent.undo_all()
		over.value = True
		return processes.report(), agent


def fallbacks_that_were_not_logged(host: LoadHost, report: Report) -> list[str]:
	logged = {event["reason"] for event in host.logged("fallback")}
	return [
		f"fallbacks were not logged: {reason.value}"
		for reason in FALLBACKS
		if report.by_primary(reason) and reason.value not in logged
	]


def test_chaos_costs_no_read_no_write_no_connection_and_no_count(market: Cluster):
	seed = seed_of_run()
	began = time.monotonic()
	total, agent = run(market, seed)
	summary = f"seed {seed}, {time.monotonic() - began:.0f} s, {total.counts}, {agent.begun}, {shown(total)}"
	print(summary)
	assert not total.complaints, f"{summary}\n{len(total.complaints)} complaints:\n{total.complaints[0]}"
	assert len(agent.begun) == agent.kinds, f"not all kinds of trouble came in time: {summary}"
	check_counts(total, summary)
	check_writes(market, total, summary)
	for server in (market.primary, *market.replicas):
		until(lambda: not connections_of_shop(server))


def check_counts(total: Report, summary: str) -> None:
	counts = total.counts
	fallbacks = total.by_primary(*FALLBACKS)
	in_scope = total.by_replicas(Reason.IN_SCOPE) + total.by_primary(Reason.IN_SCOPE)
	opened = total.by_replicas(Reason.REPLICA)
	moved = counts["moved to the primary"]
	# A call that has moved is counted once for the replica that began it, and once as a fallback.
	assert opened + in_scope + fallbacks - moved == counts["calls"], summary
	at_primary = counts["reads of primary"] + counts["reads refused"]
	assert at_primary == fallbacks + total.by_primary(Reason.IN_SCOPE), summary
	assert total.by_replicas(Reason.LOST) + total.by_replicas(Reason.TROUBLE) >= moved, summary
	expected = {Reason.REPLICA, Reason.IN_SCOPE, Reason.LOST, Reason.TROUBLE, *FALLBACKS}
	assert {reason for (_, reason), count in total.routed.items() if count} <= expected, summary
	# Without these, the run would prove nothing.
	assert fallbacks and total.by_replicas(Reason.LOST), summary
	assert counts["reads of replicas"] > 0.3 * counts["calls"], summary
	assert counts["reads while the primary was away"], summary


def check_writes(market: Cluster, total: Report, summary: str) -> None:
	market.catch_up()
	assert total.committed, summary
	for server in (market.primary, *market.replicas):
		lost = set(total.committed) - set(server.query("SELECT user, number FROM shop.ledger"))
		assert not lost, f"{len(lost)} writes are lost on {server.folder.name}: {summary}"


def connections_of_shop(server: MariaDB) -> int:
	query = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'shop'"
	return server.query(query)[0][0]
