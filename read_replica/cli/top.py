# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The command that shows what the replicas do now: top."""

import time
from typing import Any

import click

from read_replica.cli.group import HELP_ON_JSON, pass_context, read_replica, say, told_as_sentences


@read_replica.command("top")
@click.option(
	"--every",
	type=click.FloatRange(0.5),
	default=2,
	show_default=True,
	metavar="SECONDS",
	help="How often it looks; rates are counted over this time",
)
@click.option(
	"--longer-than",
	type=click.FloatRange(0),
	default=1,
	show_default=True,
	metavar="SECONDS",
	help="Show statements that have run for so long",
)
@click.option("--once", is_flag=True, help="Show one frame, and end")
@click.option(
	"--kill", "ends", metavar="ID@REPLICA", help="End a statement of this site, then show one frame"
)
@click.option("--json", "as_json", is_flag=True, help=f"{HELP_ON_JSON}; one frame")
@pass_context
def top(
	context: Any,
	every: float = 2,
	longer_than: float = 1,
	once: bool = False,
	ends: str | None = None,
	as_json: bool = False,
) -> None:
	"What the replicas do now: lag, connections, calls per second by method and reason, and long statements"
	from read_replica.watch import top, top_screen

	lookers = []

	def first() -> Any:
		looker = top.Looker(longer_than)
		lookers.append(looker)
		if ends:
			looker.end(ends)
		time.sleep(every)
		return looker.look(ends)

	def show(frame: Any) -> None:
		if once or ends:
			top_screen.print_frame(frame)
		else:
			top_screen.show(frame, lookers[0].look, every)

	with told_as_sentences((top.NoReplica, top.NotRunning)):
		try:
			say(context, as_json, first, show)
		finally:
			for looker in lookers:
				looker.close()
