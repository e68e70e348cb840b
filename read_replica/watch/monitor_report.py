# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the page Replica Monitor shows, as plain data."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from read_replica.watch.reports import Report, Writer


@dataclass(frozen=True)
class MonitoredReplica:
	"""A replica as the last health check has found it.

	:param host: None for those who may not see it, as for `port`
	:param state: "late": further behind than calls accept, or its lag is not known; "unknown": not checked yet
	:param max_lag_seconds: how late calls accept it to be, as the site is configured
	:param statements: how many it has answered in the last hour
	"""

	name: str
	host: str | None
	port: int | None
	pool: str
	weight: float
	state: Literal["up", "late", "down", "unknown"]
	lag_seconds: float | None
	max_lag_seconds: float
	as_of: datetime | None
	error: str | None
	statements: int


@dataclass(frozen=True)
class LagRow:
	"""How far each replica was behind at a time; None: it was down, or its lag was not known."""

	at: datetime
	seconds: dict[str, float | None]


@dataclass(frozen=True)
class ReasonCount:
	"""How many calls the primary has answered for a reason, or how often something befell a call."""

	reason: str
	count: int


@dataclass(frozen=True)
class RunningStatement:
	"""A statement that runs on a replica for this site.

	:param query: the server's number for it
	:param statement: its words without values; None for those who may not see them
	"""

	replica: str
	query: int
	seconds: float
	statement: str | None


@dataclass(frozen=True)
class JobsOfServer:
	"""A server that runs jobs.

	:param runs: how many due runs it was given in the last hour
	:param waiting: how many of them are not executed yet
	"""

	server_id: str
	hosts: int
	workers: int
	workers_alive_at: datetime | None
	jobs: int
	runs: int
	waiting: int


@dataclass(frozen=True)
class Processes:
	"""The processes that route calls now.

	:param taken_up: how many of them have heard of the settings and rules as they are now
	"""

	count: int
	taken_up: int


@dataclass(frozen=True)
class ExaminedCheck:
	"""What one check of the doctor has found; sentences are None for those who may not see them."""

	id: str
	status: str
	seen: str | None
	expected: str
	fix: str | None


@dataclass(frozen=True)
class Examination:
	"""What the doctor has found when he was asked last, from the desk.

	:param checks: what is not well, the worst first
	"""

	at: datetime
	ok: int
	checks: list[ExaminedCheck]


@dataclass(frozen=True)
class Monitor(Report):
	"""What the page shows.

	:param may_change: whether the user may change what is shown here
	:param routing_problem: why calls may not go to replicas, where the configuration is wrong
	:param redis_answers: without Redis there are no counters, no history and no list of writers
	:param max_lag_seconds: the one that most replicas have
	:param replica_share_percent: how much of the statements of the last hour replicas have answered; None: there were none
	:param primary_statements: how many the primary has answered in the last hour
	:param running: what runs on replicas for more than some seconds, the longest first
	:param did_not_tell: the replicas that did not say what runs there
	"""

	may_change: bool
	routing: bool
	routing_problem: str | None
	redis_answers: bool
	max_lag_seconds: float | None
	replicas: list[MonitoredReplica]
	lags: list[LagRow]
	replica_share_percent: float | None
	primary_statements: int
	fallbacks: list[ReasonCount]
	writers: list[Writer]
	running: list[RunningStatement]
	did_not_tell: list[str]
	servers: list[JobsOfServer]
	processes: Processes
	examination: Examination | None
