# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""bench --site SITE read-replica status | jobs | servers | queues | writers | methods"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import frappe
from frappe.commands import get_site, pass_context

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


# What a command prints with is imported inside it, as that would make every other command of bench slow.
@click.group("read-replica")
def read_replica() -> None:
	"Replicas, methods that write, and the servers of scheduled jobs"


@read_replica.command("status")
@pass_context
def status(context: Any) -> None:
	"Where reads go, what is wrong with the configuration, and each replica as it answers now"
	from read_replica.watch import status

	with _connected_site(context):
		status.print_status()


@read_replica.command("jobs")
@pass_context
def jobs(context: Any) -> None:
	"Every scheduled job with its server, its frequency and its rule"
	from read_replica.watch import status

	with _connected_site(context):
		status.print_jobs()


@read_replica.command("servers")
@pass_context
def servers(context: Any) -> None:
	"The servers that run jobs, when each was last seen, and whose jobs others have run"
	from read_replica.watch import status

	with _connected_site(context):
		status.print_servers()


@read_replica.command("queues")
@click.option("--write", is_flag=True, help="Write them into common_site_config.json of this bench")
@click.argument("server_ids", nargs=-1)
@pass_context
def queues(context: Any, server_ids: tuple[str, ...] = (), write: bool = False) -> None:
	"Queues of their own for servers that share one Redis: for those that rules name, this one, and SERVER_IDS"
	from read_replica.jobs import queue_setup

	with _connected_site(context):
		click.echo(queue_setup.add(server_ids, write))


@read_replica.command("writers")
@click.option("--clear", "method", metavar="METHOD", help="Let this method back to the replicas")
@click.option("--clear-all", is_flag=True, help="Let all methods back to the replicas")
@pass_context
def writers(context: Any, method: str | None = None, clear_all: bool = False) -> None:
	"Methods that were caught writing and stay on the primary for a day"
	from read_replica.database.host import shared_of_site
	from read_replica.watch import status

	with _connected_site(context):
		if method or clear_all:
			count = shared_of_site().clear_writers(*([method] if method else []))
			click.echo(f"{count} cleared; workers take it up within seconds")
		status.print_writers()


@read_replica.command("methods")
@click.option("--set", "change", nargs=2, metavar="METHOD WHERE", help="WHERE is replica, primary or default")
@click.option(
	"--suggest",
	is_flag=True,
	help="Only what could read on a replica, with what that would take off the primary",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object in place of a table")
@pass_context
def methods(
	context: Any, change: tuple[str, str] | None = None, suggest: bool = False, as_json: bool = False
) -> None:
	"The rules that say where methods read, and what is counted of requests that call them"
	from read_replica.policy import desk
	from read_replica.watch import methods, status

	if change and change[1] not in WHERE:
		raise click.BadParameter(f"{change[1]!r} is none of {', '.join(WHERE)}", param_hint="--set")
	with _connected_site(context):
		done = desk.set_rule(*change) if change else None
		if as_json:
			rows = {"suggestions": methods.suggested()} if suggest else {"methods": methods.rows()}
			click.echo(frappe.as_json({"changed": done} | rows))
		elif done:
			click.echo(done)
		elif suggest:
			status.print_suggestions(methods.suggested())
		else:
			status.print_methods(methods.rows())


commands = [read_replica]
