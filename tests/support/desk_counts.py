# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a site in use has counted of its requests, put into Redis at once."""

import time

import frappe

from read_replica.database.host import shared_of_site
from read_replica.engine.shared.request_counts import RequestTally

DAY = 24 * 3600

# A function that nobody decorated; and one of an app that is gone, asked for what is no name of anything.
READER = "sample_app.api.undecorated"
SECOND_READER = "other_app.api.pipeline(<b>Deal</b>)"
WRITER = "sample_app.api.several_calls"
FORM = "frappe.desk.form.load.getdoc(ToDo)"
LIST = "frappe.desk.reportview.get(ToDo)"
JOB = "job:sample_app.jobs.looking_job"


def tally(**changes) -> RequestTally:
	"""A method that was called 400 times in three days, takes the primary five seconds an hour, and has never written."""
	now = time.time()
	values = {
		"calls": 400,
		"seconds": 600.0,
		"primary_statements": 900,
		"primary_seconds": 360.0,
		"first_seen": now - 3 * DAY,
		"last_seen": now,
	}
	return RequestTally(**values | changes)


def count_a_site_in_use() -> None:
	"""Forget what was counted, and count two suggestions, a writer, a form, a list that replicas read, and a job."""
	shared = shared_of_site()
	shared.forget_requests()
	shared.forget()
	by_replicas = {"primary_statements": 90, "replica_statements": 910, "primary_seconds": 3.0}
	requests = {
		READER: tally(),
		SECOND_READER: tally(calls=300, primary_seconds=180.0),
		WRITER: tally(writes=7, last_write=time.time() - 60, primary_seconds=90.0),
		FORM: tally(calls=2_000, primary_seconds=720.0),
		LIST: tally(calls=1_500, **by_replicas),
		JOB: tally(calls=40, **by_replicas),
	}
	# So many that what these tests read themselves counts for nothing.
	shared.add_counts({}, requests, {"primary": 85_000_000, "replica01": 915_000_000})


def forget_counts() -> None:
	"""Forget what was counted, and delete the rules of the desk."""
	shared_of_site().forget_requests()
	for name in frappe.get_all("Routed Method", {"source": ("!=", "Shipped")}, pluck="name"):
		frappe.delete_doc("Routed Method", name)
	frappe.db.commit()
