# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What came out: a table, a chart and a page."""

import statistics
from pathlib import Path

import matplotlib
from jinja2 import Environment, FileSystemLoader, select_autoescape
from matplotlib.ticker import MultipleLocator
from rich import box
from rich.console import Console
from rich.table import Table

from demo.ways import ORDERS_ALONE, Result

matplotlib.use("Agg")

COLUMNS = ("Way", "Orders/s", "p50", "p95", "p99", "Reports", "Answered by", "Failed")
SERVERS = ("primary", "replica01", "replica02")
COLOURS = {"primary": "#b5651d", "replica01": "#2a6f97", "replica02": "#61a5c2"}
ALONE_COLOUR = "#6c757d"
WAY_COLOURS = (ALONE_COLOUR, "#b5651d", "#2a6f97", "#61a5c2")


def percentile(latencies: list[float], percent: int) -> float:
	"""A percentile of latencies in seconds, in milliseconds."""
	if len(latencies) < 2:
		return float("nan")
	return statistics.quantiles(latencies, n=100, method="inclusive")[percent - 1] * 1000


def row(result: Result) -> tuple[str, ...]:
	answered = "\n".join(
		f"{server} {result.answered_by[server]}" for server in SERVERS if result.answered_by[server]
	)
	return (
		result.way.title,
		f"{len(result.orders) / result.way.seconds:.0f}",
		*(f"{percentile(result.orders, percent):.1f}" for percent in (50, 95, 99)),
		str(len(result.reports)),
		answered,
		str(len(result.failures)),
	)


def print_table(console: Console, results: list[Result]) -> None:
	table = Table(
		title="Orders (latency in ms) and stock balance reports, side by side",
		# Narrow enough for a terminal of 80 columns.
		box=box.HORIZONTALS,
		padding=(0, 1, 0, 0),
		show_edge=False,
	)
	for column in COLUMNS:
		table.add_column(
			column,
			justify="left" if column in ("Way", "Answered by") else "right",
			min_width=len(column),
			overflow="fold",
		)
	for result in results:
		table.add_row(*row(result), end_section=result.way == ORDERS_ALONE)
	console.print(table)
	for failure in {failure for result in results for failure in result.failures}:
		console.print(f"Failed: {failure}", markup=False)


def write_chart(folder: Path, results: list[Result]) -> Path:
	"""Latencies of orders by way, and which server answered the reports while a replica was down."""
	from matplotlib import pyplot

	figure, (latencies, timeline) = pyplot.subplots(
		1, 2, figsize=(13, 5), gridspec_kw={"width_ratios": (1, 1.3)}
	)
	_draw_latencies(latencies, results)
	_draw_timeline(timeline, results[-1])
	figure.tight_layout()
	path = folder / "orders_and_reports.png"
	figure.savefig(path, dpi=110)
	pyplot.close(figure)
	return path


def _draw_latencies(axes, results: list[Result]) -> None:
	percents = (50, 95, 99)
	width = 0.8 / len(results)
	for index, result in enumerate(results):
		heights = [percentile(result.orders, percent) for percent in percents]
		offset = (index - (len(results) - 1) / 2) * width
		places = [place + offset for place in range(len(percents))]
		label = result.way.title
		if result.way == ORDERS_ALONE:
			label += " (dashed: to judge the others by)"
			_draw_lines_to_judge_by(axes, heights)
		bars = axes.bar(places, heights, width, label=label, color=WAY_COLOURS[index])
		# Where a number stands on a dashed line, it hides it.
		on_white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
		axes.bar_label(bars, fmt="%.1f", fontsize=8, padding=3, bbox=on_white, zorder=4)
	axes.set_xticks(range(len(percents)), [f"p{percent}" for percent in percents])
	axes.set_ylabel("latency of an order, ms")
	axes.set_title("Orders alone, and while two clients make reports all the time")
	axes.margins(y=0.28)
	axes.legend(fontsize=8, loc="upper left")
	axes.spines[["top", "right"]].set_visible(False)


def _draw_lines_to_judge_by(axes, heights: list[float]) -> None:
	"""Draw a dashed line at each percentile of orders alone, through the bars of the other ways."""
	places = range(len(heights))
	begins, ends = [place - 0.4 for place in places], [place + 0.4 for place in places]
	axes.hlines(heights, begins, ends, color="#222", linestyles="dashed", lw=1, zorder=3)


def _draw_timeline(axes, result: Result) -> None:
	for place, server in enumerate(SERVERS):
		times = [when for when, answered_by in result.reports if answered_by == server]
		axes.scatter(times, [place] * len(times), s=26, color=COLOURS[server], marker="|")
	if result.down:
		axes.axvspan(*result.down, color="#d62828", alpha=0.13, lw=0)
		axes.text(sum(result.down) / 2, 2.35, "replica01 is down", ha="center", color="#d62828", fontsize=9)
	axes.set_yticks(range(len(SERVERS)), SERVERS)
	axes.set_ylim(-0.6, 2.7)
	axes.set_xlim(0, result.way.seconds)
	axes.xaxis.set_major_locator(MultipleLocator(5))
	axes.set_xlabel("seconds")
	axes.set_title("Which server answered each report, while a replica is killed and comes back")
	axes.spines[["top", "right"]].set_visible(False)


def write_page(folder: Path, results: list[Result], chart: Path, shop: str) -> Path:
	templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape())
	page = templates.get_template("page.html").render(
		columns=COLUMNS, rows=[row(result) for result in results], chart=chart.name, shop=shop
	)
	path = folder / "index.html"
	path.write_text(page)
	return path
