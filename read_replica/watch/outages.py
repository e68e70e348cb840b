# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Finds what is wrong now and worth a notice: replicas, servers of jobs, overdue jobs, runs that were given up."""

import time
from collections.abc import Callable
from typing import NamedTuple

from read_replica.engine.router import Router
from read_replica.engine.sentence import Sentence, looked_up
from read_replica.engine.settings import Endpoint
from read_replica.site import routing_of_site
from read_replica.watch import job_findings, overdue
from read_replica.watch.freshness_header import public_names

# A replica that is late for a moment is no news: a backup, a large transaction.
SECONDS_BEHIND_UNTIL_TOLD = 300

# How long at most this process waits until it knows how late a replica is.
MOST_SECONDS_OF_WATCHING = 35

# A job whose last run was given up longer ago counts as well again.
DAYS_A_RUN_GIVEN_UP_COUNTS = 1


class Outage(NamedTuple):
	"""Something that is wrong now; its texts are Sentences, as each reader is told in his own language.

	:param subject: the replica, the server or the job
	:param summary: a sentence for all who may look: no host, no user of a database
	:param details: what System Managers are told as well
	:param seconds_until_told: how long it must last before anybody is told
	"""

	subject: str
	summary: str
	details: str
	seconds_until_told: float = 0


class Look(NamedTuple):
	"""What was found when one kind of outage was looked for.

	:param outages: those that there are now
	:param is_over: returns a sentence that says that an earlier one, by its subject, is over
	:param undecided: subjects of which it cannot be said now whether they are still wrong
	"""

	outages: list[Outage]
	is_over: Callable[[str], str]
	undecided: frozenset[str] = frozenset()


def looks() -> dict[str, Callable[[], Look | None]]:
	"""Returns what looks for each kind of outage; it returns None where that cannot be told now."""
	return {
		"Replica Down": replicas_that_are_down,
		"Replica Behind": replicas_that_are_behind,
		**of_servers(),
		"Job Overdue": jobs_that_are_overdue,
		"Run Given Up": runs_given_up,
	}


def of_servers() -> dict[str, Callable[[], Look | None]]:
	"""Returns what looks for servers of jobs that are gone, alone."""
	return {"Server Gone": servers_that_are_gone}


def replicas_that_are_down() -> Look | None:
	"""Returns the replicas that do not answer, or that follow no primary that this site knows."""
	routing = routing_of_site()
	if routing.problem:
		return None
	if not routing.router:
		return Look([], _is_not_read_any_more)
	health = routing.router.health
	health.check_if_unknown()
	outages = []
	for endpoint, name in _named(routing.router.settings.replicas):
		verdict = health.verdict_of(endpoint.name)
		at = f"{endpoint.host}:{endpoint.port}"
		if verdict and verdict.state == "down":
			summary = Sentence("Replica {0} is down", name)
		elif verdict and verdict.lag is None and verdict.error:
			summary = Sentence("Replica {0} is up, but does not follow the primary", name)
		else:
			continue
		details = Sentence.joined(": ", [at, looked_up(verdict.error)]) if verdict.error else at
		outages.append(Outage(name, summary, details))
	names = {name for _endpoint, name in _named(routing.router.settings.replicas)}
	return Look(
		outages,
		lambda name: Sentence("Replica {0} is back", name) if name in names else _is_not_read_any_more(name),
	)


def replicas_that_are_behind() -> Look | None:
	"""Returns the replicas that are further behind than the site accepts, by the last health check."""
	routing = routing_of_site()
	if routing.problem:
		return None
	if not routing.router:
		return Look([], _is_not_read_any_more)
	watched_for = _watch_until_known(routing.router)
	outages, unknown, names = [], set(), set()
	for endpoint, name in _named(routing.router.settings.replicas):
		names.add(name)
		verdict = routing.router.health.verdict_of(endpoint.name)
		limit = routing.router.settings.defaults_of(endpoint.pool).max_lag
		if not verdict or verdict.state == "down" or verdict.error:
			unknown.add(name)
		elif verdict.lag is not None:
			if verdict.lag > limit:
				outages.append(_behind(name, verdict.lag, limit))
		elif watched_for > limit:
			# It has not reached yet what the primary had when this process began to watch.
			outages.append(_behind(name, watched_for, limit))
		else:
			unknown.add(name)
	return Look(
		outages,
		lambda name: (
			Sentence("Replica {0} has caught up", name) if name in names else _is_not_read_any_more(name)
		),
		frozenset(unknown),
	)


def _watch_until_known(router: Router) -> float:
	"""Wait until it is known how late each replica is; returns for how many seconds this process has watched.

	Where requests are served, another process knows it. On a site at rest, this one has just begun: of a replica that
	is late, it knows so when that reaches what the primary had at the beginning.
	"""
	began = time.monotonic()
	router.health.check_if_unknown()
	while _is_one_unknown(router) and time.monotonic() - began < MOST_SECONDS_OF_WATCHING:
		time.sleep(1)
		router.health.check_now()
	return time.monotonic() - began


def _is_one_unknown(router: Router) -> bool:
	verdicts = [router.health.verdict_of(replica.name) for replica in router.replicas]
	return any(one and one.state == "up" and one.lag is None and not one.error for one in verdicts)


def _behind(name: str, lag: float, limit: float) -> Outage:
	summary = Sentence("Replica {0} has been more than {1} s behind for five minutes", name, f"{limit:g}")
	# So late, it has been too late for some time already: a lag grows by a second each second at most.
	until_told = max(0.0, SECONDS_BEHIND_UNTIL_TOLD - (lag - limit))
	return Outage(name, summary, Sentence("It is {0} s behind, at least.", f"{lag:.0f}"), until_told)


def _is_not_read_any_more(name: str) -> str:
	return Sentence("Replica {0} is not read any more", name)


def _named(replicas: tuple[Endpoint, ...]) -> list[tuple[Endpoint, str]]:
	names = public_names(replicas)
	return [(endpoint, names[endpoint.name]) for endpoint in replicas]


def servers_that_are_gone() -> Look:
	"""Returns the servers that have scheduled jobs and were not seen lately."""
	sentences: dict[str, list[str]] = {}
	for server_id, sentence in job_findings.servers_that_are_gone():
		sentences.setdefault(server_id, []).append(sentence)
	return Look(
		[
			Outage(server_id, Sentence("Server {0} of jobs is gone", server_id), Sentence.joined(" ", lines))
			for server_id, lines in sentences.items()
		],
		lambda server_id: Sentence("Server {0} of jobs is back", server_id),
	)


def jobs_that_are_overdue() -> Look:
	"""Returns the scheduled jobs that should have run by now and have not."""
	return Look(
		[
			Outage(method, Sentence("Job {0} is overdue", method), reason)
			for method, reason in overdue.reasons().items()
		],
		lambda method: Sentence("Job {0} is not overdue any more", method),
	)


def runs_given_up() -> Look:
	"""Returns the jobs that had a run given up in the last day: told once, however many follow."""
	return Look(
		[
			Outage(job, Sentence("A run of job {0} was given up", job), sentence)
			for job, sentence in job_findings.runs_given_up(DAYS_A_RUN_GIVEN_UP_COUNTS)
		],
		lambda job: Sentence("No run of job {0} was given up for a day", job),
	)
