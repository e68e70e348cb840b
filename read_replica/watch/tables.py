# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Prints the reports of `bench read-replica` as sentences and tables, from nothing but what is in them."""

from collections.abc import Iterable
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table

from read_replica.jobs import schedulers
from read_replica.watch.job_findings import ago
from read_replica.watch.reports import (
	Job,
	Jobs,
	Methods,
	Queues,
	Replica,
	Report,
	Rule,
	Scheduler,
	Servers,
	Status,
	Takeover,
	Writer,
	Writers,
)

# Wide enough for a job's dotted path where the output goes to a file, which has no width of its own.
WIDTH_OF_A_FILE = 160


def print_status(status: Status) -> None:
	"""Print where reads go, the replicas, how many calls each server has answered, and all problems."""
	_say(f"Site {status.site}: {_headline(status)}")
	if status.routing:
		_print_table(("Replica", "Address", "Pool", "Weight", "State"), map(_replica_row, status.replicas))
	if status.replica_share_percent is not None:
		_say(_share(status))
	if status.calls:
		rows = ((calls.server, calls.reason, str(calls.count)) for calls in status.calls)
		_print_table(("Answered by", "Reason", "Count"), rows)
	_print_writers(status.writers)
	_print_scheduler(status.scheduler)
	_say(*status.problems)


def _headline(status: Status) -> str:
	if status.routing_problem:
		return f"all reads go to the primary, because the configuration is wrong. {status.routing_problem}"
	if not status.routing:
		return "all reads go to the primary: no replica is configured, or routing is switched off"
	return "read-only calls go to replicas"


def _share(status: Status) -> str:
	of_hour = status.replica_share_of_last_hour_percent
	lately = "" if of_hour is None else f", and {int(of_hour)} % of those of the last hour"
	return f"Replicas answered {int(status.replica_share_percent)} % of the statements that read{lately}."


def _replica_row(replica: Replica) -> tuple[str, ...]:
	return (
		replica.name,
		f"{replica.host}:{replica.port}",
		replica.pool,
		f"{replica.weight:g}",
		state_of(replica) + _note_on_servers(replica),
	)


def state_of(replica: Replica) -> str:
	"""Returns in words what the last health check of a replica has found."""
	if replica.state is None:
		return "not known: it has not been looked at"
	if replica.state == "down":
		return f"down: {replica.error}"
	note = "" if replica.read_only else "; it accepts writes from others, set read_only=1 there"
	if replica.lag_seconds is None and replica.error:
		return f"up, but {replica.error}, so it is not used{note}"
	if replica.lag_seconds is None:
		return f"up, but follows no primary that this site knows, so it is not used{note}"
	return f"up, {replica.lag_seconds * 1000:.0f} ms behind{note}"


def _note_on_servers(replica: Replica) -> str:
	"""Returns a note if several servers are behind the address of a replica; empty for a single one."""
	if replica.behind_proxy:
		return (
			"; behind a proxy that may send each statement to another server, so each call asks first how late"
			" that is"
		)
	if len(replica.servers or ()) < 2:
		return ""
	named = ", ".join(replica.servers)
	return f"; several servers behind this address: {named}. Each connection is judged by its own"


def print_writers(report: Writers) -> None:
	"""Print the methods that were caught writing, after how many were let back to the replicas."""
	if report.cleared is not None:
		_say(f"{report.cleared} cleared; workers take it up within seconds")
	_print_writers(report.writers)


def _print_writers(writers: list[Writer]) -> None:
	if not writers:
		_say("No method was caught writing.")
		return
	rows = ((writer.method, writer.table or "", _minute(writer.until.astimezone())) for writer in writers)
	_print_table(("Writes, stays on the primary", "Table", "Until"), rows)


def print_jobs(report: Jobs) -> None:
	"""Print every scheduled job with its server and its rule, then the servers and all problems."""
	source = "SERVER_ID" if report.server_id_is_set else "SERVER_ID is not set"
	_say(f"This server is {report.server_id!r} ({source}).")
	columns = ("Job", "Frequency", "Server", "Rule from", "Take over after", "Reads", "Note")
	_print_table(columns, map(_job_row, report.jobs))
	print_servers(report)


def _job_row(job: Job) -> tuple[str, ...]:
	return (
		job.job,
		job.frequency or "",
		job.server_id,
		job.rule_from,
		"never" if job.takeover_after_seconds is None else f"{job.takeover_after_seconds:g} s",
		_reads_of(job),
		"stopped" if job.stopped else job.note or "",
	)


def _reads_of(job: Job) -> str:
	lag = None if job.max_lag_seconds is None else f"{job.max_lag_seconds:g} s behind at most"
	return ", ".join(filter(None, (job.reads, job.consistency, lag)))


def print_servers(report: Servers) -> None:
	"""Print the servers that run jobs, the last takeovers, and all problems."""
	_print_table(
		(
			"Server",
			"Host",
			"Bench",
			"App",
			"Scheduler seen",
			"Workers seen",
			"Workers",
			"Queues",
			"Jobs",
		),
		_server_rows(report),
	)
	if report.takeovers:
		columns = ("Taken over from", "By", "Began (UTC)", "Ended (UTC)", "Runs", "Last job")
		_print_table(columns, map(_takeover_row, report.takeovers))
	_print_scheduler(report.scheduler)
	_say(*report.problems)


def _server_rows(report: Servers) -> Iterable[tuple[str, ...]]:
	for server in report.servers:
		yield (
			server.server_id,
			server.host or "nobody runs it",
			server.bench or "",
			server.app_version or "",
			_age(server.scheduler_alive_at, report),
			_age(server.workers_alive_at, report),
			str(server.workers),
			", ".join(server.queues),
			str(server.jobs),
		)


def _age(time: datetime | None, report: Report) -> str:
	return ago(None if time is None else int((report.at - time).total_seconds()))


def _takeover_row(takeover: Takeover) -> tuple[str, ...]:
	return (
		takeover.server_id,
		takeover.taken_by,
		_minute(takeover.began_at),
		_minute(takeover.ended_at) if takeover.ended_at else "",
		str(takeover.runs),
		takeover.last_job or "",
	)


def _print_scheduler(scheduler: Scheduler | None) -> None:
	if scheduler:
		_say(schedulers.sentence_on(scheduler.host, scheduler.server_id, scheduler.seconds_since_tick))


def print_queues(report: Queues) -> None:
	"""Print which servers have a queue of their own, and what is left to do."""
	# In one line each, whatever the width: the command is to be copied.
	for line in _lines_on_queues(report):
		click.echo(line)


def _lines_on_queues(report: Queues) -> Iterable[str]:
	if report.missing:
		yield (
			f"Not in common_site_config.json yet: {', '.join(report.missing)}. To add them: the same with"
			" --write"
		)
		return
	if report.added:
		yield f"Added to `workers` in common_site_config.json: {', '.join(report.added)}."
	else:
		yield f"{', '.join(report.wanted)}: all have a queue in common_site_config.json."
	yield "Run the same on each server that shares this Redis; all need the same `bench_id` there."
	yield "Then, on each of them: bench restart, and workers for that server's own queue. On this one:"
	yield f"  {report.worker_command}"
	yield "`bench setup supervisor` makes workers for all queues in `workers`: keep those of this server only."


def print_methods(report: Methods) -> None:
	"""Print the rules for methods in the order in which they count."""
	if report.changed:
		_say(report.changed)
		return
	columns = ("Method", "Reads", "Rule from", "Asks for", "Calls", "Seconds", "Wrote", "Why")
	_print_table(columns, map(_rule_row, report.rules))


def _rule_row(rule: Rule) -> tuple[str, ...]:
	lag = None if rule.max_lag_seconds is None else f"{rule.max_lag_seconds:g} s behind at most"
	timeout = None if rule.timeout_seconds is None else f"{rule.timeout_seconds:g} s a statement"
	pool = rule.pool and f"pool {rule.pool}"
	return (
		rule.method,
		rule.reads,
		rule.rule_from,
		", ".join(filter(None, (rule.consistency, lag, pool, timeout))),
		"" if rule.calls is None else str(rule.calls),
		"" if rule.seconds is None else f"{rule.seconds:.1f}",
		{None: "", True: "yes", False: "no"}[rule.has_written],
		rule.reason or "",
	)


def print_suggestions(report: Methods) -> None:
	"""Print the methods without a rule that could read on a replica."""
	if not report.suggestions:
		_say(
			"Nothing to suggest: no method without a rule was seen 200 times in two days without a write, or they"
			" take hardly any time of the primary."
		)
		return
	columns = ("Method", "Calls", "Seconds of the primary per hour")
	rows = ((one.method, str(one.calls), f"{one.primary_seconds_per_hour:.1f}") for one in report.suggestions)
	_print_table(columns, rows)


def _minute(time: datetime) -> str:
	return f"{time:%Y-%m-%d %H:%M}"


def _say(*sentences: str) -> None:
	for sentence in sentences:
		_console().print(sentence, highlight=False, markup=False)


def _print_table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
	table = Table()
	for column in columns:
		table.add_column(column, overflow="fold")
	for row in rows:
		table.add_row(*row)
	_console().print(table)


def _console() -> Console:
	console = Console()
	return console if console.is_terminal else Console(width=WIDTH_OF_A_FILE)
