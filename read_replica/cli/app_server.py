# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The command that makes a second app server of a site: second-server."""

import sys
from pathlib import Path
from typing import Any

import click

from read_replica.cli.group import HELP_ON_JSON, pass_context, read_replica, say, told_as_sentences


@read_replica.command("second-server")
@click.option(
	"--offer",
	type=click.Path(dir_okay=False, resolve_path=True),
	metavar="FILE",
	help="On the first server: let the second one into Redis, and write what it needs into this file",
)
@click.option(
	"--take",
	type=click.Path(exists=True, dir_okay=False, resolve_path=True),
	metavar="FILE",
	help="On the second server: write its configuration by this file",
)
@click.option("--renew", is_flag=True, help="Write the overlays anew, after bench setup supervisor")
@click.option("--check", is_flag=True, help="Prove this server by its processes, its Redis and its database")
@click.option(
	"--address",
	help="This server's address in the local network. With --offer: where its Redis listens; needed the first time."
	" With --take: where its gunicorn listens for the nginx of another server",
)
@click.option(
	"--front",
	metavar="ADDRESS",
	help="With --take and --address: that nginx; without it, the first server",
)
@click.option(
	"--db-host",
	help="With --offer: the primary's name or address as both servers reach it; without it, as configured",
)
@click.option(
	"--server-id", default="secondary", show_default=True, help="With --offer: the second one's SERVER_ID"
)
@click.option(
	"--queue",
	type=click.Choice(("shared", "own")),
	default="shared",
	show_default=True,
	help="With --offer: one Redis for jobs, with a queue for each server, or one for each server",
)
@click.option(
	"--scheduler/--no-scheduler",
	"has_scheduler",
	default=None,
	help="With --offer: whether the second one's scheduler runs; without it, only with a queue of its own",
)
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def second_server(
	context: Any,
	offer: str | None = None,
	take: str | None = None,
	renew: bool = False,
	check: bool = False,
	address: str | None = None,
	front: str | None = None,
	db_host: str | None = None,
	server_id: str = "secondary",
	queue: Any = "shared",
	has_scheduler: bool | None = None,
	dry_run: bool = False,
	as_json: bool = False,
) -> None:
	"A second app server of this site: offered by the first one, taken by the second one, and proved on both"
	from read_replica.deploy import second_server_report, site_second_server

	if bool(offer) + bool(take) + renew + check != 1:
		raise click.UsageError("One of --offer, --take, --renew and --check")

	def work() -> Any:
		if offer:
			runs = queue == "own" if has_scheduler is None else has_scheduler
			wanted = site_second_server.Wanted(server_id, queue, runs, address, db_host)
			return site_second_server.make_offer(Path(offer), wanted, dry_run)
		if take:
			return site_second_server.take(Path(take), address, front, dry_run)
		return site_second_server.check() if check else site_second_server.renew(dry_run)

	with told_as_sentences(site_second_server.ERRORS):
		report = say(
			context,
			as_json,
			work,
			second_server_report.print_second_server,
			needs_app=False,
			connects=False,
		)
	if not report.is_proved:
		sys.exit(1)
