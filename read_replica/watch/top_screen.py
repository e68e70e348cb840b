# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Shows `top` on a screen: one frame, or one after the other until somebody presses Ctrl-C."""

import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from read_replica.watch.top_report import BusyReplica, Top

MOST_ROWS = 15
WIDTH_OF_A_FILE = 160


def print_frame(top: Top) -> None:
	"""Print one frame."""
	console = Console()
	if not console.is_terminal:
		console = Console(width=WIDTH_OF_A_FILE)
	console.print(frame(top))


def show(first: Top, following: Callable[[], Top], seconds: float) -> None:
	"""Show a frame and those that follow, until Ctrl-C is pressed; where a look fails, the last frame stays and says so.

	:param seconds: between two frames
	"""
	last, trouble = first, None
	with Live(frame(last), auto_refresh=False, screen=True) as live:
		try:
			while True:
				time.sleep(seconds)
				try:
					last, trouble = following(), None
				except Exception as error:
					# Such as a primary that is down, which is when somebody looks.
					trouble = f"The last look failed: {type(error).__name__}: {error}"
				live.update(frame(last, trouble), refresh=True)
		except KeyboardInterrupt:
			return


def frame(top: Top, trouble: str | None = None) -> Group:
	"""Returns what one frame shows. No text in it is taken for markup, as names come from the site.

	:param trouble: why it is not new
	"""
	parts = [Text(f"{top.site}, {top.at:%H:%M:%S} UTC, calls per second of the last {top.seconds:.1f} s")]
	if trouble:
		parts.append(Text(trouble))
	if top.ended:
		parts.append(Text(f"{top.ended} was ended."))
	replicas = [
		(one.name, _state(one), "" if one.connections is None else str(one.connections))
		for one in top.replicas
	]
	rates = [(one.server, one.reason, one.method, f"{one.per_second:.1f}") for one in top.rates[:MOST_ROWS]]
	running = [(one.id, f"{one.seconds:.1f} s", one.state, one.statement) for one in top.running[:MOST_ROWS]]
	parts.append(_table(("Replica", "State", "Connections"), replicas))
	parts.append(_table(("Answered by", "Reason", "Method", "Per second"), rates))
	if running:
		parts.append(_table(("Runs (--kill)", "For", "State", "Statement"), running))
	else:
		parts.append(Text("No statement of this site has run for long on a replica."))
	return Group(*parts)


def _state(replica: BusyReplica) -> str:
	if replica.state == "up" and replica.lag_seconds is not None:
		return f"up, {replica.lag_seconds * 1000:.0f} ms behind"
	return ": ".join(filter(None, (replica.state or "not known", replica.error)))


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
	table = Table()
	for column in columns:
		table.add_column(column, overflow="fold")
	for row in rows:
		table.add_row(*(Text(cell) for cell in row))
	return table
