# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What 64 processes of one site cost: questions to the replica about its health, and memory."""

import statistics
import subprocess
import sys
import time

import psutil

from benchmarks.processes import Worker, event
from benchmarks.results import Figure
from benchmarks.shop import EVENTUAL, LIST, LIST_VALUES, database_on, routed
from benchmarks.statements import recorded
from support.servers import Cluster

QUESTION = "64 processes of one site"
PROCESSES = 64
CALLS_PER_SECOND = 2
SECONDS_TO_SETTLE = 6
SECONDS = 15
PLAIN_PROCESSES = 8

# What a program imports anyway, and what it imports to route.
WITHOUT_ROUTING, WITH_ROUTING = "import pymysql, redis", "import pymysql, redis, read_replica.engine.router"


def measure(servers: Cluster) -> list[Figure]:
	probes, routing = _routing(servers)
	plain = _plain(servers)
	memory = {"routing, MiB": routing, "without, MiB": plain}
	code = {"with, MiB": _memory_of_import(WITH_ROUTING), "without, MiB": _memory_of_import(WITHOUT_ROUTING)}
	return [
		Figure(QUESTION, "probes of the replica", probes, "per second", 1.1),
		Figure(QUESTION, "memory of a worker", routing - plain, "MiB more than without routing", 5, memory),
		Figure(
			QUESTION,
			"memory of the code, if not shared with a parent",
			code["with, MiB"] - code["without, MiB"],
			"MiB more than without routing",
			None,
			code,
		),
	]


def _routing(servers: Cluster) -> tuple[float, float]:
	"""Probes per second of all processes, and the private memory of one in MiB."""
	stop = event()

	def work() -> None:
		with routed(servers) as (host, router):
			while not stop.wait(1 / CALLS_PER_SECOND):
				with router.read_only(EVENTUAL, "list"):
					host.current().sql(LIST, LIST_VALUES)
				host.end_request(router)

	workers = [Worker(work) for _ in range(PROCESSES)]
	try:
		time.sleep(SECONDS_TO_SETTLE)
		begun = time.monotonic()
		with recorded(servers.replicas[0]) as statements:
			time.sleep(SECONDS)
		probes = [statement for _, statement in statements if _is_probe(statement)]
		took = time.monotonic() - begun
		memory = _private_memory(workers)
		_stop(stop, workers)
	finally:
		for worker in workers:
			worker.end()
	return len(probes) / took, memory


def _is_probe(statement: str) -> bool:
	"""Whether a statement is neither a call's query nor what is said to a connection of a pool."""
	return not statement.strip().startswith((LIST.strip()[:20], "ROLLBACK", "SET "))


def _plain(servers: Cluster) -> float:
	"""The private memory in MiB of a process that asks the same on an open connection."""
	stop = event()

	def work() -> None:
		with database_on(servers.replicas[0]) as database:
			while not stop.wait(1 / CALLS_PER_SECOND):
				database.sql(LIST, LIST_VALUES)
				database.rollback()

	workers = [Worker(work) for _ in range(PLAIN_PROCESSES)]
	try:
		time.sleep(SECONDS_TO_SETTLE)
		memory = _private_memory(workers)
		_stop(stop, workers)
	finally:
		for worker in workers:
			worker.end()
	return memory


def _stop(stop, workers: list[Worker]) -> None:
	"""Let the processes end, and raise what went wrong in any of them."""
	stop.set()
	for worker in workers:
		worker.result(30)


def _private_memory(workers: list[Worker]) -> float:
	"""The median memory in MiB that a process shares with no other."""
	return statistics.median(psutil.Process(worker.pid).memory_full_info().uss for worker in workers) / 2**20


def _memory_of_import(code: str) -> float:
	"""The private memory in MiB of a fresh interpreter that has run some imports."""
	tell = "import psutil; print(psutil.Process().memory_full_info().uss)"
	told = subprocess.run(
		[sys.executable, "-c", f"{code}; {tell}"], check=True, capture_output=True, text=True
	)
	return int(told.stdout) / 2**20
