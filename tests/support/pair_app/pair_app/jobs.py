# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Jobs that note where they run, and methods that queue them and tell it."""

import json
import os
import socket

import frappe

STEPS = 5


def of_the_first() -> None:
	note("of_the_first")


def of_the_second() -> None:
	note("of_the_second")


def note(what: str) -> None:
	"""Leave in Redis which server has run this, by its own SERVER_ID and by the name of its host."""
	frappe.cache().rpush("pair_app", json.dumps([what, os.environ["SERVER_ID"], socket.gethostname()]))


def long_job(user: str) -> None:
	"""Tells a user how far it has come."""
	for step in range(1, STEPS + 1):
		text = f"on {socket.gethostname()}"
		frappe.publish_realtime("progress", {"percent": 100 * step / STEPS, "description": text}, user=user)


@frappe.whitelist()
def queue(what: str, queue: str = "default") -> None:
	frappe.enqueue("pair_app.jobs.note", queue=queue, what=what)


@frappe.whitelist()
def queue_long_job() -> None:
	frappe.enqueue("pair_app.jobs.long_job", user=frappe.session.user)


@frappe.whitelist()
def noted() -> list[list[str]]:
	return [json.loads(each) for each in frappe.cache().lrange("pair_app", 0, -1)]


@frappe.whitelist()
def description_of(todo: str) -> str | None:
	"""What the cached document says."""
	return frappe.get_cached_doc("ToDo", todo).description
