# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Scheduled jobs, and what a worker runs."""

import json
import os
import time
from datetime import datetime, timedelta, timezone

import frappe
from frappe.utils import convert_utc_to_system_timezone, now_datetime

from read_replica import run_on
from read_replica.routing import current
from sample_app.api import server_id

# The longest time from a document's save to its commit, and what the servers' clocks differ.
OVERLAP = timedelta(seconds=5)


def fail_before_job(**kwargs):
	"""before_job, as an app has it whose hook is broken, if a test says so."""
	if frappe.cache().get_value("sample_app_hook_fails"):
		raise RuntimeError("the hook of another app is broken")


def hourly_job():
	"""Counts how often it is executed."""
	frappe.cache().incr(frappe.cache().make_key("sample_app_hourly_runs"))


def writing_job():
	"""Writes that it was executed, and where its next read came from; dies as it is told to."""
	dies = frappe.cache().get_value("sample_app_dies")
	frappe.db.sql(
		"insert into sample_app_executed (run) values (%s)", getattr(frappe.local, "read_replica_run", "")
	)
	if dies == "before it commits":
		raise SystemExit
	frappe.db.commit()
	if dies == "after it has committed":
		raise SystemExit


def proof_job():
	"""Writes which run it is, who executes it and by which clock; takes long enough to be killed in the middle."""
	frappe.db.sql(
		"insert into sample_app_proof (run, server_id, clock) values (%s, %s, from_unixtime(%s))",
		(frappe.local.read_replica_run, os.environ["SERVER_ID"], time.time()),
	)
	time.sleep(0.05)


def __getattr__(name: str):
	# A scheduled job is known by its method: proof_job_1, proof_job_2, ...
	if name.startswith("proof_job_"):
		return proof_job
	raise AttributeError(name)


def reading_job():
	"""Leaves the servers of a read before and after it writes."""
	before = server_id()
	frappe.db.sql("insert into sample_app_executed (run) values ('reading')")
	# With a command of Redis itself: what is cached on a replica is for nobody else.
	frappe.cache().set("sample_app_read", json.dumps([before, server_id()]))


def looking_job(key: str = "sample_app_looked"):
	"""Leaves in Redis which server its undecorated read came from."""
	frappe.cache().set(key, server_id())


def copying_job():
	"""Copies what was changed since its last run; its cursor is that of the documentation."""
	frappe.db.rollback()
	scope = current()
	read_at = as_site_time(scope.as_of.time) if scope else now_datetime()
	[[cursor]] = frappe.db.sql("select max(cursor_at) from sample_app_cursor")
	rows = frappe.db.sql("select name from sample_app_source where modified > %s", cursor or "2000-01-01")
	for name in rows:
		frappe.db.sql("insert ignore into sample_app_copied values (%s)", name)
	frappe.db.sql("insert into sample_app_cursor values (%s)", read_at - OVERLAP)
	frappe.cache().rpush("sample_app_copied_from", "replica" if scope else "primary")


def as_site_time(seconds: float) -> datetime:
	moment = datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)
	return convert_utc_to_system_timezone(moment).replace(tzinfo=None)


def waiting_job(seconds: float):
	"""Waits in one statement on the server it reads from, and leaves in Redis which one that was."""
	frappe.db.sql("select sleep(%s)", seconds)
	looking_job()


@frappe.read_only()
def reporting_job():
	"""As a prepared report: its query takes two seconds, under core's decorator."""
	waiting_job(2)


def daily_job():
	"""Never runs in the tests; what counts is where it is put."""


@run_on("annotated")
def annotated_job():
	"""Runs where it says, unless a rule says otherwise."""


@frappe.read_only()
def read_in_a_job():
	"""Where core's decorator reads in a job."""
	return server_id()


def job_that_imports(key: str):
	"""Imports what its worker may be importing as well, and leaves a note in Redis."""
	from sample_app import imported_slowly

	frappe.cache().set(key, int(imported_slowly.is_whole))


def note_servers(key: str):
	"""Leave the servers of two reads in a job, one of them decorated, in Redis."""
	frappe.cache().set_value(key, [read_in_a_job(), read_in_a_job(), server_id()])


def queue_a_look(user: str, todo: str):
	"""Queue a job that works for a user, without a request of theirs."""
	frappe.set_user(user)
	frappe.enqueue("sample_app.jobs.look_for", queue="default", todo=todo)


def look_for(todo: str):
	"""Leave in Redis whether a row is there for a job that reads from a replica."""
	from sample_app.api import todo_exists

	frappe.cache().set(f"sample_app_looked|{todo}", int(todo_exists(todo)))
