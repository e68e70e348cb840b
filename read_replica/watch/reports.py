# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the commands of `bench read-replica` say, as plain data: tables and JSON are both made from it.

Fields have the names that keys of the JSON have. A number says its unit in its name, each time is in UTC, and
None is what is not known or not there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from read_replica.watch.report import Report
from read_replica.watch.top_report import Top


@dataclass(frozen=True)
class Replica:
	"""A replica as it answers now.

	:param as_of: up to when it has all that was committed, by the primary's clock
	:param read_only: whether it refuses writes from ordinary users
	:param error: why it is down, or why its lag is not known
	:param servers: which servers its address leads to
	:param behind_proxy: whether its address may lead each statement to another server
	"""

	name: str
	host: str
	port: int
	pool: str
	weight: float
	state: Literal["up", "down"] | None
	lag_seconds: float | None
	as_of: datetime | None
	read_only: bool | None
	error: str | None
	servers: list[str] | None
	behind_proxy: bool | None


@dataclass(frozen=True)
class Calls:
	"""How many calls began on a server, and why; or what befell them there."""

	server: str
	reason: str
	count: int


@dataclass(frozen=True)
class Writer:
	"""A method that was caught writing, and until when it stays on the primary.

	:param table: the one that it was caught writing
	"""

	method: str
	until: datetime
	table: str | None = None


@dataclass(frozen=True)
class Scheduler:
	"""The scheduler that ticked last on a site, and still does."""

	server_id: str
	host: str
	seconds_since_tick: float


@dataclass(frozen=True)
class Status(Report):
	"""What `status` says.

	:param routing: whether calls that only read may go to replicas
	:param routing_problem: why they may not, where the configuration is wrong
	:param replica_share_percent: how much of the statements that read was answered by replicas, since counting began
	"""

	routing: bool
	routing_problem: str | None
	replicas: list[Replica]
	replica_share_percent: float | None
	replica_share_of_last_hour_percent: float | None
	calls: list[Calls]
	writers: list[Writer]
	scheduler: Scheduler | None
	problems: list[str]


@dataclass(frozen=True)
class Server:
	"""A server that runs jobs, on one of its hosts.

	:param host: None: a rule names the server, and nobody runs it
	:param jobs: how many scheduled jobs the rules give to it
	"""

	server_id: str
	host: str | None
	bench: str | None
	app_version: str | None
	scheduler_alive_at: datetime | None
	workers_alive_at: datetime | None
	workers: int
	queues: list[str]
	jobs: int


@dataclass(frozen=True)
class Takeover:
	"""A time in which one server ran the jobs of another.

	:param ended_at: None: it goes on
	"""

	server_id: str
	taken_by: str
	began_at: datetime
	ended_at: datetime | None
	runs: int
	last_job: str | None


@dataclass(frozen=True)
class Servers(Report):
	"""What `servers` says.

	:param takeovers: the last ten, the latest first
	"""

	servers: list[Server]
	takeovers: list[Takeover]
	scheduler: Scheduler | None
	problems: list[str]


@dataclass(frozen=True)
class Job:
	"""A scheduled job with its rule.

	:param frequency: in words, or as cron writes it
	:param rule_from: the source of the rule
	:param takeover_after_seconds: None: never
	:param consistency: what its reads ask of a replica; None: as the site is configured, as for `max_lag_seconds`
	:param note: what becomes of it, where its server is not alive
	"""

	job: str
	frequency: str | None
	server_id: str
	rule_from: str
	takeover_after_seconds: float | None
	reads: str
	consistency: str | None
	max_lag_seconds: float | None
	stopped: bool
	note: str | None


@dataclass(frozen=True)
class Jobs(Servers):
	"""What `jobs` says.

	:param server_id: the server that the command runs on
	:param server_id_is_set: whether the variable SERVER_ID has said so
	"""

	server_id: str
	server_id_is_set: bool
	jobs: list[Job]


@dataclass(frozen=True)
class Queues(Report):
	"""What `queues` says.

	:param server_id: the server that the command runs on
	:param wanted: the servers that are to have a queue of their own
	:param added: those whose queue the command has written into common_site_config.json
	:param missing: those that have none there yet
	:param worker_command: what starts a worker for this server's own queue
	"""

	server_id: str
	wanted: list[str]
	added: list[str]
	missing: list[str]
	worker_command: str


@dataclass(frozen=True)
class Writers(Report):
	"""What `writers` says.

	:param cleared: how many methods the command has let back to the replicas; None: it was not asked to
	"""

	cleared: int | None
	writers: list[Writer]


@dataclass(frozen=True)
class Rule:
	"""A rule for a method, and what was counted of the requests under exactly its name; None where none was.

	:param rule_from: the source of the rule
	:param consistency: what it asks of a replica; None: as the site is configured, as for those that follow
	"""

	method: str
	reads: str
	rule_from: str
	consistency: str | None
	max_lag_seconds: float | None
	pool: str | None
	timeout_seconds: float | None
	reason: str | None
	calls: int | None
	seconds: float | None
	has_written: bool | None


@dataclass(frozen=True)
class Suggestion:
	"""A method without a rule that could read on a replica, and what that would take off the primary."""

	method: str
	calls: int
	primary_seconds_per_hour: float
	reason: str


@dataclass(frozen=True)
class Methods(Report):
	"""What `methods` says.

	:param changed: what the command has changed, in a sentence; None: it was not asked to
	:param rules: in the order in which they count
	:param suggestions: what would take most off the primary comes first
	"""

	changed: str | None
	rules: list[Rule]
	suggestions: list[Suggestion]


# By the name of its command.
REPORTS: dict[str, type[Report]] = {
	"status": Status,
	"servers": Servers,
	"jobs": Jobs,
	"queues": Queues,
	"writers": Writers,
	"methods": Methods,
	"top": Top,
}
