# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""bench --site SITE read-replica status | jobs | servers | queues | writers | methods | replica-user | doctor"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any

import click
import frappe
from frappe.commands import get_site, pass_context

from read_replica.config.keys import names_and_passwords
from read_replica.core.replacements import install_in_controllers
from read_replica.engine.forks import let_forks_wait


def _class_of_job_type(get_controller: Callable[[str], type]) -> type:
	# Not at the top, as its imports would make every command of bench slow.
	from read_replica import scheduler_split

	return scheduler_split.class_of_site(get_controller)


# bench imports this file at the start of each of its processes: of workers, which have no threads yet then,
# and of schedulers, in which no hook of this app need run.
let_forks_wait()
install_in_controllers(_class_of_job_type)

# Only in these processes, as the imports would make every other command slow, and each worker large.
if "schedule" in sys.argv:
	from read_replica.jobs import schedulers

	schedulers.install()
if {"worker", "worker-pool"}.intersection(sys.argv):
	from read_replica.jobs import heartbeat

	heartbeat.install()


WHERE = ("replica", "primary", "default")


@contextmanager
def _connected_site(context: Any) -> Iterator[None]:
	"""A block with a connection to the site that the command names."""
	frappe.init(site=get_site(context))
	frappe.connect()
	try:
		yield
	finally:
		frappe.destroy()


def _say(
	context: Any,
	as_json: bool,
	gather: Callable[[], Any],
	print_tables: Callable[[Any], None],
	needs_app: bool = True,
	hides_accounts: bool = True,
) -> Any:
	"""Gather a report on the site that the command names, print it as tables, or as JSON and nothing else; return it.

	What Frappe and other apps print meanwhile goes to stderr then.

	:param needs_app: whether the report is made from the app's own tables
	:param hides_accounts: whether names of database users are left out of the JSON; without it, the report itself holds no secret
	:raises click.ClickException: if they are not there, as the site does not have the app
	"""
	from read_replica.watch import json_output

	said = ""
	with redirect_stdout(sys.stderr) if as_json else nullcontext(), _connected_site(context):
		if needs_app and "read_replica" not in frappe.get_installed_apps():
			raise click.ClickException(
				f"The site {frappe.local.site} does not have read_replica."
				f" Install it: bench --site {frappe.local.site} install-app read_replica"
			)
		report = gather()
		if as_json:
			secrets = names_and_passwords(frappe.local.conf) if hides_accounts else None
			said = json_output.json_of(report, secrets)
		else:
			print_tables(report)
	if as_json:
		click.echo(said)
	return report


HELP_ON_JSON = "Print one JSON object and nothing else; docs/metrics.md explains its keys"


# What a command prints with is imported inside it, as that would make every other command of bench slow.
@click.group("read-replica")
def read_replica() -> None:
	"Replicas, methods that write, and the servers of scheduled jobs"


@read_replica.command("status")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def status(context: Any, as_json: bool = False) -> None:
	"Where reads go, what is wrong with the configuration, and each replica as it answers now"
	from read_replica.watch import status, tables

	_say(context, as_json, status.status, tables.print_status)


@read_replica.command("jobs")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def jobs(context: Any, as_json: bool = False) -> None:
	"Every scheduled job with its server, its frequency and its rule"
	from read_replica.watch import status, tables

	_say(context, as_json, status.jobs, tables.print_jobs)


@read_replica.command("servers")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def servers(context: Any, as_json: bool = False) -> None:
	"The servers that run jobs, when each was last seen, and whose jobs others have run"
	from read_replica.watch import status, tables

	_say(context, as_json, status.servers_of_jobs, tables.print_servers)


@read_replica.command("queues")
@click.option("--write", is_flag=True, help="Write them into common_site_config.json of this bench")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@click.argument("server_ids", nargs=-1)
@pass_context
def queues(
	context: Any, server_ids: tuple[str, ...] = (), write: bool = False, as_json: bool = False
) -> None:
	"Queues of their own for servers that share one Redis: for those that rules name, this one, and SERVER_IDS"
	from read_replica.jobs import queue_setup
	from read_replica.watch import status, tables

	def add_and_gather() -> Any:
		return status.queues(queue_setup.add(server_ids, write))

	_say(context, as_json, add_and_gather, tables.print_queues, needs_app=False)


@read_replica.command("writers")
@click.option("--clear", "method", metavar="METHOD", help="Let this method back to the replicas")
@click.option("--clear-all", is_flag=True, help="Let all methods back to the replicas")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def writers(context: Any, method: str | None = None, clear_all: bool = False, as_json: bool = False) -> None:
	"Methods that were caught writing and stay on the primary for a day"
	from read_replica.database.host import shared_of_site
	from read_replica.watch import status, tables

	def clear_and_gather() -> Any:
		if not (method or clear_all):
			return status.writers()
		return status.writers(shared_of_site().clear_writers(*([method] if method else [])))

	_say(context, as_json, clear_and_gather, tables.print_writers, needs_app=False)


@read_replica.command("methods")
@click.option("--set", "change", nargs=2, metavar="METHOD WHERE", help="WHERE is replica, primary or default")
@click.option(
	"--suggest", is_flag=True, help="What could read on a replica, and what that takes off the primary"
)
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def methods(
	context: Any, change: tuple[str, str] | None = None, suggest: bool = False, as_json: bool = False
) -> None:
	"The rules that say where methods read, and what is counted of requests that call them"
	from read_replica.policy import desk
	from read_replica.watch import methods, tables

	if change and change[1] not in WHERE:
		raise click.BadParameter(f"{change[1]!r} is none of {', '.join(WHERE)}", param_hint="--set")

	def set_and_gather() -> Any:
		return methods.methods(desk.set_rule(*change) if change else None)

	_say(context, as_json, set_and_gather, tables.print_suggestions if suggest else tables.print_methods)


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
			return of_site.take(_secret(None, f"Password of {of_site.user}"))
		root_password = _secret(db_root_password, f"Password of {db_root_username} on the primary")
		return of_site.make(db_root_username, root_password, reset_password)

	with _told_as_sentences(site_user.ERRORS):
		report = _say(context, as_json, work, tables.print_user, hides_accounts=False)
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
	with _told_as_sentences(site_user.ERRORS):
		report = _say(
			context,
			as_json,
			lambda: site_doctor.examine(checks, tags, fail_level, status.findings()),
			tables.print_doctor,
		)
	sys.exit(report.exit_status)


def _secret(given: str | None, question: str) -> str:
	return click.prompt(question, hide_input=True, err=True) if given is None else given


@contextmanager
def _told_as_sentences(errors: tuple[type[Exception], ...]) -> Iterator[None]:
	"""A block whose expected errors end the command with a sentence, and without a traceback."""
	try:
		yield
	except errors as error:
		raise click.ClickException(str(error)) from error


commands = [read_replica]
