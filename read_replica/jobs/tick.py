# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""One tick of a scheduler: what it puts into which queue.

Core asks each Scheduled Job Type, one after the other, to put itself into a queue if it is due. The first
one that is due lets all that are due be claimed at once, as each claim by itself would cost a commit.
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
	run_locks,
	scheduled_runs,
	servers,
	takeovers,
	workers,
)
from read_replica.jobs.placement import Place, Placement
from read_replica.jobs.rules import TAKEOVER_AFTER, rule_for
from read_replica.jobs.scheduled_runs import DueRun, UnfinishedRun
from read_replica.jobs.tick_problems import Problems

# A console, or a long request, may ask jobs to put themselves into a queue as well.
SECONDS_OF_A_TICK = 30

# After that, a run that waits in another queue than the one it belongs into is put there as well.
SECONDS_ANOTHER_QUEUE_IS_TRUSTED = 900

# RQ's workers say every 30 seconds which job they work on.
SECONDS_A_WORKER_IS_TRUSTED = 90

# Between noting that a job is queued, or taken, and doing so.
SECONDS_BETWEEN_TWO_COMMANDS = 60

# Of one of which Redis does not say since when it is queued: since when it was in no queue, by time.monotonic().
_not_in_its_queue_since: dict[tuple[str, str], float] = {}
SECONDS_OF_ANOTHER_TICK = 30
MOST_LOST = 1000

SECONDS_BETWEEN_COUNTS = 600
_counted_at: dict[str, float] = {}


class Tick:
	"""What a scheduler does in one tick on one site, beside what core asks of it job by job.

	Each step, and each job in it, is guarded by itself: none may keep the site's other jobs from being
	scheduled. What fails is in the log, and in `status`.
	"""

	def __init__(self):
		self.problems = Problems()
		self._guard = self.problems.guard
		self._guard("queues", enqueue_hook.install)
		# They may have changed since the last tick.
		rules.forget_rules()
		# Without it nothing can be put into a queue, and there is no use in claiming anything.
		self.is_without_redis = False
		self._claimed: dict[str, DueRun] | None = None
		self.placement = self._places()
		self._guard("takeovers", lambda: takeovers.end(self.placement.servers))
		if not self.is_without_redis:
			self._guard("sweep", lambda: orphaned_jobs.move_from_unread_queues(self.placement, self._guard))
			self._guard("unfinished", self._put_unfinished)
		self._guard("counts", self._count_jobs)
		self.problems.begin_enqueuing()
		self.ended = time.monotonic()

	def _places(self) -> Placement:
		try:
			return placement_seen_by_scheduler()
		except Exception as error:
			if is_before_migrate(error):
				# Then core schedules by itself.
				raise
			self.is_without_redis = rq_data.is_unreachable(error)
			self.problems.add("places", error)
		known = self._guard("servers", lambda: servers.load(_servers_of_interest()), {})
		alive = {server_id for server_id, server in known.items() if not server.is_gone(TAKEOVER_AFTER)}
		# This server's own jobs are its own whatever it knows of others.
		return Placement(servers.this_server(), known, {servers.this_server(), *alive})

	def take(self, job: Any) -> DueRun | None:
		"""The run of a Scheduled Job Type that is to be put into a queue now, once; None if there is none."""
		if self.is_without_redis:
			return None
		if self._claimed is None:
			if not self._guard(job.method, lambda: self._due_run(job)):
				return None
			self._claimed = self._claim_all()
		return self._claimed.pop(job.name, None)

	def put(self, run: DueRun) -> bool:
		"""Put a claimed run into its queue; False if that fails: it is tried again in a minute."""
		if self.is_without_redis:
			return False
		try:
			put(run.name, run.job, run.place)
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
		for name in _under_way([run.job for run in due.values()], self._guard):
			due.pop(name, None)
		due = self._one_of_each_id(due)
		names = self._claim(list(due.values()))
		claimed = {name: run for name, run in due.items() if run.name in names}
		self._note_takeovers([(run.place, run.job.method) for run in claimed.values()])
		return claimed

	def _one_of_each_id(self, due: dict[str, DueRun]) -> dict[str, DueRun]:
		"""Where jobs share an id in Redis, one of them: in a queue, the next one would take its place."""
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
		# It may be one of them that stands in the way of the others.
		each = [
			self._guard(f"claim {run.job.method}", partial(scheduled_runs.claim, [run]), set())
			for run in runs
		]
		return set().union(*each)

	def _note_takeovers(self, runs: list[tuple[Place, str]]) -> None:
		self._guard("note takeovers", lambda: takeovers.note(runs, self.placement.servers))

	def _put_unfinished(self) -> None:
		"""Put runs into a queue again that were lost or cut off; and those that were asked for on this server."""
		runs = scheduled_runs.unfinished()
		if not runs:
			return
		names = {run.job_type for run in runs}
		jobs = {job.name: job for job in due_times.jobs({"name": ["in", list(names)]})}
		waiting = queues.QueueLists()
		# Of a job, one run at a time: in a queue, the next one would take its place.
		busy = _executed_now(names, jobs)
		for run in runs:
			if run.job_type not in busy:
				put_again = partial(self._put_again, run, jobs.get(run.job_type), waiting)
				if self._guard(run.method, put_again):
					busy.add(run.job_type)

	def _put_again(self, run: UnfinishedRun, job: Any, waiting: queues.QueueLists) -> bool:
		place = self.placement.for_run(rule_for(run.method))
		if not place:
			return False
		if not job:
			execution.delete_run(run.name, run.attempts)
			return False
		if (job.stopped and not run.asked_for) or self._waits(run, job, place, waiting):
			return False
		if not scheduled_runs.reclaim(run, place, _failure_of(run, job)):
			return False
		put(run.name, job, place, "asked for" if run.asked_for else "due")
		self._note_takeovers([(place, run.method)])
		return True

	def _waits(self, run: UnfinishedRun, job: Any, place: Place, waiting: queues.QueueLists) -> bool:
		"""Whether the run waits in a queue, or the next run of its job does, which must not be overwritten."""
		queue = waiting.queue_of(due_times.rq_job_id(job))
		if queue is None:
			return False
		# Another one may have no reader any more.
		belongs_there = queue == generate_qname(place.queue or due_times.queue_of(job))
		return belongs_there or run.age < SECONDS_ANOTHER_QUEUE_IS_TRUSTED

	def _count_jobs(self) -> None:
		"""For the list of servers: how many jobs each has."""
		site = frappe.local.site
		if time.monotonic() - _counted_at.get(site, float("-inf")) < SECONDS_BETWEEN_COUNTS:
			return
		_counted_at[site] = time.monotonic()
		jobs = frappe.get_all("Scheduled Job Type", filters={"stopped": 0}, fields=["name", "method"])
		due_times.keep_only({job.name for job in jobs})
		rules = [self._guard(job.method, partial(rule_for, job.method)) for job in jobs]
		counts = Counter(rule.server_id for rule in rules if rule)
		servers.note_job_counts(
			{server_id: counts[server_id] for server_id in {*self.placement.servers, *counts}}
		)
		workers.clean_up()


def current() -> Tick:
	"""The tick that this code runs in: as long as core works on one site."""
	tick = getattr(frappe.local, "read_replica_tick", None)
	if tick is None or time.monotonic() - tick.ended > SECONDS_OF_A_TICK:
		tick = frappe.local.read_replica_tick = Tick()
	return tick


def placement_seen_by_scheduler() -> Placement:
	"""What this server's scheduler sees of the servers; it notes it for all others, and commits."""
	readers = workers.seen(queues.listed_workers())
	servers.note(readers, rules.named_servers())
	return placement_with(readers)


def placement_with(readers: list[queues.WorkerInfo]) -> Placement:
	"""What is known of the servers, where these are the workers of this bench."""
	read = {queue for reader in readers for queue in reader.queues}
	return Placement(servers.this_server(), servers.load(_servers_of_interest()), read)


def _servers_of_interest() -> set[str]:
	"""Those that a job may belong to, or wait for: not every one that was ever seen."""
	return {*rules.named_servers(), *queues.own_queues(), *takeovers.servers_taken_over()}


def put(run: str, job: Any, place: Place, why: Literal["due", "asked for", "asked for here"] = "due") -> None:
	"""Put a claimed run into its queue; if it was asked for in this request, once that has committed."""
	is_of_user = why == "asked for here"
	with nullcontext() if is_of_user else positions.enqueuing_scheduled_run(why == "asked for"):
		if not due_times.has_own_enqueue(job):
			_enqueue(run, job, place, after_commit=is_of_user)
		elif is_of_user and hasattr(frappe.db, "after_commit"):
			frappe.db.after_commit.add(partial(_let_it_put_itself, run, job, place))
		else:
			# On v14, a worker that is faster than the commit leaves it to the tick after the next minute.
			_let_it_put_itself(run, job, place)


def _enqueue(run: str, job: Any, place: Place, after_commit: bool) -> None:
	intended_queue = due_times.queue_of(job)
	frappe.enqueue(
		positions.RUN_ONCE,
		queue=place.queue or intended_queue,
		# Of the queue that it is meant for, as a server's own queue holds short and long ones.
		timeout=queues.timeout_of(intended_queue),
		job_id=due_times.job_id(job),
		enqueue_after_commit=after_commit,
		run=run,
		job_type=job.method,
		scheduled_job_type=job.name,
	)


def _let_it_put_itself(run: str, job: Any, place: Place) -> None:
	if not enqueue_hook.enqueue_by_own_class(run, job, place):
		# As with core, it is asked again for as long as it is due: it may have said no, or done its work here.
		execution.delete_run(run)


def is_under_way(job: Any) -> bool:
	"""Whether a job waits in a queue on this server's Redis, or is being executed from there."""
	return bool(_under_way([job]))


def _unguarded(_name: str, step: Callable[[], Any], otherwise: Any = None) -> Any:
	return step()


def _under_way(jobs: list[Any], guard: Callable = _unguarded) -> set[str]:
	"""The names of those jobs that wait in a queue on this Redis, or are being executed anywhere.

	:param guard: what cannot be known is as if it was not so: each run is executed once all the same
	"""
	under_way = set(guard("going on", lambda: run_locks.running_job_types([job.name for job in jobs]), ()))
	found = {job.name: guard(job.method, partial(due_times.rq_job_id, job)) for job in jobs}
	ids = {name: job_id for name, job_id in found.items() if job_id}
	states = guard("states of jobs", lambda: queues.states(list(ids.values())), {})
	waiting = queues.QueueLists()
	for job in jobs:
		state = states.get(ids.get(job.name))
		if state and guard(job.method, partial(_is_alive, job.name, ids[job.name], state, waiting), False):
			under_way.add(job.name)
	return under_way


def _is_alive(job_type: str, job_id: str, state: rq_data.JobData, waiting: queues.QueueLists) -> bool:
	"""Whether what RQ says of a job is so: it waits, or is executed."""
	if state.status == "queued" and not waiting.contains(state.origin, job_id, state.queued_age):
		return not _is_lost(job_id, state.queued_age)
	_not_in_its_queue_since.pop((frappe.local.site, job_id), None)
	return state.status == "queued" or (state.status == "started" and not _is_over(job_type, state))


def _is_lost(job_id: str, age: float | None) -> bool:
	"""Whether a job that RQ calls queued, and that is in no queue, will not be in one any more.

	Whoever puts it there notes that first, and whoever takes it out notes that next; unless he is killed.
	"""
	if age is not None:
		return age > SECONDS_BETWEEN_TWO_COMMANDS
	if len(_not_in_its_queue_since) >= MOST_LOST:
		_not_in_its_queue_since.clear()
	since = _not_in_its_queue_since.setdefault((frappe.local.site, job_id), time.monotonic())
	return time.monotonic() - since > SECONDS_OF_ANOTHER_TICK


def _executed_now(names: set[str], jobs: dict[str, Any]) -> set[str]:
	"""The names of those jobs of which a worker is executing a run: by its lock, or by what it tells RQ.

	:param jobs: their rows of Scheduled Job Type, where these are still there
	"""
	found = run_locks.running_job_types(names)
	if run_locks.reach() == "everywhere":
		return found
	ids = {due_times.rq_job_id(job): name for name, job in jobs.items()}
	states = queues.states(list(ids))
	return found | {
		ids[job_id]
		for job_id, state in states.items()
		if state.status == "started" and state.age <= SECONDS_A_WORKER_IS_TRUSTED
	}


def _failure_of(run: UnfinishedRun, job: Any) -> str | None:
	"""Why the worker that took this run out of its queue did not execute it, if RQ knows that."""
	failure = queues.failure_of(due_times.rq_job_id(job))
	if not failure or failure.kwargs.get("run") != run.name:
		return None
	# One from before the run was put there the last time has been counted.
	return failure.error if failure.age <= run.age + queues.MOST_SECONDS_APART else None


def _is_over(job_type: str, state: rq_data.JobData) -> bool:
	"""Whether a job has ended that RQ takes for started: for minutes, after its worker was killed.

	One that has committed, and goes on on another connection, holds no lock any more, but its worker says
	that it works.
	"""
	return state.age > SECONDS_A_WORKER_IS_TRUSTED and scheduled_runs.are_all_executed(job_type)
