# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which schedulers tick on this site, and where none does, by what each notes of itself in Job Server."""

import functools
import os
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

import click
import frappe
from frappe import _
from frappe.utils import background_jobs, scheduler
from redis.exceptions import RedisError

from read_replica.core.replacements import install_in_scheduler
from read_replica.jobs import network_mounts, rules, workers
from read_replica.jobs.queues import has_own_queue
from read_replica.jobs.servers import this_server

# A scheduler that has missed so many ticks does not tick.
MOST_TICKS_MISSED = 3

# Of core's scheduler on a site that nobody uses (v14, v15).
SECONDS_BETWEEN_TICKS_OF_A_DORMANT_SITE = 86_400


class LastTick(NamedTuple):
	"""Of one scheduler.

	:param age: seconds since the last one
	:param usual: seconds between two of them
	"""

	server_id: str
	host: str
	age: float | None
	usual: float

	@property
	def is_ticking(self) -> bool:
		return self.age is not None and self.age <= MOST_TICKS_MISSED * self._most_between_two

	@property
	def _most_between_two(self) -> float:
		if scheduler.is_dormant():
			return SECONDS_BETWEEN_TICKS_OF_A_DORMANT_SITE
		return max(self.usual, scheduler.get_scheduler_tick())


def last_ticks() -> list[LastTick]:
	"""The last tick of each server, on whichever host; that of the last one first."""
	rows = frappe.db.sql(
		"select server_id, host, timestampdiff(second, scheduler_alive_at, utc_timestamp()) age,"
		" seconds_between_ticks from `tabJob Server` where host != '' order by age is null, age"
	)
	of_server: dict[str, LastTick] = {}
	for ticks in (LastTick(*row) for row in rows):
		of_server.setdefault(ticks.server_id, ticks)
	return list(of_server.values())


def where_it_runs() -> str:
	"""In a sentence, where a scheduler ticks on this site; "" where none does.

	Core looks for a process of its own host alone, and says "Process Not Selection" on each other one.
	"""
	last = next(iter(last_ticks()), None)
	if not last or not last.is_ticking:
		return ""
	return _("The scheduler of this site runs on host {0} (server {1}); it last ticked {2} s ago.").format(
		last.host, last.server_id, max(0, last.age)
	)


def problems() -> list[str]:
	"""Where no scheduler ticks, or cannot, in sentences."""
	if not frappe.db.exists("Scheduled Job Type", {"stopped": 0}):
		# Then the scheduler asks none of them, and so nothing of ours.
		return []
	ticks = last_ticks()
	if not any(of_server.is_ticking for of_server in ticks):
		return [_nowhere(ticks)]
	return [*_servers_without_scheduler(ticks), *_refused(ticks)]


def _nowhere(ticks: list[LastTick]) -> str:
	last = next((of_server for of_server in ticks if of_server.age is not None), None)
	if last:
		said = f"No scheduler has ticked for {last.age // 60} min, last on {last.host} (server {last.server_id!r})"
	else:
		said = "No scheduler has ticked on this site yet"
	if scheduler.is_scheduler_inactive(verbose=False):
		return (
			f"{said}: it is switched off (maintenance_mode or pause_scheduler in the configuration, or Enable"
			" Scheduler in System Settings). No scheduled job runs."
		)
	try:
		background_jobs.get_redis_conn().ping()
	except RedisError as error:
		return f"{said}: Redis, which holds the queues, does not answer: {error}. No scheduled job runs."
	return f"{said}. No scheduled job runs. Start one: bench schedule, or what your bench uses for it."


def _servers_without_scheduler(ticks: list[LastTick]) -> list[str]:
	"""Servers with workers that no other server's scheduler reaches."""
	named = rules.named_servers() & workers.servers_alive()
	return [
		f"Server {of_server.server_id!r}, host {of_server.host}: its workers are alive, and its scheduler"
		f" {_last_ticked(of_server)}. Nobody else puts jobs where its workers find them. Start it there:"
		" bench schedule"
		for of_server in ticks
		if of_server.server_id in named
		and not has_own_queue(of_server.server_id)
		and not of_server.is_ticking
	]


def _last_ticked(ticks: LastTick) -> str:
	return "has never ticked" if ticks.age is None else f"has not ticked for {ticks.age // 60} min"


def _refused(ticks: list[LastTick]) -> list[str]:
	"""Core lets one scheduler run in a bench folder, by a lock on a file in it; others end without a word."""
	is_running = getattr(scheduler, "is_schduler_process_running", None)
	here = [of_server for of_server in ticks if of_server.server_id == this_server()]
	elsewhere = [
		of_server for of_server in ticks if of_server.is_ticking and of_server.host != socket.gethostname()
	]
	if has_own_queue(this_server()) or any(of_server.is_ticking for of_server in here) or not elsewhere:
		return []
	if not is_running or not network_mounts.of_folder(folder_of_lock()) or not is_running():
		return []
	return [
		f"Another host holds the lock {folder_of_lock()}/scheduler_process, as this bench folder is shared over"
		f" the network, so Frappe lets no scheduler of server {this_server()!r} run beside the one on"
		f" {elsewhere[0].host}. Give this host a bench folder of its own, or at least its config folder."
	]


def folder_of_lock() -> str:
	return os.path.join(frappe.utils.get_bench_path(), "config")


def locks_a_file() -> bool:
	"""Whether core's scheduler of this version holds a lock on a file while it runs."""
	return hasattr(scheduler, "FileLock")


def install() -> None:
	"""Let a scheduler say so that ends because another one runs; once per process."""
	install_in_scheduler(with_explanation)


def with_explanation(core: Callable[[], None]) -> Callable[[], None]:
	"""Core's start_scheduler, which says so where another scheduler keeps it from running."""

	@functools.wraps(core)
	def start_scheduler():
		core()
		# It comes back only if it could not lock the file. Each worker of a pool tries that, in a thread.
		if threading.current_thread() is threading.main_thread():
			click.secho(_why_it_ended(), fg="yellow", err=True)

	return start_scheduler


def _why_it_ended() -> str:
	mount = network_mounts.of_folder(folder_of_lock())
	where = "on this host"
	if mount:
		where = f"on this host, or on another one, as that folder is on a network file system ({mount.kind})"
	return f"This scheduler ends: another one {where} holds the lock {folder_of_lock()}/scheduler_process."
