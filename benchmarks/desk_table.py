# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The walk as tables, and its figures with their targets."""

from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from benchmarks.desk_counts import Read
from benchmarks.desk_visits import Share, Visits
from benchmarks.results import Figure

# Percent that may stay on the primary.
ROWS, SELECTS_BY_LOADS, SELECTS_BY_MOVES = 1, 20, 10
SLOWER = 1.05

COLUMNS = (
	"SELECTs without",
	"on primary",
	"replicas",
	"%",
	"Rows without",
	"on primary",
	"replicas",
	"%",
	"ms without",
	"routed",
	"ratio",
)


def print_pages(console: Console, loads: Visits, moves: Visits, routed: str, plain: str) -> None:
	"""A line for each page: what it reads without routing, and where with it; and how long it takes, both ways."""
	for title, visits in (("By full loads", loads), ("Moving inside the desk", moves)):
		if visits.pages:
			console.print(_table(title, visits, routed, plain))
			console.print(f"Routed, on each server: {_of_servers(visits.of_each_server(routed))}\n")


def _of_servers(reads: list[Read]) -> str:
	names = ["primary", *(f"replica{number:02}" for number in range(1, len(reads)))]
	return ", ".join(
		f"{name} {read.selects:,} SELECTs and {read.rows:,} rows"
		for name, read in zip(names, reads, strict=True)
	)


def _table(title: str, visits: Visits, routed: str, plain: str) -> Table:
	table = Table(title=f"{title}: one walk, and the share of replicas", title_justify="left")
	table.add_column("Page")
	for column in COLUMNS:
		table.add_column(column, justify="right")
	for page in visits.pages:
		table.add_row(
			page,
			*_share(visits.selects(plain, [page]), visits.selects(routed, [page])),
			*_share(visits.rows(plain, [page]), visits.rows(routed, [page])),
			f"{visits.milliseconds(page, plain):.0f}",
			f"{visits.milliseconds(page, routed):.0f}",
			f"{visits.ratio(page, routed, plain):.2f}",
		)
	table.add_section()
	ways = [sum(visits.milliseconds(page, way) for page in visits.pages) for way in (plain, routed)]
	table.add_row(
		"All",
		*_share(visits.selects(plain), visits.selects(routed)),
		*_share(visits.rows(plain), visits.rows(routed)),
		*(f"{milliseconds:.0f}" for milliseconds in ways),
		f"{visits.median_ratio(routed, plain):.2f}",
		style="bold",
	)
	return table


def _share(plain: Share, routed: Share) -> tuple[str, ...]:
	numbers = (plain.primary + plain.replicas, routed.primary, routed.replicas)
	return *(f"{number:,.0f}" for number in numbers), f"{routed.on_replicas:.0f}"


def as_json(loads: Visits, moves: Visits, routed: str, plain: str) -> list[dict]:
	"""The same, page by page."""
	return [
		{
			"how": how,
			"page": page,
			**{
				way: {
					"selects": asdict(visits.selects(way, [page])),
					"rows": asdict(visits.rows(way, [page])),
					"milliseconds": visits.milliseconds(page, way),
				}
				for way in (routed, plain)
			},
			"ratio of times": visits.ratio(page, routed, plain),
		}
		for how, visits in (("full load", loads), ("move", moves))
		for page in visits.pages
	]


def figures(loads: Visits, moves: Visits, routed: str, plain: str) -> list[Figure]:
	found = []
	for visits, how, most in (
		(loads, "by full loads", SELECTS_BY_LOADS),
		(moves, "moving inside the desk", SELECTS_BY_MOVES),
	):
		if visits.pages:
			found += _of(visits, how, most, routed, plain)
	return found


def _of(visits: Visits, how: str, most: float, routed: str, plain: str) -> list[Figure]:
	question = f"A walk through the desk of a site with ERPNext, {how}"
	page, worst = visits.worst(routed, plain)
	rows = ROWS if how == "by full loads" else None
	return [
		_stays(question, "rows read on the primary", visits.rows(routed), rows),
		_stays(question, "SELECTs on the primary", visits.selects(routed), most),
		Figure(
			question,
			"time of a page, the median of all pages",
			visits.median_ratio(routed, plain),
			"x without routing",
			SLOWER,
			{
				f"all pages, {way}, ms": sum(visits.milliseconds(page, way) for page in visits.pages)
				for way in (routed, plain)
			},
		),
		Figure(question, f"time of the page that has lost most: {page}", worst, "x without routing"),
	]


def _stays(question: str, name: str, share: Share, target: float | None) -> Figure:
	measured = {"on the primary": share.primary, "on replicas": share.replicas}
	return Figure(question, name, 100 - share.on_replicas, "% of all", target, measured)
