# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Prints the tables of `bench read-replica`."""

import os
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import frappe
from rich.console import Console
from rich.table import Table

from read_replica.core import core_keys
from read_replica.database.host import shared_of_site
from read_replica.engine.health.verdict import Verdict
from read_replica.engine.metrics import PRIMARY
from read_replica.jobs import rules, schedulers, servers
from read_replica.jobs.rule_set import Rule
from read_replica.policy import sources
from read_replica.site import is_installed, routing_of_site
from read_replica.watch import job_findings

# Wide enough for a job's dotted path where the output goes to a file, which has no width of its own.
WIDTH_OF_A_FILE = 160


def print_status() -> None:
	"""Print where reads go, the state of each replica by a fresh health check, and all problems."""
	console = _console()
	routing = routing_of_site()
	console.print(f"Site {frappe.local.site}: {_headline(routing)}", highlight=False)
	if routing.router:
		routing.router.health.check_now()
		console.print(
			_table(("Replica", "Address", "Pool", "Weight", "State"), _replica_rows(routing.router))
		)
	if share := share_of_replicas():
		console.print(share, highlight=False)
	if rows := _count_rows():
		console.print(_table(("Answered by", "Reason", "Count"), rows))
	print_writers()
	_print_where_scheduler_runs(console)
	replicas = routing.router.settings.replicas if routing.router else ()
	of_keys, of_rules = core_keys.problems(frappe.local.conf, replicas), sources.problems()
	for problem in (*of_keys, *of_rules, *job_findings.problems()):
		console.print(problem, highlight=False, markup=False)


def _headline(routing: Any) -> str:
	if not is_installed():
		return "read_replica is not installed. Install it with: bench --site SITE install-app read_replica"
	if routing.problem:
		return f"all reads go to the primary, because the configuration is wrong. {routing.problem}"
	if not routing.router:
		return "all reads go to the primary: no replica is configured, or routing is switched off"
	return "read-only calls go to replicas"


def share_of_replicas() -> str:
	"""Returns in a sentence how much of the reading is done by replicas; "" if nothing was counted."""
	shared = shared_of_site()
	share, of_hour = (replica_share(shared.load_statements(last_hour)) for last_hour in (False, True))
	if share is None:
		return ""
	lately = "" if of_hour is None else f", and {int(of_hour)} % of those of the last hour"
	return f"Replicas answered {int(share)} % of the statements that read{lately}."


def replica_share(statements: Mapping[str, int]) -> float | None:
	"""Returns how many per cent of statements replicas have answered; None if there were none.

	:param statements: how many each server has answered
	"""
	total = sum(statements.values())
	return 100 * (total - statements.get(PRIMARY, 0)) / total if total else None


def _count_rows() -> list[tuple[str, str, str]]:
	counts: Counter[tuple[str, str]] = Counter()
	for (server, reason, _method), (count, _seconds) in shared_of_site().load_counts().items():
		counts[server, reason] += count
	return [(server, reason, str(count)) for (server, reason), count in sorted(counts.items())]


def _replica_rows(router: Any) -> list[tuple[str, ...]]:
	return [
		(
			replica.name,
			f"{replica.endpoint.host}:{replica.endpoint.port}",
			replica.endpoint.pool,
			f"{replica.endpoint.weight:g}",
			state_of(router.health.verdict_of(replica.name)) + _note_on_servers(replica),
		)
		for replica in router.replicas
	]


def state_of(verdict: Verdict | None) -> str:
	"""Returns in words what the last health check of a replica has found."""
	if verdict is None:
		return "not known: it has not been looked at"
	if verdict.state == "down":
		return f"down: {verdict.error}"
	note = "" if verdict.read_only else "; it accepts writes from others, set read_only=1 there"
	if verdict.lag is None and verdict.error:
		return f"up, but {verdict.error}, so it is not used{note}"
	if verdict.lag is None:
		return f"up, but follows no primary that this site knows, so it is not used{note}"
	return f"up, {verdict.lag * 1000:.0f} ms behind{note}"


def _note_on_servers(replica: Any) -> str:
	"""Returns a note if several servers are behind the address of a replica; empty for a single one."""
	try:
		found = replica.servers()
	except Exception:
		# The state of the replica says already that it does not answer.
		return ""
	if "" in found:
		return (
			"; behind a proxy that may send each statement to another server, so each call asks first how late"
			" that is"
		)
	if len(found) == 1:
		return ""
	return f"; several servers behind this address: {', '.join(sorted(found))}. Each connection is judged by its own"


def print_writers() -> None:
	"""Print the methods that were caught writing, and until when they stay on the primary."""
	rows = [
		(method, datetime.fromtimestamp(until).strftime("%Y-%m-%d %H:%M"))
		for method, until in sorted(shared_of_site().load_writers().items())
	]
	if rows:
		_console().print(_table(("Writes, stays on the primary", "Until"), rows))
	else:
		_console().print("No method was caught writing.")


def print_methods(rows: list[dict[str, Any]]) -> None:
	"""Print the rules for methods, as `watch.methods` gives them."""
	columns = ("Method", "Reads", "Rule from", "Asks for", "Calls", "Seconds", "Wrote", "Why")
	table = [
		(
			row["method"],
			row["where"],
			row["source"],
			", ".join(f"{key} {value}" for key, value in row["need"].items()),
			"" if row["calls"] is None else str(row["calls"]),
			"" if row["seconds"] is None else f"{row['seconds']:.1f}",
			{None: "", True: "yes", False: "no"}[row["wrote"]],
			row["reason"],
		)
		for row in rows
	]
	_console().print(_table(columns, table))


def print_suggestions(rows: list[dict[str, Any]]) -> None:
	"""Print the methods that could read on a replica, as `watch.methods` gives them."""
	if not rows:
		_console().print(
			"Nothing to suggest: no method without a rule has been seen often enough, without a write, for two days."
		)
		return
	columns = ("Method", "Calls", "Seconds of the primary per hour")
	table = [(row["method"], str(row["calls"]), f"{row['primary_seconds_per_hour']:.1f}") for row in rows]
	_console().print(_table(columns, table))


def print_jobs() -> None:
	"""Print every scheduled job with its server and its rule, then the servers and all problems."""
	here = servers.this_server()
	console = _console()
	source = "SERVER_ID" if os.environ.get("SERVER_ID", "").strip() else "SERVER_ID is not set"
	console.print(f"This server is {here!r} ({source}).", highlight=False)
	columns = ("Job", "Frequency", "Server", "Rule from", "Take over after", "Reads", "Note")
	console.print(_table(columns, [tuple(row.values()) for row in job_rows()]))
	print_servers()


def print_servers() -> None:
	"""Print the servers that run jobs, the last takeovers, and all problems."""
	console = _console()
	columns = (
		"Server",
		"Host",
		"Bench",
		"App",
		"Scheduler seen",
		"Workers seen",
		"Workers",
		"Queues",
		"Jobs",
	)
	console.print(_table(columns, job_findings.server_rows()))
	if takeovers := job_findings.takeover_rows():
		columns = ("Taken over from", "By", "Began (UTC)", "Ended (UTC)", "Runs", "Last job")
		console.print(_table(columns, takeovers))
	_print_where_scheduler_runs(console)
	for problem in job_findings.problems():
		console.print(problem, highlight=False, markup=False)


def _print_where_scheduler_runs(console: Console) -> None:
	if where := schedulers.where_it_runs():
		console.print(where, highlight=False, markup=False)


def job_rows() -> list[dict[str, str]]:
	"""Returns every scheduled job of the site with its rule, and a note if its server is not alive."""
	rows = []
	jobs = frappe.get_all(
		"Scheduled Job Type", fields=["method", "frequency", "cron_format", "stopped"], order_by="method"
	)
	known = servers.load()
	for job in jobs:
		rule = rules.rule_for(job.method)
		frequency = job.cron_format if job.frequency == "Cron" else job.frequency
		rows.append(
			{
				"job": job.method,
				"frequency": frequency or "",
				"server_id": rule.server_id,
				"source": rule.source,
				"takeover_after": f"{rule.takeover_after:g} s" if rule.takeover_after else "never",
				"reads": _reads_of(rule),
				"note": "stopped" if job.stopped else job_findings.note_on(rule, known),
			}
		)
	return rows


def _reads_of(rule: Rule) -> str:
	if rule.reads == "primary":
		return rule.reads
	lag = None if rule.need.max_lag is None else f"{rule.need.max_lag:g} s behind at most"
	return ", ".join(filter(None, (rule.reads, rule.need.consistency, lag)))


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
	table = Table()
	for column in columns:
		table.add_column(column, overflow="fold")
	for row in rows:
		table.add_row(*row)
	return table


def _console() -> Console:
	console = Console()
	return console if console.is_terminal else Console(width=WIDTH_OF_A_FILE)
