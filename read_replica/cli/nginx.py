# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The command that makes a configuration for a front nginx."""

import sys
from pathlib import Path
from typing import Any

import click

from read_replica.cli.group import HELP_ON_JSON, pass_context, read_replica, say, told_as_sentences

# Without path_type: Frappe 14 has a click that takes it for another thing.
A_FILE = click.Path(dir_okay=False)
A_FOLDER = click.Path(exists=True, file_okay=False)


@read_replica.command("nginx")
@click.option("--server", metavar="IP:PORT", help="The reporting server's gunicorn; needed the first time")
@click.option("--name", help="What it is called in the header and in the log; without it, reporting")
@click.option("--source", type=A_FILE, help="bench's nginx.conf; without it, that of this bench")
@click.option("--output", type=A_FOLDER, help="The folder for the file; without it, beside bench's")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing")
@click.option(
	"--check", is_flag=True, help="Write nothing; the exit status is 1 if the file is not as it should be"
)
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def nginx(
	context: Any,
	server: str | None = None,
	name: str | None = None,
	source: str | None = None,
	output: str | None = None,
	dry_run: bool = False,
	check: bool = False,
	as_json: bool = False,
) -> None:
	"A configuration for a front nginx that sends what only reads to the reporting server"
	from read_replica.deploy import nginx_report, site_nginx

	def work() -> Any:
		return site_nginx.configure(
			server,
			name,
			Path(source) if source else None,
			Path(output) if output else None,
			writes=not (dry_run or check),
		)

	with told_as_sentences(site_nginx.ERRORS):
		report = say(context, as_json, work, nginx_report.print_nginx)
	if check and not report.is_current:
		sys.exit(1)
