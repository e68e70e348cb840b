# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Scheduled jobs, and what a worker runs."""

import frappe

from read_replica import run_on
from sample_app.api import server_id


def hourly_job():
	"""Counts how often it is executed."""
	frappe.cache().incr(frappe.cache().make_key("sample_app_hourly_runs"))


def daily_job():
	"""Never runs in the tests; what counts is where it is put."""


@run_on("annotated")
def annotated_job():
	"""Runs where it says, unless a rule says otherwise."""


@frappe.read_only()
def read_in_a_job():
	"""Where core's decorator reads in a job."""
	return server_id()


def note_servers(key: str):
	"""Leave the servers of two reads in a job, one of them decorated, in Redis."""
	frappe.cache().set_value(key, [read_in_a_job(), read_in_a_job(), server_id()])
