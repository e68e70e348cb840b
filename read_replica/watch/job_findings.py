# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Says in sentences what is wrong with the servers that run jobs."""

from collections import defaultdict
from collections.abc import Callable

import frappe
from frappe.utils.background_jobs import get_queue
from frappe.utils.scheduler import is_dormant
from redis.exceptions import RedisError

from read_replica.core import class_overrides
from read_replica.database.bookkeeping import is_before_migrate
from read_replica.engine.sentence import Sentence
from read_replica.jobs import (
	network_mounts,
	queues,
	rule_checks,
	rule_sources,
	rules,
	run_locks,
	scheduled_runs,
	schedulers,
	servers,
	tick_problems,
	workers,
)
from read_replica.jobs.rule_set import TAKEOVER_AFTER, Rule
from read_replica.jobs.rules import DEFAULT_SERVER, rule_for
from read_replica.jobs.servers import Server
from read_replica.watch import cache_redises, overdue

MOST_NAMED = 3

# By default, a server counts as gone after fifteen minutes: a dead connection must be noticed before that.
MOST_SECONDS_OF_KEEPALIVE = 600


def ago(seconds: float | None) -> Sentence:
	"""Returns an age in seconds in words, such as `5 min ago`; None is `never`."""
	if seconds is None:
		return Sentence("never")
	if seconds < 120:
		return Sentence("{0} s ago", f"{max(0, seconds):.0f}")
	if seconds < 7200:
		return Sentence("{0} min ago", f"{seconds / 60:.0f}")
	return Sentence("{0} h ago", f"{seconds / 3600:.0f}")


def note_on(rule: Rule, known: dict[str, Server]) -> str:
	"""Returns when the server of a rule was last seen, and what becomes of its jobs; empty while it is alive."""
	server = known.get(rule.server_id)
	is_alive = server and server.was_seen and not server.is_gone(rule.takeover_after or TAKEOVER_AFTER)
	if is_alive:
		return ""
	was_seen = server and server.was_seen
	last_seen = Sentence("last seen {0}", ago(server.age)) if was_seen else Sentence("no server runs it")
	if rule.server_id == DEFAULT_SERVER or not rule.takeover_after:
		return Sentence("{0}; it waits", last_seen)
	if server and server.is_gone(rule.takeover_after):
		return Sentence("{0}; {1} runs it", last_seen, DEFAULT_SERVER)
	after = f"{rule.takeover_after:g}"
	return Sentence("{0}; {1} takes it over after {2} s", last_seen, DEFAULT_SERVER, after)


def problems() -> list[str]:
	"""Returns all problems with the servers, the rules and the runs of jobs: Sentences, for the desk to say."""
	return [sentence for find in findings().values() for sentence in find()]


def findings() -> dict[str, Callable[[], list[str]]]:
	"""Returns what finds each kind of problem, in sentences, by the id that the doctor has for it."""
	return {
		"scheduler-ticks": schedulers.problems,
		"job-servers-seen": lambda: [sentence for _id, sentence in servers_that_are_gone()],
		"bench-id": _workers_of_another_bench,
		"queues-are-read": _queues_without_readers,
		"runs-given-up": lambda: [sentence for _job, sentence in runs_given_up()],
		"runs-that-failed": _runs_that_failed,
		"named-locks": _runs_without_locks,
		"lost-servers-are-noticed": _missing_tcp_keepalive,
		"dormant-site": _jobs_of_a_dormant_site,
		"network-mounts": lambda: network_mounts.problems(schedulers.locks_a_file()),
		"job-class": class_overrides.problems,
		"job-rules": lambda: [*rule_sources.problems(), *_rules_without_job()],
		"last-tick": tick_problems.sentences,
		"overdue-jobs": overdue.problems,
		"one-cache-redis": cache_redises.problems,
	}


def servers_that_are_gone() -> list[tuple[str, str]]:
	"""Returns the id of each server that has scheduled jobs and is gone, with a sentence; or several of them."""
	known = servers.load()
	jobs = defaultdict(list)
	for method in frappe.get_all(
		"Scheduled Job Type", filters={"stopped": 0}, pluck="method", order_by="method"
	):
		rule = rule_for(method)
		if note := note_on(rule, known):
			jobs[rule.server_id, note].append(method)
	return [
		(
			server_id,
			Sentence("Server {0}: {1}. Scheduled jobs: {2}", repr(server_id), note, _shortened(methods)),
		)
		for (server_id, note), methods in sorted(jobs.items())
	]


def _shortened(names: list[str]) -> str:
	more = len(names) - MOST_NAMED
	named = ", ".join(names[:MOST_NAMED])
	return Sentence("{0} and {1} more", named, more) if more > 0 else named


def _queues_without_readers() -> list[str]:
	own = [server_id for server_id in sorted(rules.named_servers()) if queues.has_own_queue(server_id)]
	if not own:
		return []
	try:
		read = {queue for reader in workers.seen(queues.listed_workers()) for queue in reader.queues}
		waiting = {queue: get_queue(queue).count for queue in own if queue not in read}
	except RedisError as error:
		return [Sentence("Redis, which holds the queues, does not answer: {0}", error)]
	return [
		Sentence(
			"No worker is known that reads the queue {0}. Jobs that wait in it: {1}. On that server, run:"
			" bench worker --queue {2}",
			repr(queue),
			count,
			queue,
		)
		for queue, count in waiting.items()
	]


def _workers_of_another_bench() -> list[str]:
	try:
		others = workers.of_another_bench(queues.listed_workers())
	except RedisError:
		# `_queues_without_readers` has said so.
		return []
	if not others:
		return []
	return [
		Sentence(
			"Workers of another bench, on {0}, read this one's queues: both share a Redis and are called {1} there."
			" Each takes jobs of the other and can do none of them. In common_site_config.json, give each bench a"
			' bench_id of its own, the same on all of its servers, such as "bench_id": "erp"; then bench restart.',
			_shortened(sorted({reader.host for reader in others})),
			repr(frappe.utils.get_bench_id()),
		)
	]


def runs_given_up(days: int = scheduled_runs.DAYS_KEPT_IF_NOT_EXECUTED) -> list[tuple[str, str]]:
	"""Returns each job that had runs given up, with a sentence.

	:param days: how many of the last days count
	"""
	found = frappe.db.sql(
		"select job, count(*) from `tabScheduled Run` where executed_at is null and attempts >= %s"
		" and claimed_at > utc_timestamp(6) - interval %s day group by job order by job",
		(scheduled_runs.MOST_ATTEMPTS, days),
	)
	errors = _last_errors()
	return [
		(
			job,
			Sentence(
				"{0}: the worker was killed {1} times, or could not begin, in {2} runs; they are not executed"
				" again.{3} See Scheduled Run.",
				job,
				scheduled_runs.MOST_ATTEMPTS,
				count,
				_last_error(errors, job),
			),
		)
		for job, count in found
	]


def _runs_that_failed() -> list[str]:
	"""Reports runs that a worker could not execute, and that will be tried again."""
	found = frappe.db.sql(
		"select job, max(attempts) from `tabScheduled Run`"
		" where executed_at is null and begun_by is null and attempts between 1 and %s group by job order by job",
		scheduled_runs.MOST_ATTEMPTS - 1,
	)
	errors = _last_errors()
	return [
		Sentence(
			"{0}: a worker took it and could not execute it, at {1} of {2} attempts; it is tried again.{3} See"
			" Scheduled Run.",
			job,
			attempts,
			scheduled_runs.MOST_ATTEMPTS,
			_last_error(errors, job),
		)
		for job, attempts in found
	]


def _last_errors() -> dict[str, str]:
	"""Returns the last error of each job that has a run which is not executed yet."""
	try:
		return dict(
			frappe.db.sql(
				"select job, last_error from `tabScheduled Run` where executed_at is null"
				" and last_error is not null order by claimed_at"
			)
		)
	except Exception as error:
		if not is_before_migrate(error):
			raise
		return {}


def _last_error(errors: dict[str, str], job: str) -> str:
	if job not in errors:
		return ""
	return Sentence.joined("", [" ", Sentence("Last error: {0}", errors[job])])


def _runs_without_locks() -> list[str]:
	reach = run_locks.reach()
	if reach == "everywhere":
		return []
	why = {
		"nowhere": Sentence("The primary database refuses named locks (GET_LOCK)"),
		"one node": Sentence("In a Galera cluster, named locks hold for one node alone"),
	}
	return [
		Sentence(
			"{0}. Scheduled jobs run all the same, each run once, but nothing guards these: a run whose worker was"
			" killed is not executed again; and a run that is due while another one of its job is executed waits for"
			" that only as long as Redis knows of it.",
			why[reach],
		)
	]


def _missing_tcp_keepalive() -> list[str]:
	if not rules.named_servers() - {DEFAULT_SERVER}:
		return []
	found = frappe.db.sql("show global variables like 'tcp_keepalive_time'")
	if not found or 0 < int(found[0][1]) <= MOST_SECONDS_OF_KEEPALIVE:
		return []
	return [
		Sentence(
			"A server that loses its power says nothing to the primary database, which then keeps the lock of the job"
			" that ran there, for two hours by Linux's default; nobody takes that job over before. In the primary's"
			" configuration, set tcp_keepalive_time = 60, tcp_keepalive_interval = 10, tcp_keepalive_probes = 6."
		)
	]


def _jobs_of_a_dormant_site() -> list[str]:
	# Core puts nothing into a queue then, and calls nothing of this app either.
	others = [name for name in rules.named_servers() - {DEFAULT_SERVER} if not queues.has_own_queue(name)]
	if not others or not is_dormant():
		return []
	return [
		Sentence(
			"Nobody has used this site for some days, so Frappe's scheduler does its work there once a day, on the"
			" server that comes first. With a Redis for each server ({0}), the jobs of the others are not run"
			" meanwhile. To have them run, raise dormant_days in System Settings.",
			_shortened(sorted(others)),
		)
	]


def _rules_without_job() -> list[str]:
	sentences = []
	for rule, similar in rule_checks.rules_without_job():
		said = [Sentence("No such scheduled job: {0} (rule from {1}).", rule.job, rule.source)]
		said += [Sentence("Did you mean {0}?", ", ".join(similar))] if similar else []
		sentences.append(Sentence.joined(" ", said))
	return sentences
