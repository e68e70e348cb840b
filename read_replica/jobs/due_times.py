# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells when a scheduled job is due and what it is called in Redis, by core's own code.

Jobs are rows of Scheduled Job Type, as loading a document of each would take most of a tick. Where another
app's class overrides a method that is asked here, jobs are documents, and that class answers.
"""

from datetime import datetime, timedelta
from typing import Any

import frappe
from croniter import croniter
from frappe.core.doctype.scheduled_job_type.scheduled_job_type import ScheduledJobType
from frappe.model.document import Document
from frappe.utils import get_datetime, now_datetime
from frappe.utils.background_jobs import create_job_id

from read_replica.core.class_overrides import JOB_TYPE, is_overridden

FIELDS = ("name", "method", "frequency", "cron_format", "last_execution", "creation", "stopped")

# Methods of the class whose override by another app counts here.
ASKED = ("get_queue_name", "rq_job_id", "get_next_execution", "is_event_due", "enqueue")

# Calls of another app's get_next_execution: a time with a random part is hardly the same so often.
TIMES_ASKED = 4

# Per site and job: the fields that decide when it is due, and that time, as croniter is slow: it takes most
# of core's tick.
_known: dict[str, dict[str, tuple[tuple, datetime]]] = {}


def jobs(filters: dict) -> list[Any]:
	"""Returns the Scheduled Job Types that match these filters, by method: rows, or documents (see above)."""
	of_other_app = is_overridden(*ASKED)
	fields = ["*"] if of_other_app else list(FIELDS)
	rows = frappe.get_all(JOB_TYPE, filters=filters, fields=fields, order_by="method")
	return [frappe.get_doc({**row, "doctype": JOB_TYPE}) for row in rows] if of_other_app else rows


def _answers(job: Any, name: str) -> bool:
	"""Whether another app's class overrides this method for a job."""
	return isinstance(job, Document) and is_overridden(name)


def next_due(job: Any) -> datetime:
	"""Returns when a job is next due, alike on all servers: without the seconds that core adds at random."""
	if _answers(job, "get_next_execution"):
		times = {job.get_next_execution() for _ in range(TIMES_ASKED)}
		if len(times) == 1:
			return times.pop()
	of_site = _known.setdefault(frappe.local.site, {})
	follows_from = (
		job.frequency,
		job.cron_format,
		job.last_execution,
		job.creation,
		frappe.local.conf.get("scheduler_interval"),
	)
	known = of_site.get(job.name)
	if known and known[0] == follows_from:
		return known[1]
	due_at = _next_due(job)
	of_site[job.name] = follows_from, due_at
	return due_at


def keep_only(names: set[str]) -> None:
	"""Forget the cached due times of jobs that this site does not have any more."""
	known = _known.get(frappe.local.site, {})
	for name in known.keys() - names:
		del known[name]


def _next_due(job: Any) -> datetime:
	row = _row(job)
	due_at = ScheduledJobType.get_next_execution(row)
	if "Long" not in job.frequency:
		return due_at
	# Some versions of core add random seconds here. Core has put the frequency's cron format into the row.
	return croniter(row.cron_format, get_datetime(job.last_execution or job.creation)).get_next(datetime)


def _row(job: Any) -> Any:
	"""Returns a copy of the fields that core's code reads, as it may change them."""
	return frappe._dict(
		{name: job.get(name) for name in ("frequency", "cron_format", "last_execution", "creation")}
	)


def is_due(job: Any) -> bool:
	"""Whether a job is due now, as core's is_event_due: it spreads long jobs over ten minutes at random."""
	if _answers(job, "is_event_due"):
		return bool(job.is_event_due())
	now = now_datetime()
	if next_due(job) > now:
		return False
	if _answers(job, "get_next_execution"):
		return job.get_next_execution() <= now
	if "Long" not in job.frequency:
		return True
	return ScheduledJobType.get_next_execution(_row(job)) <= now


def due_at(job: Any) -> datetime:
	"""Returns the due time of the run that is to be executed now, which names its row.

	Another app may call a job due before its time. Then it is one second after the last run, on all servers.
	"""
	at = next_due(job)
	return (
		at
		if at <= now_datetime()
		else get_datetime(job.last_execution or job.creation) + timedelta(seconds=1)
	)


def queue_of(job: Any) -> str:
	"""Returns the queue that core puts a job into."""
	if _answers(job, "get_queue_name"):
		return job.get_queue_name()
	return ScheduledJobType.get_queue_name(job)


def has_own_enqueue(job: Any) -> bool:
	"""Whether another app's class has overridden `enqueue` for a job."""
	return _answers(job, "enqueue")


def job_id(job: Any) -> str:
	"""Returns the id by which frappe.enqueue knows a job; one id waits in a queue once."""
	if _answers(job, "rq_job_id"):
		return job.rq_job_id
	return ScheduledJobType.rq_job_id.fget(job)


def rq_job_id(job: Any) -> str:
	"""Returns the job's id in RQ, which holds the site's name."""
	return create_job_id(job_id(job))
