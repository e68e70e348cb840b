# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Commands that show and change what the app does on a site: status, jobs, servers, queues, writers, methods."""

from typing import Any

import click

from read_replica.cli.group import HELP_ON_JSON, pass_context, read_replica, say

WHERE = ("replica", "primary", "default")


@read_replica.command("status")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def status(context: Any, as_json: bool = False) -> None:
	"Where reads go, what is wrong with the configuration, and each replica as it answers now"
	from read_replica.watch import status, tables

	say(context, as_json, status.status, tables.print_status)


@read_replica.command("jobs")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def jobs(context: Any, as_json: bool = False) -> None:
	"Every scheduled job with its server, its frequency and its rule"
	from read_replica.watch import status, tables

	say(context, as_json, status.jobs, tables.print_jobs)


@read_replica.command("servers")
@click.option("--json", "as_json", is_flag=True, help=HELP_ON_JSON)
@pass_context
def servers(context: Any, as_json: bool = False) -> None:
	"The servers that run jobs, when each was last seen, and whose jobs others have run"
	from read_replica.watch import status, tables

	say(context, as_json, status.servers_of_jobs, tables.print_servers)


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

	say(context, as_json, add_and_gather, tables.print_queues, needs_app=False)


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

	say(context, as_json, clear_and_gather, tables.print_writers, needs_app=False)


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

	say(context, as_json, set_and_gather, tables.print_suggestions if suggest else tables.print_methods)
