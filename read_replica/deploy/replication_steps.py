# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Holds the steps of a new replica: what each does and where, looked at before and after, and run where that is possible."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import pymysql

from read_replica.deploy.database_checks import CHECKS as OF_DATABASES
from read_replica.deploy.doctor import Skipped, Trouble
from read_replica.deploy.facts import Databases
from read_replica.deploy.replication_checks import CHECKS as OF_REPLICATION
from read_replica.deploy.servers import Login, what_failed

State = Literal["done", "to do", "in the way", "unknown"]
Place = Literal["primary", "new replica", "this machine"]

_CHECKS = {check.id: check for check in (*OF_REPLICATION, *OF_DATABASES)}


class Seen(NamedTuple):
	"""How a step stands, and why; for a step that is done, what would be better."""

	state: State
	why: str = ""


@dataclass(frozen=True)
class Step:
	"""A step.

	:param what: what it does, in a sentence
	:param look: returns how it stands, by what the servers are asked for it
	:param config: lines of my.cnf
	:param shell: commands for root
	:param sql: statements, without secrets unless these were asked for
	:param run: carries it out and returns the statements that it ran, without secrets; None: not from here
	"""

	id: str
	what: str
	where: Place
	look: Callable[[Databases], Seen]
	config: Sequence[str] = ()
	shell: Sequence[str] = ()
	sql: Sequence[str] = ()
	run: Callable[[], list[str]] | None = None


@dataclass(frozen=True)
class StepRow:
	"""A step as it was found, or left.

	:param state: "done", "to do", "in the way" or "unknown"
	:param can_run: whether --run does it, as far as the steps before it are done
	:param ran: what --run has run of it
	"""

	id: str
	what: str
	where: str
	state: str
	why: str
	can_run: bool
	config: list[str] = field(default_factory=list)
	shell: list[str] = field(default_factory=list)
	sql: list[str] = field(default_factory=list)
	ran: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pair:
	"""A primary and its new replica, with the logins that are there for them.

	:param primary: an administrator's, or the site's own
	:param replica: an administrator's, or the one that the site reads it with
	:param site_user: the user that the site itself logs in with
	"""

	primary: Login
	replica: Login
	database: str
	site_user: str

	def ask(self) -> Databases:
		"""Returns both servers, of which nothing is known yet."""
		return Databases(self.primary, [self.replica], self.database, self.site_user)


def primary_of(servers: Databases) -> Databases:
	"""Returns the primary without its replica, for checks that look at all servers."""
	alone = Databases(servers.primary.login, [], servers.database, servers.site_user)
	alone.primary = servers.primary
	return alone


def troubles(servers: Databases, ids: Iterable[str]) -> list[tuple[str, Trouble]]:
	"""Returns what the doctor's checks of these ids find wrong, each with its id; those that do not apply find nothing."""
	found = []
	for id in ids:
		try:
			found += [(id, trouble) for trouble in _CHECKS[id].look(servers)]
		except Skipped:
			continue
	return found


def carry_out(pair: Pair, steps: Sequence[Step], runs: bool) -> list[StepRow]:
	"""Look at each step, and run those that can be run and are to do; returns how they stand then.

	A step is only run if all before it are done, so nothing is built on what is missing.
	"""
	found, is_open, servers = [], False, pair.ask()
	for step in steps:
		seen, ran = look(step, servers), []
		if runs and not is_open and step.run and seen.state == "to do":
			try:
				ran = step.run()
				# What was known of them may be so no longer.
				servers = pair.ask()
				seen = look(step, servers)
			except (pymysql.err.MySQLError, OSError) as error:
				seen = Seen("in the way", what_failed(error))
		is_open = is_open or seen.state != "done"
		found.append(_row(step, seen, ran))
	return found


def look(step: Step, servers: Databases) -> Seen:
	"""Returns how a step stands; "unknown" if a server does not say."""
	try:
		return step.look(servers)
	except Skipped as reason:
		return Seen("unknown", str(reason))
	except (pymysql.err.MySQLError, OSError) as error:
		return Seen("unknown", what_failed(error))


def _row(step: Step, seen: Seen, ran: list[str]) -> StepRow:
	is_left = seen.state != "done"
	return StepRow(
		id=step.id,
		what=step.what,
		where=step.where,
		state=seen.state,
		why=seen.why,
		can_run=step.run is not None,
		config=list(step.config) if is_left or seen.why else [],
		shell=list(step.shell) if is_left else [],
		sql=list(step.sql) if is_left else [],
		ran=ran,
	)
