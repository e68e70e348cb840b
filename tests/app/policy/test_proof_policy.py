# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A random run: an administrator changes rules while users read and write, and replicas are late.

Two web servers with two processes each, and real HTTP. No user misses what they have written; every change of a
rule is taken up by every process within two seconds; a method that writes does not stay on a replica; no cache
shows what the primary does not have; and no request fails. 45 seconds; ten minutes with READ_REPLICA_LONG set. A
failure names its seed: READ_REPLICA_SEED.
"""

import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import frappe
import pytest

from read_replica.database.host import shared_of_site
from read_replica.engine.writers import COPY_MAX_AGE
from support import credentials
from support.bench import ADMIN_PASSWORD
from support.load import seed_of_run
from support.policy_admin import PROOF, Administrator
from support.policy_users import Answer, Cached, Seen, User
from support.production_load import Client, Load
from support.trouble import LAGS, Agent, frozen
from support.waiting import until
from support.web_bench import WebBench

from ..conftest import connected, forget_writers, full_form, in_another_worker
from .test_policy import delete_rows

SECONDS = 600 if os.environ.get("READ_REPLICA_LONG") else 45
SECONDS_FOR_A_RULE = 2.0
SECONDS_BETWEEN_CHANGES = 0.4

# Replicas are late at random for a while, and then have time to catch up.
SECONDS_OF_A_ROUND, SECONDS_OF_TROUBLE = 8, 5

PROBES, WRITERS = 3, 4
SERVERS, PROCESSES_EACH = 2, 2

# As a browser, and as programs do.
SESSION = "session"
WAYS = (SESSION, SESSION, *credentials.WAYS)

# Why the primary answers what a rule sends to a replica, as far as this run brings it about.
NOT_BY_A_REPLICA = ("no_replica", "lagging", "behind", "lost", "trouble", "pending_writes")


@pytest.fixture
def web(configured, servers) -> Iterator[list[WebBench]]:
	"""Servers of the site with one Redis; nothing is left of its rules afterwards."""
	configured.configure(read_replica=full_form(servers, wait=0.1))
	with tempfile.TemporaryDirectory(prefix="rr-policy-") as folder, ExitStack() as stack:
		stack.callback(in_another_worker, forget_writers)
		stack.callback(in_another_worker, delete_rows)
		made = []
		for at in range(SERVERS):
			bench = WebBench(
				Path(folder) / f"web{at}", configured, f"web{at}", servers.redis.port, PROCESSES_EACH
			)
			stack.callback(bench.stop)
			bench.start_web()
			made.append(bench)
		yield made


def clients_of(web: list[WebBench], seed: int) -> tuple[list[Client], list[str]]:
	"""One client for each of WAYS, and a document of each."""
	urls = [f"http://127.0.0.1:{bench.port}" for bench in web]
	clients, documents = [], []
	for at, way in enumerate(WAYS):
		rng = random.Random(f"{seed} client {at}")
		with connected():
			user = credentials.make_user(f"policy{at}@example.com")
			headers = way(user) if way != SESSION else None
			documents.append(save_todo(user, "0"))
		client = Client(urls, rng, headers)
		if way == SESSION:
			client.log_in(user, ADMIN_PASSWORD)
		clients.append(client)
	return clients, documents


def save_todo(user: str, description: str) -> str:
	frappe.set_user(user)
	name = frappe.get_doc({"doctype": "ToDo", "description": description}).insert().name
	frappe.db.commit()
	frappe.set_user("Administrator")
	return name


def test_rules_may_change_at_any_time_while_users_read_and_write(configured, web, servers):
	seed = seed_of_run()
	rng = random.Random(seed)
	load, seen = Load(), Seen()
	clients, documents = clients_of(web, seed)
	with connected():
		names = [save_todo("Administrator", f"cached {at}") for at in range(3)]
	cached = Cached(load, names)
	boss = Client([f"http://127.0.0.1:{bench.port}" for bench in web], random.Random(f"{seed} boss"))
	boss.log_in("Administrator", ADMIN_PASSWORD)
	administrator = Administrator(load, boss, rng)
	administrator.may_change(PROBES, WRITERS)
	servers.catch_up()

	for at, (client, document) in enumerate(zip(clients, documents, strict=True)):
		of_user = random.Random(f"{seed} user {at}")
		user = User(load, client, of_user, document, seen)
		load.add(lambda user=user, of_user=of_user: does_something(user, of_user), pause=0.01)
	reader = clients[0]
	load.add(lambda: cached.is_read(reader), pause=0.05)
	load.add(lambda: cached.is_written(boss, rng), pause=0.7)
	load.add(administrator.changes_something, pause=SECONDS_BETWEEN_CHANGES)

	agent = Agent(rng, kinds_of_trouble(servers), seconds=(0.5, 3))
	began = time.monotonic()
	try:
		while time.monotonic() - began < SECONDS and not load.failures:
			if (time.monotonic() - began) % SECONDS_OF_A_ROUND < SECONDS_OF_TROUBLE:
				agent.step()
			else:
				agent.undo_all()
			time.sleep(0.1)
	finally:
		load.end()
		agent.undo_all()
	summary = f"seed {seed}, {time.monotonic() - began:.0f} s, {administrator.changes} changes of rules, "
	summary += f"{dict(load.asked)}, tried again {dict(load.tried_again)}, {dict(agent.begun)}, "
	summary += f"own reads by replicas {seen.own_reads}, cached reads by replicas {cached.on_replicas}"
	print(summary)
	assert not load.failures, f"{summary}\n{load.failures[0]}\n{web[0].log()}"
	assert not load.hanging(), summary
	servers.catch_up()
	processes = {answer.pid for answer in seen.answers}
	check_that_changes_were_taken_up(administrator, seen.answers, processes, summary)
	check_that_writers_stayed_on_the_primary(administrator, seen, summary)
	check_caches(cached, reader, processes, summary)
	assert len(processes) == SERVERS * PROCESSES_EACH, summary
	assert seen.own_reads[0] > seen.own_reads[1] / 10, summary
	assert cached.on_replicas, summary
	assert len(agent.begun) == agent.kinds, summary


def kinds_of_trouble(servers) -> list:
	"""One replica is never frozen, so that there is always one that answers, however late it is."""
	return [(lag, servers.replicas[:1] if lag is frozen else servers.replicas) for lag in LAGS]


def does_something(user: User, rng: random.Random) -> None:
	what = rng.random()
	if what < 0.2:
		user.writes_and_looks()
	elif what < 0.5:
		user.looks()
	elif what < 0.6:
		user.writes_by_method(WRITERS)
	else:
		user.probes(PROBES)


def check_that_changes_were_taken_up(
	administrator: Administrator, answers: list[Answer], processes: set[int], summary: str
) -> None:
	"""What is asked two seconds after a change or later is read where the rule says.

	A replica that does not answer lets the primary do so, which is counted by its reason.
	"""
	judged: Counter = Counter()
	late = [0.0]
	on_primary: Counter = Counter()
	for answer in answers:
		places = possible(administrator, answer)
		on_replica = answer.server != 1
		if len(places) > 1:
			last = [reign for reign in administrator.reigns[answer.method] if reign.sent <= answer.ended][-1]
			if on_replica and last.place == "primary":
				late.append(answer.began - last.done)
			continue
		[place] = places
		judged[answer.pid, place] += 1
		if place == "primary":
			assert not on_replica, f"{summary}\n{answer}, with {administrator.reigns[answer.method]}"
		elif not on_replica:
			on_primary[answer.method] += 1
	print(
		f"{judged.total()} answers show that a change was taken up, the last one at most {max(late):.2f} s after it"
	)
	# The processes share what they have counted each second.
	time.sleep(3)
	with connected():
		counts = shared_of_site().load_counts()
	for method, count in on_primary.items():
		fallbacks = sum(
			calls
			for (server, reason, name), (calls, _) in counts.items()
			if server == "primary" and reason in NOT_BY_A_REPLICA and name == PROOF + method
		)
		message = f"{method} was read on the primary {count} times where a rule named replicas; of these, {fallbacks} fell back"
		assert count <= fallbacks, f"{summary}\n{message}"
	assert all(judged[pid, place] for pid in processes for place in ("primary", "replica")), (summary, judged)


def possible(administrator: Administrator, answer: Answer) -> set[str]:
	"""Where a request may have been read, by the rules that stood while it was asked or two seconds before."""
	reigns = administrator.reigns.get(answer.method)
	if not reigns:
		return {"primary"}
	ends = [reign.done + SECONDS_FOR_A_RULE for reign in reigns[1:]] + [float("inf")]
	return {
		reign.place
		for reign, end in zip(reigns, ends, strict=True)
		if answer.ended >= reign.sent and answer.began <= end
	}


def check_that_writers_stayed_on_the_primary(administrator: Administrator, seen: Seen, summary: str) -> None:
	"""Once a method was caught, no process begins it on a replica as soon as it knows of that."""
	caught: dict[str, float] = {}
	for first, _ in seen.writes:
		if first.server != 1:
			caught[first.method] = min(first.ended, caught.get(first.method, float("inf")))
	assert caught, summary
	judged = 0
	for first, last in seen.writes:
		assert last.server == 1, f"{summary}\n{last}"
		if first.began > caught.get(first.method, float("inf")) + COPY_MAX_AGE:
			judged += 1
			assert first.server == 1, f"{summary}\n{first} began on a replica, though caught {caught}"
	assert judged, summary
	with connected():
		known = shared_of_site().load_writers()
		assert {PROOF + method for method in caught} <= known.keys(), summary
		for method, count in Counter(first.method for first, _ in seen.writes).items():
			assert frappe.db.count("ToDo", {"description": method}) == count, summary


def check_caches(cached: Cached, client: Client, processes: set[int], summary: str) -> None:
	"""Each process shows of the cached documents what the primary has, by each cache, without a rule."""
	in_another_worker(delete_rows)
	time.sleep(SECONDS_FOR_A_RULE)
	with connected():
		wanted = [frappe.db.get_value("ToDo", name, "description") for name in cached.names]
	assert any(text.startswith("changed") for text in wanted), summary
	asked = set()

	def all_were_asked() -> bool:
		shown = cached.is_read(client)
		pid = shown.pop("pid")
		assert shown == dict.fromkeys(shown, wanted), (
			f"{summary}\n{pid} shows {shown}, and the primary {wanted}"
		)
		asked.add(pid)
		return asked >= processes

	until(all_were_asked, 60)
