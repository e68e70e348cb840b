# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Scheduled jobs that take arguments."""

import os

import frappe


def job(of: str, asked_by: str = ""):
	"""Writes which run it is, what it was given, and whether a replica answers."""
	frappe.db.sql(
		"insert into other_app_executed (run, of, asked_by, server_id, extended) values (%s, %s, %s, %s, %s)",
		(
			getattr(frappe.local, "read_replica_run", ""),
			of,
			asked_by,
			os.environ.get("SERVER_ID", ""),
			getattr(frappe.local, "other_app_extension", False),
		),
	)


def failing_job(of: str, asked_by: str = ""):
	job(of, asked_by)
	raise ValueError("a job of another app has failed")


def get_queue(qtype, is_async=True):
	"""In the place of core's, which it does not call."""
