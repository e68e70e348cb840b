# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The command that makes a server a replica of this site's primary: replication."""

import sys
from typing import Any

import click

from read_replica.cli.group import (
	HELP_ON_JSON,
	pass_context,
	read_replica,
	say,
	secret,
	told_as_sentences,
)


@read_replica.command("replication")
@click.option("--replica", help="Its name in site_config.json, or its host if it is not there yet")
@click.option("--port", type=int, help="Its port, if it is not in site_config.json; without it, 3306")
@click.option("--primary-host", help="The primary as the replica reaches it; without it, db_host")
@click.option("--user", help="The account that this replica logs in with; without it, made of its server_id")
@click.option("--from", "from_host", metavar="HOST", help="Where it logs in from; without it, its host")
@click.option("--ssl-ca", metavar="PATH", help="On the replica: whose certificates it takes from the primary")
@click.option("--position", help="The GTIDs that the copy ends with: the third field of its binlog_info")
@click.option("--run", is_flag=True, help="Do what can be done from here, and is next")
@click.option(
	"--check", is_flag=True, help="Only say how each step stands; the exit status is 1 if one is open"
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing")
@click.option("--show-password", is_flag=True, help="Show SQL that can be run, and the password")
@click.option(
	"--db-root-username", default="root", show_default=True, help="Who may create users on the primary"
)
@click.option("--db-root-password", help="Asked for with --run if it is left out")
@click.option("--replica-root-username", help="The same on the replica; without it, as on the primary")
@click.option("--replica-root-password", help="Without it, as on the primary: the copy brings its users")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def replication(
	context: Any,
	run: bool = False,
	check: bool = False,
	dry_run: bool = False,
	show_password: bool = False,
	db_root_username: str = "root",
	db_root_password: str | None = None,
	replica_root_username: str | None = None,
	replica_root_password: str | None = None,
	as_json: bool = False,
	**values: Any,
) -> None:
	"The steps that make a server a replica of this site's primary, with this site's values; how each stands"
	from read_replica.deploy import replication_report, site_replication, site_user
	from read_replica.deploy.doctor import Skipped

	if run and check:
		raise click.UsageError("Only one of --run and --check")
	runs = run and not dry_run
	if runs:
		db_root_password = secret(db_root_password, f"Password of {db_root_username} on the primary")
	given = site_replication.Given(
		root=db_root_username,
		root_password=db_root_password,
		replica_root=replica_root_username,
		replica_root_password=replica_root_password,
		**values,
	)

	with told_as_sentences((*site_user.ERRORS, Skipped)):
		report = say(
			context,
			as_json,
			lambda: site_replication.replication(given, runs, show_password),
			replication_report.print_replication,
			hides_accounts=False,
		)
	if (runs or check) and not report.is_done:
		sys.exit(1)
