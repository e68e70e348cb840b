# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""python -m demo OUTPUT [--frappe]"""

import argparse
import signal
import sys
from pathlib import Path

from rich.console import Console

from demo.progress import showing
from demo.results import print_table, write_chart, write_page
from demo.ways import WAYS, Result, Shop, run
from support.servers import Cluster, cluster, pin_apart

ROWS = 240_000


def main() -> None:
	parser = argparse.ArgumentParser(prog="demo", description=__doc__)
	parser.add_argument("output", type=Path, help="the folder for the chart and the page")
	parser.add_argument("--frappe", action="store_true", help="on a throwaway site of FRAPPE_BENCH")
	arguments = parser.parse_args()
	# A plain kill ends the servers as Ctrl-C does.
	signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

	console = Console()
	console.print("Starting a primary, two replicas and Redis ...")
	with cluster(replicas=2) as servers:
		console.print(_pin_apart(servers))
		with _shop(servers, arguments.frappe, console) as shop:
			results = _show(servers, shop, console)
	print_table(console, results)
	chart = write_chart(arguments.output, results)
	page = write_page(arguments.output, results, chart, shop.name)
	console.print(f"Chart: {chart}\nPage:  {page}\nAll servers are stopped.", highlight=False, soft_wrap=True)


def _shop(servers: Cluster, frappe: bool, console: Console) -> Shop:
	if not frappe:
		from demo.plain_shop import PlainShop

		return PlainShop(servers)
	from demo.frappe_shop import FrappeShop

	console.print("Making a throwaway Frappe site ...")
	return FrappeShop(servers)


def _show(servers: Cluster, shop: Shop, console: Console) -> list[Result]:
	with showing(console) as progress:
		task = progress.add_task(f"Loading {ROWS:,} stock ledger rows", total=ROWS)
		for loaded in shop.load(ROWS):
			progress.update(task, completed=loaded)
		servers.catch_up()
		results = []
		for way in WAYS:
			task = progress.add_task(way.title, total=way.seconds)
			results.append(
				run(shop, way, servers, lambda seconds, task=task: progress.update(task, completed=seconds))
			)
	return results


def _pin_apart(servers: Cluster) -> str:
	of_primary, of_replicas = pin_apart(servers)
	if of_primary == of_replicas:
		return (
			"This machine has one core, which the primary and the replicas share: the gain is smaller here."
		)
	return f"The primary has cores {of_primary}, the replicas {of_replicas}, as if on machines of their own."


if __name__ == "__main__":
	try:
		main()
	except KeyboardInterrupt:
		sys.exit(130)
