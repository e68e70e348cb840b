# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Collects the errors of ticks in this host's row of Job Server, for `status` on any server.

Each error has a name: the step of the tick that failed, or the job.
"""

import re
import socket
from collections.abc import Callable
from typing import Any

import frappe
from frappe.utils import get_bench_id, now

from read_replica.database.bookkeeping import execute_and_commit, is_before_migrate
from read_replica.database.event_log import log_event
from read_replica.engine.sentence import Sentence
from read_replica.jobs import servers

MOST_NAMED = 20
LONGEST_ERROR = 300

# The last line of the text that is kept, if there are more errors than are named.
AND_MORE = "and {0} more"

# By site: the text that this process wrote last, and what failed in the last tick while it enqueued jobs.
_written: dict[str, str] = {}
_late: dict[str, dict[str, str]] = {}


class Problems:
	"""The errors of one tick; those with which the last one ended are shown until this one is over."""

	def __init__(self) -> None:
		self._site = frappe.local.site
		self._of_start: dict[str, str] = {}
		self._last_time: dict[str, str] = {}
		self._late: dict[str, str] | None = None

	def guard(self, name: str, step: Callable[[], Any], otherwise: Any = None) -> Any:
		"""Returns the result of a step; if it fails, notes the error, rolls back, and returns `otherwise`."""
		try:
			return step()
		except Exception as error:
			self.add(name, error)
			return otherwise

	def add(self, name: str, error: Exception) -> None:
		"""Note and log that a step or a job has failed, and roll back what it has not committed."""
		_roll_back()
		text = " ".join(f"{type(error).__name__} {error}".split())[:LONGEST_ERROR]
		noted = self._of_start if self._late is None else self._late
		if noted.get(name) == text:
			# A tick may try a job more than once.
			return
		noted[name] = text
		log_event("tick_incomplete", at=name, error=text)
		if self._late is not None:
			self._write(self._of_start | self._last_time | self._late)

	def begin_enqueuing(self) -> None:
		"""Write what failed so far, and what failed as the last tick enqueued jobs; this one does so now."""
		self._last_time = _late.get(self._site, {})
		self._late = _late[self._site] = {}
		self._write(self._of_start | self._last_time)

	def _write(self, problems: dict[str, str]) -> None:
		lines = [f"{name}: {error}" for name, error in sorted(problems.items())]
		more = len(lines) - MOST_NAMED
		text = "\n".join(lines[:MOST_NAMED] + ([AND_MORE.format(more)] if more > 0 else []))
		if not text and _written.get(self._site) == "":
			return
		try:
			_write(text)
			_written[self._site] = text
		except Exception as error:
			_roll_back()
			if not is_before_migrate(error):
				log_event("tick_problems_not_noted", error=f"{type(error).__name__} {error}")


def _write(text: str) -> None:
	here, host, bench = servers.this_server(), socket.gethostname(), get_bench_id()
	values = {"text": text, "now": now(), "server_id": here, "host": host, "bench": bench}
	values["name"] = servers._name(here, host, bench)
	found = frappe.db.sql("select problems from `tabJob Server` where name = %(name)s", values)
	if not found and text:
		# The row is missing where the step failed that would have made it.
		execute_and_commit(
			"insert ignore into `tabJob Server` (name, creation, modified, owner, modified_by, server_id, host,"
			" bench, missed_since, problems) values (%(name)s, %(now)s, %(now)s, 'Administrator', 'Administrator',"
			" %(server_id)s, %(host)s, %(bench)s, utc_timestamp(6), %(text)s)",
			values,
		)
	elif found and (found[0][0] or "") != text:
		execute_and_commit("update `tabJob Server` set problems = %(text)s where name = %(name)s", values)


def sentences() -> list[str]:
	"""Returns what went wrong in the last tick of each scheduler, in sentences for people."""
	try:
		rows = frappe.db.sql(
			"select server_id, host, problems from `tabJob Server` where problems != '' order by server_id, host"
		)
	except Exception as error:
		if is_before_migrate(error):
			return []
		raise
	return [
		Sentence(
			"Scheduler of server {0} on {1}, in its last tick: {2}",
			repr(server_id),
			host,
			_read_again(problem),
		)
		for server_id, host, problems in rows
		for problem in problems.splitlines()
	]


def _read_again(line: str) -> str:
	"""Returns a line of the text that is kept; an error is in the words of whoever raised it."""
	more = re.fullmatch(AND_MORE.replace("{0}", r"(\d+)"), line)
	return Sentence("and {0} more", more[1]) if more else line


def _roll_back() -> None:
	try:
		frappe.db.rollback()
	except Exception as error:
		# As on a lost connection, which fails the next statement as well.
		log_event("not_rolled_back", error=f"{type(error).__name__} {error}")
