# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Commands that set up the second server and look after it: replica-user, doctor."""

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


@read_replica.command("replica-user")
@click.option("--user", help="Its name; without it, the one that site_config.json has, or DATABASE_read")
@click.option(
	"--from",
	"hosts",
	multiple=True,
	metavar="HOST",
	help="Where it logs in from, such as 10.0.0.%; without it, the address by which the servers know this machine",
)
@click.option(
	"--run", is_flag=True, help="Make it on the primary, prove it, and write it into site_config.json"
)
@click.option(
	"--take", is_flag=True, help="For a user made by hand: ask for its password, prove it, and write it"
)
@click.option("--check", is_flag=True, help="Prove the user that site_config.json has")
@click.option(
	"--reset-password",
	is_flag=True,
	help="With --run: a user that is there already gets a new password; other app servers need it then as well",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing")
@click.option("--show-password", is_flag=True, help="Show SQL that can be run, and the password")
@click.option(
	"--db-root-username", default="root", show_default=True, help="Who may create users on the primary"
)
@click.option("--db-root-password", help="Asked for if it is needed and left out")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def replica_user(
	context: Any,
	user: str | None = None,
	hosts: tuple[str, ...] = (),
	run: bool = False,
	take: bool = False,
	check: bool = False,
	reset_password: bool = False,
	dry_run: bool = False,
	show_password: bool = False,
	db_root_username: str = "root",
	db_root_password: str | None = None,
	as_json: bool = False,
) -> None:
	"A database user that can read the site's database on the replicas, and do nothing else"
	from read_replica.core.core_keys import core_has_user_key
	from read_replica.deploy import site_user, tables

	if run + take + check > 1:
		raise click.UsageError("Only one of --run, --take and --check")

	def work() -> Any:
		of_site = site_user.SiteUser(user, hosts, core_has_user_key())
		if dry_run or not (run or take or check):
			return of_site.plan(show_password)
		if check:
			return of_site.check()
		if take:
			return of_site.take(secret(None, f"Password of {of_site.user}"))
		root_password = secret(db_root_password, f"Password of {db_root_username} on the primary")
		return of_site.make(db_root_username, root_password, reset_password)

	with told_as_sentences(site_user.ERRORS):
		report = say(context, as_json, work, tables.print_user, hides_accounts=False)
	if report.proofs and not report.is_proved:
		sys.exit(1)


@read_replica.command("doctor")
@click.argument("checks", nargs=-1)
@click.option("--tag", "tags", multiple=True, help="Only checks of this kind")
@click.option("--list", "lists", is_flag=True, help="Show all checks, and run none")
@click.option(
	"--fail-level",
	type=click.Choice(("warn", "fail")),
	default="warn",
	show_default=True,
	help="From which level on the exit status is not 0",
)
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def doctor(
	context: Any,
	checks: tuple[str, ...] = (),
	tags: tuple[str, ...] = (),
	lists: bool = False,
	fail_level: str = "warn",
	as_json: bool = False,
) -> None:
	"What is wrong with the servers of this site, and what mends it. Exit status: 0 well, 1 warnings, 2 failures"
	from read_replica.deploy import site_doctor, site_user, tables
	from read_replica.watch import status

	if lists:
		tables.print_checks(site_doctor.known_checks())
		return
	with told_as_sentences(site_user.ERRORS):
		report = say(
			context,
			as_json,
			lambda: site_doctor.examine(checks, tags, fail_level, status.findings()),
			tables.print_doctor,
		)
	sys.exit(report.exit_status)
