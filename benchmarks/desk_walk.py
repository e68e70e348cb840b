# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""python -m benchmarks.desk_walk OUTPUT: walks through the desk of a site with ERPNext, with and without routing.

Shows how much of what the desk reads comes from replicas, and how long its pages take. Needs FRAPPE_BENCH, a bench
with ERPNext and built assets, Chromium, and the Python package playwright.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import frappe
from rich.console import Console

from benchmarks import desk_data, desk_statements, desk_table
from benchmarks.__main__ import describe
from benchmarks.desk_browser import Desk
from benchmarks.desk_counts import OPTIONS, Counts, counts
from benchmarks.desk_pages import FIRST, REPORTS, Page, pages
from benchmarks.desk_site import WalkSite, desk_servers, walk_site
from benchmarks.desk_visits import Visit, Visits
from benchmarks.results import print_table, write_chart, write_json
from support.desk_browser import chromium
from support.servers import Cluster, cluster

VERSION = int(frappe.__version__.split(".")[0])
ROUTED, PLAIN = "routed", "without"

# A round is begun only if it ends within so many seconds from the start, and none goes on for longer.
SECONDS = 570


def main() -> int:
	arguments = _arguments()
	until = time.monotonic() + arguments.seconds
	# A plain kill ends the servers as Ctrl-C does.
	signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
	console = Console(width=None if sys.stdout.isatty() else 150, highlight=False, soft_wrap=True)
	console.print("Starting a primary and its replicas, and making a site with ERPNext ...")
	begun = time.monotonic()
	with (
		cluster(replicas=arguments.replicas, options=OPTIONS) as servers,
		walk_site(servers, Path(os.environ["FRAPPE_BENCH"])) as site,
	):
		console.print(f"  {time.monotonic() - begun:.0f} s", style="dim")
		way = [
			page
			for page in pages(VERSION, site.documents, site.workspaces)
			if arguments.only.lower() in page.name.lower()
		]
		if arguments.statements:
			return tell_statements(servers, site, way, arguments, console)
		pictures = arguments.output / "desk_walk_pages" if arguments.screenshots else None
		return measure(servers, site, way, arguments, until, pictures, console)


def _arguments() -> argparse.Namespace:
	parser = argparse.ArgumentParser(prog="desk_walk", description=__doc__)
	parser.add_argument(
		"output", type=Path, help="the folder for JSON, the chart, and what is asked for below"
	)
	parser.add_argument(
		"--rounds", type=int, default=3, help="how often each page is opened each way, at most"
	)
	parser.add_argument("--seconds", type=int, default=SECONDS, help=f"how long it may take ({SECONDS})")
	parser.add_argument("--replicas", type=int, default=1, choices=(1, 2))
	parser.add_argument(
		"--statements", action="store_true", help="instead: which statements stay on the primary, by request"
	)
	parser.add_argument("--core", action="store_true", help="route what core decorates, and nothing else")
	parser.add_argument("--screenshots", action="store_true", help="keep a picture of each page")
	parser.add_argument("--only", default="", help="only pages whose name has this in it")
	arguments = parser.parse_args()
	arguments.output = arguments.output.resolve()
	return arguments


def configurations(servers: Cluster, core_alone: bool) -> dict[str, dict]:
	"""The configuration of this app for each way to walk.

	:param core_alone: whether only what core and ERPNext decorate is routed, and not what this app ships
	"""
	full = {
		"replicas": [
			{"name": one.folder.name, "host": one.host, "port": one.port} for one in servers.replicas
		]
	}
	routed = full | {"shipped_methods": 0} if core_alone else full
	return {ROUTED: routed, PLAIN: full | {"enabled": 0}}


def measure(
	servers: Cluster,
	site: WalkSite,
	way: list[Page],
	arguments: argparse.Namespace,
	until: float,
	pictures: Path | None,
	console: Console,
) -> int:
	"""Walk all ways, print what came out and write it; returns 1 if a target was missed."""
	machine = describe(servers) | {
		"frappe": frappe.__version__,
		"replicas": len(servers.replicas),
		"core alone": arguments.core,
	}
	loads, moves = Visits(), Visits()
	with (
		desk_servers(site, configurations(servers, arguments.core), servers.folder / "desks") as running,
		counts(servers, site.database) as counter,
		chromium() as browser,
	):
		desks = {name: Desk(browser, server.port, desk_root()) for name, server in running.items()}
		for desk in desks.values():
			desk.log_in(desk_data.USER, desk_data.PASSWORD)
		warm_up(desks, way, console, pictures)
		took = 0.0
		for number in range(arguments.rounds):
			if number and time.monotonic() + took > until:
				break
			begun = time.monotonic()
			one_round(desks, way, counter, loads, moves, until)
			took = time.monotonic() - begun
			machine["rounds"] = number + 1
			console.print(f"  round {number + 1}: {took:.0f} s", style="dim")
	check_reports(servers, site)
	desk_table.print_pages(console, loads, moves, ROUTED, PLAIN)
	if not moves.pages or len(loads.pages) < len(way):
		console.print("The time was over before all pages were opened; --seconds gives more.", style="red")
	figures = desk_table.figures(loads, moves, ROUTED, PLAIN)
	print_table(console, figures)
	by_page = desk_table.as_json(loads, moves, ROUTED, PLAIN)
	write_json(arguments.output, "desk_walk", figures, machine | {"pages": by_page})
	write_chart(arguments.output, "desk_walk", figures)
	return 1 if any(figure.is_missed for figure in figures) else 0


def desk_root() -> str:
	return "/desk" if VERSION >= 16 else "/app"


def warm_up(desks: dict[str, Desk], way: list[Page], console: Console, pictures: Path | None) -> None:
	"""Fill all caches: each page by a full load, which is not counted."""
	begun = time.monotonic()
	for number, page in enumerate(way):
		# One after the other: two who open a document at once both want to note that it was seen.
		for desk in desks.values():
			desk.load(page)
		if pictures:
			pictures.mkdir(exist_ok=True)
			desks[ROUTED].screenshot(pictures / f"{number:02} {page.name.replace(':', '')}.png")
	console.print(f"  warm caches: {time.monotonic() - begun:.0f} s", style="dim")


def one_round(
	desks: dict[str, Desk], way: list[Page], counter: Counts, loads: Visits, moves: Visits, until: float
) -> None:
	"""Open each page both ways, one right after the other: first by full loads, then inside the desk."""
	for page in in_time(way, until):
		for name in random.sample(list(desks), len(desks)):
			loads.add(page.name, name, visit(counter, lambda: desks[name].load(page)))
	for desk in desks.values():
		begin_a_day(desk)
	for page in in_time(inside(way), until):
		for name in random.sample(list(desks), len(desks)):
			moves.add(page.name, name, visit(counter, lambda: desks[name].route(page)))


def in_time(way: list[Page], until: float) -> Iterable[Page]:
	for page in way:
		if time.monotonic() > until:
			return
		yield page


def inside(way: list[Page]) -> list[Page]:
	return [page for page in way if page.is_in_desk]


def begin_a_day(desk: Desk) -> None:
	"""Let all pages that follow be seen for the first time in their tab."""
	desk.new_tab()
	desk.load(FIRST)


def visit(counter: Counts, opens: Callable[[], float]) -> Visit:
	before = counter.now()
	seconds = opens()
	return Visit(seconds, [after - then for after, then in zip(counter.now(), before, strict=True)])


def check_reports(servers: Cluster, site: WalkSite) -> None:
	"""Core turns a report that was slow into one that a worker prepares, and there is none.

	:raises RuntimeError: if it has
	"""
	prepared = servers.primary.query(
		f"select name from `{site.database}`.`tabReport` where name in %s and prepared_report",
		(tuple(REPORTS),),
	)
	if prepared:
		raise RuntimeError(f"The machine was so slow that core has made these prepared reports: {prepared}")


def tell_statements(
	servers: Cluster, site: WalkSite, way: list[Page], arguments: argparse.Namespace, console: Console
) -> int:
	"""Walk routed, and tell for each request what it has read where."""
	configuration = {ROUTED: configurations(servers, arguments.core)[ROUTED]}
	with (
		desk_servers(site, configuration, servers.folder / "desks", noted=True) as running,
		desk_statements.recorded(servers, running[ROUTED].requests) as record,
		chromium() as browser,
	):
		desk = Desk(browser, running[ROUTED].port, desk_root())
		desk.log_in(desk_data.USER, desk_data.PASSWORD)
		warm_up({ROUTED: desk}, way, console, None)
		with record.walk("By full loads"):
			for page in way:
				desk.load(page)
		begin_a_day(desk)
		with record.walk("Moving inside the desk"):
			for page in inside(way):
				desk.route(page)
	record.tell(console, arguments.output)
	return 0


if __name__ == "__main__":
	try:
		sys.exit(main())
	except KeyboardInterrupt:
		sys.exit(130)
