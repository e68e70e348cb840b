# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells which servers' schedulers tick on this site, by their rows of Job Server, and why none does."""

import functools
import os
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

import click
import frappe
from frappe.utils import background_jobs, scheduler
from redis.exceptions import RedisError

from read_replica.core.replacements import install_in_scheduler
from read_replica.engine.sentence import Sentence
from read_replica.jobs import network_mounts, rules, workers
from read_replica.jobs.queues import has_own_queue
from read_replica.jobs.servers import this_server

# A scheduler that has missed so many ticks counts as stopped.
MOST_TICKS_MISSED = 3

# Core's scheduler ticks once a day on a site that nobody uses (v14, v15).
SECONDS_BETWEEN_TICKS_OF_A_DORMANT_SITE = 86_400


class LastTick(NamedTuple):
	"""The last tick of one server's scheduler.

	:param age: seconds since then; None: it has never ticked
	:param usual_interval: the usual seconds between two ticks
	"""

	server_id: str
	host: str
	age: float | None
	usual_interval: float

	@property
	def is_ticking(self) -> bool:
		"""Whether the scheduler has ticked lately enough to count as running."""
		return self.age is not None and self.age <= MOST_TICKS_MISSED * self._longest_interval

	@property
	def _longest_interval(self) -> float:
		if scheduler.is_dormant():
			return SECONDS_BETWEEN_TICKS_OF_A_DORMANT_SITE
		return max(self.usual_interval, scheduler.get_scheduler_tick())


def last_ticks() -> list[LastTick]:
	"""Returns the last tick of each server's scheduler, on whichever host; the latest one first."""
	rows = frappe.db.sql(
		"select server_id, host, timestampdiff(second, scheduler_alive_at, utc_timestamp()) age,"
		" seconds_between_ticks from `tabJob Server` where host != '' order by age is null, age"
	)
	latest: dict[str, LastTick] = {}
	for tick in (LastTick(*row) for row in rows):
		latest.setdefault(tick.server_id, tick)
	return list(latest.values())


def running() -> LastTick | None:
	"""Returns the last tick of this site's scheduler, on whichever host; None if none runs."""
	last = next(iter(last_ticks()), None)
	return last if last and last.is_ticking else None


def where_it_runs() -> str:
	"""Returns a Sentence that says on which host this site's scheduler runs; "" if none does.

	Core looks for a process on its own host only, and shows "Process Not Selection" on every other one.
	"""
	last = running()
	return sentence_on(last.host, last.server_id, max(0, last.age)) if last else ""


def sentence_on(host: str, server_id: str, seconds_since_tick: float) -> Sentence:
	"""Returns what says on which host a site's scheduler runs."""
	return Sentence(
		"The scheduler of this site runs on host {0} (server {1}); it last ticked {2} s ago.",
		host,
		server_id,
		seconds_since_tick,
	)


def problems() -> list[str]:
	"""Returns what is wrong with the schedulers of this site, in sentences."""
	if not frappe.db.exists("Scheduled Job Type", {"stopped": 0}):
		# Then the scheduler does not call this app, and no tick is written.
		return []
	ticks = last_ticks()
	if not any(tick.is_ticking for tick in ticks):
		return [_why_none_ticks(ticks)]
	return [*_servers_without_scheduler(ticks), *_locked_out(ticks)]


def _why_none_ticks(ticks: list[LastTick]) -> str:
	last = next((tick for tick in ticks if tick.age is not None), None)
	if last:
		said = Sentence(
			"No scheduler has ticked for {0} min, last on {1} (server {2})",
			last.age // 60,
			last.host,
			repr(last.server_id),
		)
	else:
		said = Sentence("No scheduler has ticked on this site yet")
	if scheduler.is_scheduler_inactive(verbose=False):
		return Sentence(
			"{0}: it is switched off (maintenance_mode or pause_scheduler in the configuration, or Enable Scheduler in"
			" System Settings). No scheduled job runs.",
			said,
		)
	try:
		background_jobs.get_redis_conn().ping()
	except RedisError as error:
		return Sentence(
			"{0}: Redis, which holds the queues, does not answer: {1}. No scheduled job runs.", said, error
		)
	return Sentence(
		"{0}. No scheduled job runs. Start one: bench schedule, or what your bench uses for it.", said
	)


def _servers_without_scheduler(ticks: list[LastTick]) -> list[str]:
	"""Names servers with live workers whose own scheduler does not tick, where no other one serves them."""
	named = rules.named_servers() & workers.servers_alive()
	return [
		Sentence(
			"Server {0}, host {1}: its workers are alive, and its scheduler {2}. Nobody else puts jobs where its workers"
			" find them. Start it there: bench schedule",
			repr(tick.server_id),
			tick.host,
			_last_ticked(tick),
		)
		for tick in ticks
		if tick.server_id in named and not has_own_queue(tick.server_id) and not tick.is_ticking
	]


def _last_ticked(tick: LastTick) -> str:
	if tick.age is None:
		return Sentence("has never ticked")
	return Sentence("has not ticked for {0} min", tick.age // 60)


def _locked_out(ticks: list[LastTick]) -> list[str]:
	"""Names a scheduler that core's file lock keeps from starting, as another host shares the folder."""
	is_running = getattr(scheduler, "is_schduler_process_running", None)
	here = [tick for tick in ticks if tick.server_id == this_server()]
	elsewhere = [tick for tick in ticks if tick.is_ticking and tick.host != socket.gethostname()]
	if has_own_queue(this_server()) or any(tick.is_ticking for tick in here) or not elsewhere:
		return []
	if not is_running or not network_mounts.of_folder(folder_of_lock()) or not is_running():
		return []
	return [
		Sentence(
			"Another host holds the lock {0}, as this bench folder is shared over the network, so Frappe lets no"
			" scheduler of server {1} run beside the one on {2}. Give this host a bench folder of its own, or at least"
			" its config folder.",
			f"{folder_of_lock()}/scheduler_process",
			repr(this_server()),
			elsewhere[0].host,
		)
	]


def folder_of_lock() -> str:
	"""Returns the folder with the file that core's scheduler locks while it runs."""
	return os.path.join(frappe.utils.get_bench_path(), "config")


def locks_a_file() -> bool:
	"""Whether core's scheduler of this version holds a lock on a file while it runs."""
	return hasattr(scheduler, "FileLock")


def install() -> None:
	"""Make a scheduler that ends because another one runs say so; once per process."""
	install_in_scheduler(with_explanation)


def with_explanation(core: Callable[[], None]) -> Callable[[], None]:
	"""Wraps core's start_scheduler: prints why it ends if another scheduler keeps it from running."""

	@functools.wraps(core)
	def start_scheduler() -> None:
		core()
		# Core returns only if it could not lock the file. Each worker of a pool tries to, in a thread.
		if threading.current_thread() is threading.main_thread():
			click.secho(_why_it_ended(), fg="yellow", err=True)

	return start_scheduler


def _why_it_ended() -> str:
	mount = network_mounts.of_folder(folder_of_lock())
	where = "on this host"
	if mount:
		where = f"on this host, or on another one, as that folder is on a network file system ({mount.kind})"
	return f"This scheduler ends: another one {where} holds the lock {folder_of_lock()}/scheduler_process."
