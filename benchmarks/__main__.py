# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""python -m benchmarks OUTPUT [--frappe]"""

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks.results import Figure, print_table, write_chart, write_json
from demo.progress import showing
from support.servers import Cluster, cluster, pin_apart

ROWS = 240_000


def main() -> int:
	parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
	parser.add_argument("output", type=Path, help="the folder for the chart and the JSON")
	parser.add_argument(
		"--frappe", action="store_true", help="calls on a throwaway site of FRAPPE_BENCH, alone"
	)
	arguments = parser.parse_args()
	# A plain kill ends the servers as Ctrl-C does.
	signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

	console = Console()
	console.print("Starting a primary, a replica and Redis ...")
	name = "benchmarks_frappe" if arguments.frappe else "benchmarks"
	with cluster(replicas=1) as servers:
		machine = describe(servers)
		figures = _in_frappe(servers, console) if arguments.frappe else _without_frappe(servers, console)
	print_table(console, figures)
	found = write_json(arguments.output, name, figures, machine)
	chart = write_chart(arguments.output, name, figures)
	console.print(
		f"JSON:  {found}\nChart: {chart}\nAll servers are stopped.", highlight=False, soft_wrap=True
	)
	missed = [figure for figure in figures if figure.is_missed]
	for figure in missed:
		console.print(f"Missed: {figure.question}: {figure.name}", style="red")
	return 1 if missed else 0


def _without_frappe(servers: Cluster, console: Console) -> list[Figure]:
	from benchmarks import calls, commits, fleet, frozen, orders
	from demo.plain_shop import PlainShop

	cores = pin_apart(servers)
	questions = (
		("Orders beside reports", lambda: orders.measure(shop, servers, cores)),
		("Calls", lambda: calls.measure(servers)),
		("Commits", lambda: commits.measure(servers)),
		("A frozen replica", lambda: frozen.measure(servers)),
		("64 processes", lambda: fleet.measure(servers)),
	)
	with PlainShop(servers) as shop:
		with showing(console) as progress:
			task = progress.add_task(f"Loading {ROWS:,} stock ledger rows", total=ROWS)
			for loaded in shop.load(ROWS):
				progress.update(task, completed=loaded)
		servers.catch_up()
		return _ask(questions, console)


def _in_frappe(servers: Cluster, console: Console) -> list[Figure]:
	from benchmarks import calls_frappe

	pin_apart(servers)
	return _ask((("Calls on a throwaway Frappe site", lambda: calls_frappe.measure(servers)),), console)


def _ask(questions: tuple[tuple[str, Callable[[], list[Figure]]], ...], console: Console) -> list[Figure]:
	figures = []
	for title, measure in questions:
		begun = time.monotonic()
		console.print(f"{title} ...")
		figures += measure()
		console.print(f"  {time.monotonic() - begun:.0f} s", style="dim", highlight=False)
	return figures


def describe(servers: Cluster) -> dict:
	"""What the figures were measured on."""
	[[mariadb]] = servers.primary.query("SELECT VERSION()")
	load = [round(value, 2) for value in os.getloadavg()]
	return {
		"cores": len(os.sched_getaffinity(0)),
		"python": platform.python_version(),
		"mariadb": mariadb,
		"load before": load,
	}


if __name__ == "__main__":
	try:
		sys.exit(main())
	except KeyboardInterrupt:
		sys.exit(130)
