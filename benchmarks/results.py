# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What came out: a table, JSON and a chart."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import matplotlib
from rich.console import Console
from rich.table import Table

matplotlib.use("Agg")

MET, MISSED, COMPARED = "#2a6f97", "#d62828", "#b0b0b0"


@dataclass(frozen=True)
class Figure:
	"""One measured figure.

	:param of: what `value` counts, such as "x the plain query"
	:param target: the most that it may be; None where it only stands for comparison
	:param measured: what it was worked out from, by name and unit
	"""

	question: str
	name: str
	value: float
	of: str
	target: float | None = None
	measured: dict[str, float] = field(default_factory=dict)

	@property
	def is_missed(self) -> bool:
		return self.target is not None and not self.value <= self.target

	@property
	def verdict(self) -> str:
		if self.target is None:
			return "for comparison"
		return "missed" if self.is_missed else "met"


def print_table(console: Console, figures: list[Figure]) -> None:
	table = Table(title="Ratios within this run, and the targets", title_justify="left")
	for column, justify in (
		("", "left"),
		("Measured", "right"),
		("Target", "right"),
		("Of", "left"),
		("", "left"),
	):
		table.add_column(column, justify=justify)
	question = ""
	for figure in figures:
		if figure.question != question:
			question = figure.question
			table.add_section()
			table.add_row(f"[bold]{question}")
		target = "" if figure.target is None else f"<= {figure.target:g}"
		style = "bold red" if figure.is_missed else "dim" if figure.target is None else ""
		table.add_row(
			f"  {figure.name}", f"{figure.value:.2f}", target, figure.of, figure.verdict, style=style
		)
	console.print(table)


def write_json(folder: Path, name: str, figures: list[Figure], machine: dict) -> Path:
	rows = [asdict(figure) | {"verdict": figure.verdict} for figure in figures]
	path = folder / f"{name}.json"
	path.write_text(json.dumps({"machine": machine, "figures": rows}, indent="\t") + "\n")
	return path


def write_chart(folder: Path, name: str, figures: list[Figure]) -> Path:
	"""A panel per question: bars, with their targets as black marks."""
	from matplotlib import pyplot

	questions = list(dict.fromkeys(figure.question for figure in figures))
	panels = [[figure for figure in figures if figure.question == question] for question in questions]
	heights = [len(panel) + 1.2 for panel in panels]
	size = (11, 0.42 * sum(heights) + 1)
	figure, axes = pyplot.subplots(len(panels), 1, figsize=size, height_ratios=heights, squeeze=False)
	for panel, place in zip(panels, axes[:, 0], strict=True):
		_draw(place, panel)
	figure.suptitle(
		"What routing costs and gains; the black mark is the target", x=0.01, ha="left", fontsize=12
	)
	figure.tight_layout()
	path = folder / f"{name}.png"
	figure.savefig(path, dpi=110)
	pyplot.close(figure)
	return path


def _draw(axes, panel: list[Figure]) -> None:
	longest = _longest_bar(panel)
	colours = [MISSED if figure.is_missed else COMPARED if figure.target is None else MET for figure in panel]
	axes.barh(range(len(panel)), [min(f.value, longest) for f in panel], color=colours, height=0.6)
	for place, figure in enumerate(panel):
		cut = " (bar cut off)" if figure.value > longest else ""
		end = max(min(figure.value, longest), figure.target or 0)
		label = f"{figure.value:.2f} {figure.of}{cut}"
		axes.text(end + longest * 0.015, place, label, fontsize=8, va="center")
		if figure.target is not None:
			axes.plot([figure.target] * 2, [place - 0.42, place + 0.42], color="black", lw=2)
	axes.set_yticks(range(len(panel)), [figure.name for figure in panel], fontsize=9)
	axes.invert_yaxis()
	axes.set_xlim(0, longest * 1.45)
	axes.set_title(panel[0].question, fontsize=10, loc="left", fontweight="bold")
	axes.tick_params(axis="x", labelsize=8)
	axes.spines[["top", "right"]].set_visible(False)


def _longest_bar(panel: list[Figure]) -> float:
	"""Where bars end: a figure for comparison that is many times the others would leave nothing of them."""
	lengths = sorted([figure.value for figure in panel] + [figure.target or 0 for figure in panel])
	while len(lengths) > 1 and lengths[-1] > 8 * lengths[-2] > 0:
		lengths.pop()
	return lengths[-1] * 1.1
