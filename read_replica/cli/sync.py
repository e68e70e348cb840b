# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The command that copies a site's files and configuration from the primary's app server: sync."""

from pathlib import Path
from typing import Any

import click
from frappe.commands import get_site

from read_replica.cli.group import HELP_ON_JSON, pass_context, read_replica, say, told_as_sentences


@read_replica.command("sync")
@click.option(
	"--from",
	"source",
	metavar="SOURCE",
	help="The site's folder on the other server: USER@HOST:/path/to/bench/sites/SITE, rsync://HOST/MODULE/PATH or a"
	" path; without it, that of the last sync",
)
@click.option("--once", is_flag=True, help="Do it, once; without it, show what would be done")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing")
@click.option(
	"--delete", "deletes", is_flag=True, help="Delete files here that the other server does not have"
)
@click.option(
	"--most-deleted",
	type=click.IntRange(0),
	default=100,
	show_default=True,
	help="If there are more of these, change nothing at all",
)
@click.option("--units", "units_in", metavar="FOLDER", help="Write a service and a timer for systemd there")
@click.option(
	"--every",
	type=click.IntRange(10),
	default=60,
	show_default=True,
	metavar="SECONDS",
	help="How often the timer runs it",
)
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def sync(
	context: Any,
	source: str | None = None,
	once: bool = False,
	dry_run: bool = False,
	deletes: bool = False,
	most_deleted: int = 100,
	units_in: str | None = None,
	every: int = 60,
	as_json: bool = False,
) -> None:
	"The site's files and site_config.json, copied from the primary's app server to this one"
	from read_replica.deploy import sync, sync_command, sync_report

	# bench starts its commands in the folder of its sites.
	folder = Path.cwd() / get_site(context)
	asked = sync_command.Asked(source, once and not dry_run, deletes, most_deleted, every)
	write_to = Path(units_in) if units_in and not dry_run else None
	with told_as_sentences(sync.ERRORS):
		say(
			context,
			as_json,
			lambda: sync_command.run(folder, asked, write_to),
			sync_report.print_sync,
			needs_app=False,
			needs_site=False,
		)
