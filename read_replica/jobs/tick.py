# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""One tick of a scheduler: claims the runs that are due, and enqueues them.

Core calls `enqueue` of each Scheduled Job Type, one after the other. The first one that is due makes the tick
claim all that are due at once, as a claim for each would cost a commit for each.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal

import frappe
from frappe.utils.background_jobs import generate_qname

from read_replica.core import rq_data
from read_replica.database.bookkeeping import is_before_migrate
from read_replica.jobs import (
	due_times,
	enqueue_hook,
	execution,
	orphaned_jobs,
	positions,
	queues,
	rules,
	scheduled_runs,
	servers,
	takeovers,
	under_way,
	workers,
)
from read_replica.jobs.placement import Place, Placement
from read_replica.jobs.rule_set import TAKEOVER_AFTER
from read_replica.jobs.rules import rule_for
from read_replica.jobs.scheduled_runs import DueRun, UnfinishedRun
from read_replica.jobs.tick_problems import Problems

# For how long a tick is reused after its own steps: a console, or a long request, may also enqueue scheduled
# jobs.
SECONDS_OF_A_TICK = 30

# A run that has waited for longer, in another queue than it belongs into, is enqueued there as well.
SECONDS_ANOTHER_QUEUE_IS_TRUSTED = 900

SECONDS_BETWEEN_COUNTS = 600
_counted_at: dict[str, float] = {}

# Steps that rooms above this one add to each tick, by their names.
further_steps: dict[str, Callable[[Placement], None]] = {}


class Tick:
	"""One tick on one site: does its own steps as it is made, then gives core the runs job by job.

	Each step, and each job in it, is guarded by itself: none may keep the site's other jobs from being
	scheduled. What fails is in the log, and in `status`.
	"""

	def __init__(self) -> None:
		self.problems = Problems()
		self._guard = self.problems.guard
		self._guard("queues", enqueue_hook.install)
		# Rules may have changed since the last tick.
		rules.forget_rules()
		# Without Redis nothing can be enqueued, and so nothing is claimed.
		self.is_without_redis = False
		self._claimed: dict[str, DueRun] | None = None
		self.placement = self._placement()
		self._guard("takeovers", lambda: takeovers.end(self.placement.servers))
		if not self.is_without_redis:
			self._guard("sweep", lambda: orphaned_jobs.move_from_unread_queues(self.placement, self._guard))
			self._guard("unfinished", self._enqueue_unfinished)
		self._guard("counts", self._count_jobs)
		for name, step in further_steps.items():
			self._guard(name, partial(step, self.placement))
		self.problems.begin_enqueuing()
		self.ended = time.monotonic()

	def _placement(self) -> Placement:
		try:
			return placement_seen_by_scheduler()
		except Exception as error:
			if is_before_migrate(error):
				# Until the migrate, core schedules by itself.
				raise
			self.is_without_redis = rq_data.is_unreachable(error)
			self.problems.add("places", error)
		known = self._guard("servers", lambda: servers.load(_servers_in_use()), {})
		alive = {server_id for server_id, server in known.items() if not server.is_gone(TAKEOVER_AFTER)}
		# This server enqueues its own jobs whatever it knows of others.
		return Placement(servers.this_server(), known, {servers.this_server(), *alive})

	def take(self, job: Any) -> DueRun | None:
		"""Returns a job's claimed run that is to be enqueued now, once; None if there is none."""
		if self.is_without_redis:
			return None
		if self._claimed is None:
			if not self._guard(job.method, lambda: self._due_run(job)):
				return None
			self._claimed = self._claim_all()
		return self._claimed.pop(job.name, None)

	def enqueue(self, run: DueRun) -> bool:
		"""Enqueue a claimed run; False if that fails, and then a tick tries again in a minute."""
		if self.is_without_redis:
			return False
		try:
			enqueue_run(run.name, run.job, run.place)
			return True
		except Exception as error:
			self.is_without_redis = rq_data.is_unreachable(error)
			self.problems.add(f"put {run.job.method}", error)
			return False

	def _due_run(self, job: Any) -> DueRun | None:
		place = self.placement.for_run(rule_for(job.method))
		return DueRun(job, due_times.due_at(job), place) if place and due_times.is_due(job) else None

	def _claim_all(self) -> dict[str, DueRun]:
		jobs = self._guard("due", lambda: due_times.jobs({"stopped": 0}), [])
		found = {job.name: self._guard(job.method, partial(self._due_run, job)) for job in jobs}
		due = {name: run for name, run in found.items() if run}
		for name in under_way.jobs_under_way([run.job for run in due.values()], self._guard):
			due.pop(name, None)
		due = self._one_per_id(due)
		names = self._claim(list(due.values()))
		claimed = {name: run for name, run in due.items() if run.name in names}
		self._note_takeovers([(run.place, run.job.method) for run in claimed.values()])
		return claimed

	def _one_per_id(self, due: dict[str, DueRun]) -> dict[str, DueRun]:
		"""Keeps one of several jobs that share an id in Redis, where one would overwrite the other."""
		ids = {
			name: self._guard(run.job.method, partial(due_times.job_id, run.job)) for name, run in due.items()
		}
		one_of_id = {job_id: name for name, job_id in reversed(ids.items())}
		return {name: run for name, run in due.items() if one_of_id[ids[name]] == name}

	def _claim(self, runs: list[DueRun]) -> set[str]:
		try:
			return scheduled_runs.claim(runs)
		except Exception as error:
			if is_before_migrate(error):
				raise
			self.problems.add("claim", error)
		# A single run may make the statement fail for all.
		each = [
			self._guard(f"claim {run.job.method}", partial(scheduled_runs.claim, [run]), set())
			for run in runs
		]
		return set().union(*each)

	def _note_takeovers(self, runs: list[tuple[Place, str]]) -> None:
		self._guard("note takeovers", lambda: takeovers.note(runs, self.placement.servers))

	def _enqueue_unfinished(self) -> None:
		"""Enqueue runs that were lost, whose worker was killed, or that a user has asked this server for."""
		runs = scheduled_runs.unfinished()
		if not runs:
			return
		names = {run.job_type for run in runs}
		jobs = {job.name: job for job in due_times.jobs({"name": ["in", list(names)]})}
		lists = queues.QueueLists()
		# One run of each job at a time: they share an id in Redis, where one would overwrite the other.
		busy = under_way.executed_now(names, jobs)
		for run in runs:
			if run.job_type not in busy:
				enqueue_again = partial(self._enqueue_again, run, jobs.get(run.job_type), lists)
				if self._guard(run.method, enqueue_again):
					busy.add(run.job_type)

	def _enqueue_again(self, run: UnfinishedRun, job: Any, lists: queues.QueueLists) -> bool:
		place = self.placement.for_run(rule_for(run.method))
		if not place:
			return False
		if not job:
			execution.delete_run(run.name, run.attempts)
			return False
		if (job.stopped and not run.asked_for) or self._waits(run, job, place, lists):
			return False
		if not scheduled_runs.reclaim(run, place, under_way.failure_of(run, job)):
			return False
		enqueue_run(run.name, job, place, "asked for" if run.asked_for else "due")
		self._note_takeovers([(place, run.method)])
		return True

	def _waits(self, run: UnfinishedRun, job: Any, place: Place, lists: queues.QueueLists) -> bool:
		"""Whether the run waits in a queue, or the next run of its job, which must not be overwritten."""
		queue = lists.queue_of(due_times.rq_job_id(job))
		if queue is None:
			return False
		# Another queue may have no worker any more.
		belongs_there = queue == generate_qname(place.queue or due_times.queue_of(job))
		return belongs_there or run.age < SECONDS_ANOTHER_QUEUE_IS_TRUSTED

	def _count_jobs(self) -> None:
		"""Write how many jobs each server has, for the list of servers, and clean up; every ten minutes."""
		site = frappe.local.site
		if time.monotonic() - _counted_at.get(site, float("-inf")) < SECONDS_BETWEEN_COUNTS:
			return
		_counted_at[site] = time.monotonic()
		jobs = frappe.get_all("Scheduled Job Type", filters={"stopped": 0}, fields=["name", "method"])
		due_times.keep_only({job.name for job in jobs})
		found = [self._guard(job.method, partial(rule_for, job.method)) for job in jobs]
		counts = Counter(rule.server_id for rule in found if rule)
		servers.note_job_counts(
			{server_id: counts[server_id] for server_id in {*self.placement.servers, *counts}}
		)
		workers.clean_up()


def current() -> Tick:
	"""Returns the tick of this process on this site; a new one if there is none, or the last is over."""
	tick = getattr(frappe.local, "read_replica_tick", None)
	if tick is None or time.monotonic() - tick.ended > SECONDS_OF_A_TICK:
		tick = frappe.local.read_replica_tick = Tick()
	return tick


def placement_seen_by_scheduler() -> Placement:
	"""Write which workers this server's scheduler sees, and commit; returns the placement by these."""
	seen = workers.seen(queues.listed_workers())
	servers.note(seen, rules.named_servers())
	return placement_with(seen)


def placement_with(seen: list[queues.WorkerInfo]) -> Placement:
	"""Returns the placement by what is known of the servers, with these workers of this bench."""
	read_queues = {queue for worker in seen for queue in worker.queues}
	return Placement(servers.this_server(), servers.load(_servers_in_use()), read_queues)


def _servers_in_use() -> set[str]:
	"""Returns the ids of the servers that a job may belong to or wait for, not of all that were ever seen."""
	return {*rules.named_servers(), *queues.own_queues(), *takeovers.servers_taken_over()}


def enqueue_run(
	run: str, job: Any, place: Place, why: Literal["due", "asked for", "asked for here"] = "due"
) -> None:
	"""Put a claimed run into its queue; after the commit of this request if a user has asked for it in it.

	:param run: the name of the Scheduled Run
	:param job: the row or document of its Scheduled Job Type
	:param why: "asked for": by a user, on another server; "asked for here": by a user, in this request
	"""
	is_of_user = why == "asked for here"
	with nullcontext() if is_of_user else positions.enqueuing_scheduled_run(why == "asked for"):
		if not due_times.has_own_enqueue(job):
			_enqueue(run, job, place, after_commit=is_of_user)
		elif is_of_user and hasattr(frappe.db, "after_commit"):
			frappe.db.after_commit.add(partial(_enqueue_by_own_class, run, job, place))
		else:
			# v14 enqueues before the commit: a worker that is faster finds no run, and a later tick enqueues
			# it.
			_enqueue_by_own_class(run, job, place)


def _enqueue(run: str, job: Any, place: Place, after_commit: bool) -> None:
	intended_queue = due_times.queue_of(job)
	frappe.enqueue(
		positions.RUN_ONCE,
		queue=place.queue or intended_queue,
		# The timeout of core's queue, as a server's own queue holds short and long jobs.
		timeout=queues.timeout_of(intended_queue),
		job_id=due_times.job_id(job),
		enqueue_after_commit=after_commit,
		run=run,
		job_type=job.method,
		scheduled_job_type=job.name,
	)


def _enqueue_by_own_class(run: str, job: Any, place: Place) -> None:
	if not enqueue_hook.enqueue_by_own_class(run, job, place):
		# The class declined, or did the work itself. As with core, it is called again while it is due.
		execution.delete_run(run)
