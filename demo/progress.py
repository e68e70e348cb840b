# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Shows what is going on while the demo works."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


def showing(console: Console) -> Progress:
	"""Bars on a terminal; nothing moves where the output goes to a file."""
	return Progress(
		TextColumn("{task.description:<34}"),
		BarColumn(),
		TextColumn("{task.percentage:>3.0f} %"),
		TimeElapsedColumn(),
		console=console,
	)
