# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Gathers what the page Replica Monitor shows. It is asked for every few seconds: three SELECTs on the primary."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import frappe
from frappe import _
from frappe.utils import escape_html

from read_replica.database.host import shared_of_site
from read_replica.database.revision import REVISION
from read_replica.engine import dialect
from read_replica.engine.metrics import PRIMARY
from read_replica.engine.router import Router
from read_replica.engine.shared.shared_state import SharedState
from read_replica.site import routing_of_site
from read_replica.watch import examination, running, shares
from read_replica.watch.monitor_report import (
	JobsOfServer,
	LagRow,
	Monitor,
	MonitoredReplica,
	Processes,
	ReasonCount,
	RunningStatement,
)
from read_replica.watch.status import from_seconds, in_utc, written_by

# These calls are where they belong, also with all replicas well.
NO_FALLBACK = {"replica", "in_scope", "in_primary_block"}

STATES = {"good": "up", "lagging": "late", "down": "down", "unknown": "unknown"}


def monitor(shows_details: bool) -> Monitor:
	"""Returns how the site's replicas and jobs are now; its Sentences are for whoever shows it to say.

	It also looks at the replicas where no process of the site does, as while nobody works.

	:param shows_details: whether hosts, statements and what the doctor has seen are shown, and may be changed
	"""
	routing = routing_of_site()
	router = routing.router
	shared = shared_of_site()
	if router:
		router.health.check_if_unknown()
	[[now, revision]] = frappe.db.sql(f"select utc_timestamp(6), {REVISION}")
	statements = shares.of_last_hour()
	replicas = _replicas(router, statements, shows_details) if router else []
	found = _running(router, replicas) if router else {}
	return Monitor(
		site=frappe.local.site,
		at=in_utc(now),
		may_change=shows_details,
		routing=router is not None,
		routing_problem=routing.problem,
		redis_answers=shared.answers(),
		max_lag_seconds=_usual_max_lag(replicas),
		replicas=replicas,
		lags=_lags(router, shared) if router else [],
		replica_share_percent=shares.replica_share(statements),
		primary_statements=statements.get(PRIMARY, 0),
		fallbacks=_fallbacks(shared),
		writers=written_by(shared),
		running=_statements(found, shows_details),
		did_not_tell=sorted(name for name, rows in found.items() if rows is None),
		servers=_servers(),
		processes=_processes(shared, revision or ""),
		examination=examination.last(shows_details),
	)


def _replicas(router: Router, statements: Mapping[str, int], shows_details: bool) -> list[MonitoredReplica]:
	return [_replica(router, replica, statements, shows_details) for replica in router.replicas]


def _replica(
	router: Router, replica: Any, statements: Mapping[str, int], shows_details: bool
) -> MonitoredReplica:
	endpoint = replica.endpoint
	verdict = router.health.verdict_of(replica.name)
	max_lag = router.settings.defaults_of(endpoint.pool).max_lag
	state = STATES[router.health.judge(verdict, max_lag)]
	answers = verdict is not None and state != "down"
	return MonitoredReplica(
		name=replica.name,
		host=endpoint.host if shows_details else None,
		port=endpoint.port if shows_details else None,
		pool=endpoint.pool,
		weight=endpoint.weight,
		state=state,
		lag_seconds=verdict.lag if answers else None,
		max_lag_seconds=max_lag,
		as_of=from_seconds(verdict.as_of) if answers else None,
		error=_(verdict.error) if verdict and verdict.error else None,
		statements=statements.get(replica.name, 0),
	)


def _usual_max_lag(replicas: list[MonitoredReplica]) -> float | None:
	limits = Counter(replica.max_lag_seconds for replica in replicas)
	return limits.most_common(1)[0][0] if limits else None


def _lags(router: Router, shared: SharedState) -> list[LagRow]:
	return [LagRow(from_seconds(row.at), row.seconds) for row in shared.load_lags(router.health.fleet)]


def _fallbacks(shared: SharedState) -> list[ReasonCount]:
	counts: Counter[str] = Counter()
	for (_server, reason), count in shared.load_reasons().items():
		if reason not in NO_FALLBACK:
			counts[reason] += count
	return [ReasonCount(reason, count) for reason, count in counts.most_common()]


def _running(router: Router, replicas: list[MonitoredReplica]) -> dict[str, list | None]:
	answering = {replica.name for replica in replicas if replica.state in ("up", "late")}
	return running.on_replicas([replica for replica in router.replicas if replica.name in answering])


def _statements(found: Mapping[str, list | None], shows_details: bool) -> list[RunningStatement]:
	rows = [
		RunningStatement(name, one.id, one.seconds, one.statement if shows_details else None)
		for name, statements in found.items()
		for one in statements or ()
	]
	return sorted(rows, key=lambda row: -row.seconds)


def _servers() -> list[JobsOfServer]:
	servers = frappe.db.sql(
		"select server_id, count(nullif(host, '')), sum(workers), max(workers_alive_at), max(jobs)"
		" from `tabJob Server` group by server_id order by server_id"
	)
	runs = frappe.db.sql(
		"select server_id, count(*), sum(executed_at is null) from `tabScheduled Run`"
		" where claimed_at > utc_timestamp(6) - interval 1 hour group by server_id"
	)
	given = {server_id: (int(count), int(waiting)) for server_id, count, waiting in runs}
	known = [row[0] for row in servers]
	# A server without a row runs jobs all the same, until its first scheduler or worker has noted itself.
	rows = [*servers, *((server_id, 0, 0, None, 0) for server_id in sorted(given) if server_id not in known)]
	return [
		JobsOfServer(
			server_id,
			int(hosts),
			int(workers or 0),
			in_utc(alive),
			int(jobs or 0),
			*given.get(server_id, (0, 0)),
		)
		for server_id, hosts, workers, alive, jobs in rows
	]


def _processes(shared: SharedState, revision: str) -> Processes:
	heard = [note.revision for note in shared.load_processes()]
	return Processes(count=len(heard), taken_up=heard.count(revision))


def end_statement(name: str, query: int) -> bool:
	"""End a statement that runs on a replica for this site; False if it has ended already.

	:param name: of the replica
	:raises frappe.ValidationError: if there is no such replica, or it does not answer
	"""
	router = routing_of_site().router
	replica = next((one for one in router.replicas if one.name == name), None) if router else None
	if replica is None:
		frappe.throw(_("There is no replica {0} in the configuration of this site").format(escape_html(name)))
	try:
		return running.end(replica, query)
	except Exception as error:
		why = escape_html(_(dialect.summary_of(error)))
		frappe.throw(_("Replica {0} did not end the statement: {1}").format(escape_html(name), why))
