# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A consistency checker: many users write and read in several processes while the replicas lag.

Each request of a user is served by another process than the last one, or by the same, as it happens.
5,000 requests, at 400 a second at most; with READ_REPLICA_LONG set, 100,000. A failure names its seed: READ_REPLICA_SEED.
"""

import os
import random
import time
from collections import Counter

import redis

from read_replica.engine.reasons import Reason
from read_replica.engine.router import Router
from read_replica.engine.settings import Need
from support.load import (
	FALLBACKS,
	LEDGER,
	LoadHost,
	Report,
	Users,
	read,
	seed_of_run,
	shown,
	write,
)
from support.processes import Processes
from support.servers import Cluster
from support.trouble import LAGS, Agent

from .conftest import endpoint, make_router

REQUESTS, SECONDS = (100_000, 1800) if os.environ.get("READ_REPLICA_LONG") else (5_000, 150)
PROCESSES = 5
USERS = 150
# Of each process. Unbounded, a fast machine is through before much has befallen the replicas, and its
# users write so often that hardly any replica ever has what they wrote last.
REQUESTS_PER_SECOND = 80


def test_no_user_misses_an_own_write_while_replicas_lag_at_random(shop: Cluster):
	seed = seed_of_run()
	site = f"consistency|{seed}"
	users = Users(USERS)

	def host_of_process() -> LoadHost:
		return LoadHost(shop.primary.address("shop"), redis.Redis(shop.redis.host, shop.redis.port), site)

	def work(number: int, report: Report) -> None:
		host = host_of_process()
		# Short, as a wait that is in vain holds up a process of the checker.
		router = make_router(host, *[endpoint(replica) for replica in shop.replicas], wait=0.1)
		rng = random.Random(f"{seed} {number}")
		began = time.monotonic()
		for served in range(REQUESTS // PROCESSES):
			time.sleep(max(0, began + served / REQUESTS_PER_SECOND - time.monotonic()))
			with users.one_at_random(rng) as user:
				host.log_in(f"user{user}")
				serve(host, router, users, user, rng, report)
				host.end_request(router)
		report.note_end_of(router, host)

	shop.primary.query(LEDGER)
	host_of_process().shared.mark_incomplete(seconds_ago=3600)
	agent = Agent(random.Random(seed), [(lag, shop.replicas) for lag in LAGS], seconds=(0.2, 1.2))
	began = time.monotonic()
	try:
		with Processes(PROCESSES, work, SECONDS) as processes:
			while processes.are_running:
				agent.step()
				time.sleep(0.1)
			agent.undo_all()
			total = processes.report()
	finally:
		agent.undo_all()
		shop.primary.query("DROP TABLE shop.ledger")
		shop.catch_up()
	summary = f"seed {seed}, {time.monotonic() - began:.0f} s, {total.counts}, {agent.begun}, {shown(total)}"
	print(summary)
	assert not total.complaints, f"{summary}\n{total.complaints[0]}"
	check_that_lag_was_met(total, summary)
	check_counts(total, host_of_process().shared.load_counts(), summary)


def serve(
	host: LoadHost, router: Router, users: Users, user: int, rng: random.Random, report: Report
) -> None:
	"""One request of a user: a write, or a read that is checked; or one that need not see own writes."""
	kind = rng.choices(("write", "session", "eventual"), (25, 65, 10))[0]
	report.counts[kind] += 1
	if kind == "write":
		write(host, users, user)
		return
	with router.read_only(Need(consistency=kind), "report") as scope:
		number, server = read(host, user)
	report.counts["pinned"] += bool(scope and scope.pinned)
	report.counts[kind, "by the primary" if server == 1 else "by a replica"] += 1
	if number < users.committed[user]:
		report.counts[kind, "stale"] += 1
		if kind == "session":
			report.complaints.append(
				f"user {user} has committed {users.committed[user]},"
				f" and was shown {number} by server {server}"
			)


def check_that_lag_was_met(total: Report, summary: str) -> None:
	"""Without lag, or without replicas that answer, the checker would prove nothing."""
	counts = total.counts
	assert counts["write"] + counts["session"] + counts["eventual"] == REQUESTS, summary
	assert counts["session", "by a replica"] > 0.2 * counts["session"], summary
	assert total.by_primary(Reason.BEHIND) > 0.002 * counts["session"], summary
	# Who does not ask for own writes misses some of them: the lag that the others were spared.
	assert counts["eventual", "stale"] > 0.01 * counts["eventual"], summary


def check_counts(total: Report, shared: dict, summary: str) -> None:
	"""What all processes have added up in Redis is what each has counted, and what was answered."""
	in_redis = Counter()
	for (server, reason, _), (count, _) in shared.items():
		in_redis[server, Reason(reason)] += count
	assert in_redis == total.routed, summary
	calls = total.counts["session"] + total.counts["eventual"]
	fallbacks = total.by_primary(*FALLBACKS)
	by_primary = total.counts["session", "by the primary"] + total.counts["eventual", "by the primary"]
	assert total.by_replicas(Reason.REPLICA) + fallbacks - total.counts["pinned"] == calls, summary
	assert fallbacks == by_primary, summary
