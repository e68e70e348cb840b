# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Gathers what the commands of `bench read-replica` say: each function returns the report of one command."""

import os
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import frappe

from read_replica.core import core_keys
from read_replica.database.host import shared_of_site
from read_replica.engine.shared.shared_state import SharedState
from read_replica.jobs import queue_setup, rules, schedulers, servers
from read_replica.policy import site_policy, sources
from read_replica.site import routing_of_site
from read_replica.watch import job_findings, shares
from read_replica.watch.reports import (
	Calls,
	Job,
	Jobs,
	Queues,
	Replica,
	Scheduler,
	Server,
	Servers,
	Status,
	Takeover,
	Writer,
	Writers,
)


def status() -> Status:
	"""Returns where reads go, the state of each replica by a fresh health check, and all problems."""
	routing = routing_of_site()
	router = routing.router
	if router:
		router.health.check_now()
	shared = shared_of_site()
	return Status(
		**head(),
		routing=router is not None and not site_policy.load().paused,
		routing_problem=routing.problem,
		replicas=replicas_of(router) if router else [],
		replica_share_percent=shares.replica_share(shared.load_statements()),
		replica_share_of_last_hour_percent=shares.replica_share(shares.of_last_hour()),
		calls=_calls(),
		writers=written_by(shared),
		scheduler=_scheduler(),
		problems=[sentence for find in findings().values() for sentence in find()],
	)


def findings() -> dict[str, Callable[[], list[str]]]:
	"""Returns what finds each kind of problem of the site, in sentences, by the id that the doctor has for it."""
	router = routing_of_site().router
	endpoints = router.settings.replicas if router else ()
	return {
		"core-keys": lambda: core_keys.problems(frappe.local.conf, endpoints),
		"read-rules": sources.problems,
		**job_findings.findings(),
	}


def jobs() -> Jobs:
	"""Returns every scheduled job with its server and its rule, then what `servers` says."""
	return Jobs(
		**head(),
		**_of_servers(),
		server_id=servers.this_server(),
		server_id_is_set=bool(os.environ.get("SERVER_ID", "").strip()),
		jobs=_jobs(),
	)


def servers_of_jobs() -> Servers:
	"""Returns the servers that run jobs, the last takeovers, and all problems."""
	return Servers(**head(), **_of_servers())


def queues(found: queue_setup.Queues) -> Queues:
	"""Returns which servers have queues of their own in the bench's configuration, and what was added there."""
	here = servers.this_server()
	return Queues(
		**head(),
		server_id=here,
		**found._asdict(),
		worker_command=f"SERVER_ID={here} bench worker --queue {here},short,default,long",
	)


def writers(cleared: int | None = None) -> Writers:
	"""Returns the methods that were caught writing, and until when they stay on the primary.

	:param cleared: how many were let back just now
	"""
	return Writers(**head(), cleared=cleared, writers=written_by(shared_of_site()))


def head() -> dict[str, Any]:
	"""Returns what every report begins with."""
	# The primary's clock, as the times of its rows are: ages are counted from it.
	[[now]] = frappe.db.sql("select utc_timestamp(6)")
	return {"site": frappe.local.site, "at": in_utc(now)}


def in_utc(time: datetime | None) -> datetime | None:
	"""Returns a time of the database's, which has no zone, as one in UTC."""
	return time and time.replace(tzinfo=timezone.utc)


def from_seconds(seconds: float | None) -> datetime | None:
	"""Returns seconds since 1970 as a time in UTC."""
	return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def replicas_of(router: Any) -> list[Replica]:
	"""Returns each replica as the last health check has found it, with the servers behind its address."""
	return [_replica(replica, router.health.verdict_of(replica.name)) for replica in router.replicas]


def _replica(replica: Any, verdict: Any) -> Replica:
	endpoint = replica.endpoint
	servers_behind, behind_proxy = _servers_behind(replica)
	is_up = verdict is not None and verdict.state == "up"
	return Replica(
		name=replica.name,
		host=endpoint.host,
		port=endpoint.port,
		pool=endpoint.pool,
		weight=endpoint.weight,
		state=verdict.state if verdict else None,
		lag_seconds=verdict.lag if is_up else None,
		as_of=from_seconds(verdict.as_of) if is_up else None,
		read_only=verdict.read_only if is_up else None,
		error=(verdict.error or None) if verdict else None,
		servers=servers_behind,
		behind_proxy=behind_proxy,
	)


def _servers_behind(replica: Any) -> tuple[list[str] | None, bool | None]:
	"""Returns the servers behind the address of a replica, and whether a proxy may change them; or (None, None)."""
	try:
		found = replica.servers()
	except Exception:
		# The state of the replica says already that it does not answer.
		return None, None
	return sorted(found - {""}), "" in found


def _calls() -> list[Calls]:
	counts: Counter[tuple[str, str]] = Counter()
	for (server, reason, _method), (count, _seconds) in shared_of_site().load_counts().items():
		counts[server, reason] += count
	return [Calls(server, reason, count) for (server, reason), count in sorted(counts.items())]


def written_by(shared: SharedState) -> list[Writer]:
	"""Returns the methods that were caught writing, by their names."""
	tables = shared.load_written_tables()
	return [
		Writer(method, from_seconds(until), tables.get(method))
		for method, until in sorted(shared.load_writers().items())
	]


def _of_servers() -> dict[str, Any]:
	return {
		"servers": _servers(),
		"takeovers": _takeovers(),
		"scheduler": _scheduler(),
		"problems": job_findings.problems(),
	}


def _servers() -> list[Server]:
	found = frappe.db.sql(
		"select server_id, host, bench, app_version, scheduler_alive_at, workers_alive_at, workers, queues, jobs"
		" from `tabJob Server` order by server_id, host"
	)
	return [
		Server(
			server_id=server_id,
			host=host or None,
			bench=bench or None,
			app_version=version or None,
			scheduler_alive_at=in_utc(scheduler),
			workers_alive_at=in_utc(workers_seen),
			workers=workers,
			queues=[queue for queue in (queues or "").split(", ") if queue],
			jobs=jobs,
		)
		for server_id, host, bench, version, scheduler, workers_seen, workers, queues, jobs in found
	]


def _takeovers() -> list[Takeover]:
	found = frappe.db.sql(
		"select server_id, taken_by, began_at, ended_at, runs, last_job from `tabJob Takeover`"
		" order by began_at desc limit 10"
	)
	return [
		Takeover(server_id, taken_by, in_utc(began), in_utc(ended), runs, last_job)
		for server_id, taken_by, began, ended, runs, last_job in found
	]


def _scheduler() -> Scheduler | None:
	tick = schedulers.running()
	return Scheduler(tick.server_id, tick.host, max(0, tick.age)) if tick else None


def _jobs() -> list[Job]:
	found = frappe.get_all(
		"Scheduled Job Type", fields=["method", "frequency", "cron_format", "stopped"], order_by="method"
	)
	known = servers.load()
	return [_job(job, rules.rule_for(job.method), known) for job in found]


def _job(job: Any, rule: Any, known: dict) -> Job:
	reads_replica = rule.reads != "primary"
	return Job(
		job=job.method,
		frequency=(job.cron_format if job.frequency == "Cron" else job.frequency) or None,
		server_id=rule.server_id,
		rule_from=rule.source,
		takeover_after_seconds=rule.takeover_after or None,
		reads=rule.reads,
		consistency=rule.need.consistency if reads_replica else None,
		max_lag_seconds=rule.need.max_lag if reads_replica else None,
		stopped=bool(job.stopped),
		note=job_findings.note_on(rule, known) or None,
	)
