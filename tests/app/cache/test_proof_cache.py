# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A cache checker: several processes read through Frappe's caches on replicas that are late at random.

When all is quiet again, each process's caches show what the primary has. 400 requests; 3,000 with
READ_REPLICA_LONG set. A failure names its seed: READ_REPLICA_SEED.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import frappe
from frappe.model.utils.user_settings import sync_user_settings

from support import cache_load
from support.load import seed_of_run
from support.trouble import LAGS, Agent

from ..conftest import connected

PROCESSES = 4
REQUESTS, SECONDS = (3_000, 900) if os.environ.get("READ_REPLICA_LONG") else (400, 300)


@contextmanager
def process(number: int, seed: int, requests: int) -> Iterator[subprocess.Popen]:
	"""A process of cache_load in the sites folder; killed if it does not end."""
	arguments = [str(number), str(seed), str(requests)]
	with subprocess.Popen(
		[sys.executable, "-m", "support.cache_load", *arguments],
		stdin=subprocess.PIPE,
		stdout=subprocess.PIPE,
		text=True,
	) as running:
		timer = threading.Timer(SECONDS, running.kill)
		timer.start()
		try:
			yield running
			running.stdin.close()
			running.wait(10)
		finally:
			timer.cancel()
			running.kill()


def told_by(running: subprocess.Popen) -> dict:
	"""The next line that a process prints."""
	line = running.stdout.readline()
	assert line, "a process of the checker has ended, or was killed as it took too long"
	return json.loads(line)


def shown_by(running: subprocess.Popen) -> dict:
	"""What the caches of a process show."""
	running.stdin.write("show\n")
	running.stdin.flush()
	return told_by(running)


def test_after_the_dust_settles_every_cache_equals_the_primary(configured, servers):
	seed = seed_of_run()
	with connected():
		cache_load.make_things()
	Path(cache_load.LAST_SAVED).write_text("{}")
	servers.catch_up()
	agent = Agent(random.Random(seed), [(lag, servers.replicas) for lag in LAGS], seconds=(0.5, 2))
	began = time.monotonic()
	with ExitStack() as stack:
		stack.callback(agent.undo_all)
		running = [
			stack.enter_context(process(number, seed, REQUESTS // PROCESSES)) for number in range(PROCESSES)
		]
		counts: list[dict] = []
		waiting = threading.Thread(target=lambda: counts.extend(told_by(one) for one in running))
		waiting.start()
		while waiting.is_alive():
			agent.step()
			waiting.join(0.1)
		agent.undo_all()
		servers.catch_up()
		# v16's processes hear of each other's deletions a moment later.
		time.sleep(1)
		shown = [shown_by(one) for one in running]
	with connected():
		sync_user_settings()
		frappe.db.commit()
		frappe.clear_cache()
	with process(PROCESSES, seed, 0) as fresh:
		told_by(fresh)
		expected = shown_by(fresh)
	total = sum(map(Counter, counts), Counter())
	summary = f"seed {seed}, {time.monotonic() - began:.0f} s, {dict(total)}, {dict(agent.begun)}"
	print(summary)
	for number, view in enumerate(shown):
		differing = {name: (view[name], expected[name]) for name in view if view[name] != expected[name]}
		assert not differing, f"{summary}\nprocess {number} shows, and the primary has: {differing}"
	saved = json.loads(Path(cache_load.LAST_SAVED).read_text())
	assert {user: expected["settings"][user] for user in saved} == saved, summary
	check_that_it_was_a_test(total, agent, summary)


def check_that_it_was_a_test(total: Counter, agent: Agent, summary: str) -> None:
	assert total["on a replica"] > REQUESTS / 3, summary
	assert total["late"] > REQUESTS / 100, summary
	assert all(total[write.__name__] for write in cache_load.WRITES), summary
	assert len(agent.begun) == agent.kinds, summary
