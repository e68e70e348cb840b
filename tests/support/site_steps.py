# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""python -m support.site_steps SITE STEP [ARGUMENTS AS JSON]: does something on a site, and prints what came of it.

In a process of its own, so that a test can choose the version of read_replica by PYTHONPATH. Nothing is
imported here from this app but what all versions of it have.
"""

import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

import frappe

import read_replica
from support.bench import ADMIN_PASSWORD
from support.browser import Browser
from support.waiting import until

QUEUES = ("short", "default", "long")
RESULT = "result: "


def set_up(rules: list[dict], methods: list[str]) -> str:
	"""Make rules, and let only these scheduled methods be due; returns the path of this app's code."""
	for rule in rules:
		frappe.get_doc({"doctype": "Scheduler Config", "enabled": 1, **rule}).insert()
	# On a site that nobody uses, core schedules once a day.
	frappe.get_doc({"doctype": "Activity Log", "subject": "of the tests"}).insert()
	frappe.db.sql("update `tabScheduled Job Type` set stopped = 1 where method not in %s", (methods,))
	# As a migrate does, which takes longer: it looks up what @run_on says.
	for path in frappe.get_hooks("after_migrate", app_name="read_replica"):
		frappe.get_attr(path)()
	let_be_due(methods, since="2020-01-01")
	cached_jobs()
	return read_replica.__file__


def cached_jobs() -> list[str]:
	"""The scheduled methods, from documents that Frappe keeps in its cache: pickles, which name this app's code."""
	names = frappe.get_all("Scheduled Job Type", filters={"stopped": 0}, pluck="name")
	return sorted(frappe.get_cached_doc("Scheduled Job Type", name).method for name in names)


def let_be_due(methods: list[str], since: str) -> None:
	"""Let these scheduled methods be due, as they were last executed on that date. Each date makes another run."""
	frappe.db.sql(
		"update `tabScheduled Job Type` set last_execution = %s, creation = %s where method in %s",
		(since, since, methods),
	)
	frappe.db.commit()


def request(site: str, replicas: list[int], token: str, note: str) -> dict:
	"""What a browser gets, once a read has come from a replica; one of the requests queues a job."""
	browser = Browser(site)
	browser.log_in("Administrator", ADMIN_PASSWORD)
	until(lambda: browser.call("sample_app.api.decorated_as_eventual") in replicas)
	browser.call("sample_app.api.enqueues_a_look", key=note)
	read = browser.ask("sample_app.api.decorated_as_eventual")
	path = "/api/method/read_replica.api.metrics"
	metrics = browser.request(path, headers={"Authorization": f"Bearer {token}"})
	browser.close()
	return {"read": read.headers.get("X-Read-Replica"), "metrics": (metrics.status_code, metrics.text)}


def before_request() -> list[str]:
	"""What Frappe calls at the begin of a request, as its cache says."""
	return [path for path in frappe.get_hooks("before_request") if path.startswith("read_replica.")]


def tick() -> list[str]:
	"""The scheduled methods that a scheduler puts into the queues."""
	from frappe.utils.scheduler import enqueue_events

	before = {job.id for job in _jobs_in_queues()}
	# Its parameter `site` is gone in v16.
	enqueue_events(*([frappe.local.site] if inspect.signature(enqueue_events).parameters else []))
	return sorted(job.kwargs["kwargs"]["job_type"] for job in _jobs_in_queues() if job.id not in before)


def queued() -> list[tuple[str, str]]:
	"""What waits in the queues: the function that a worker is to call, and the scheduled method."""
	return sorted(
		(job.kwargs["method"], job.kwargs["kwargs"].get("job_type", "")) for job in _jobs_in_queues()
	)


def lose(method: str) -> None:
	"""Let the queue lose the run of a scheduled method, more than a minute ago."""
	for job in _jobs_in_queues():
		if job.kwargs["kwargs"].get("job_type") == method:
			job.delete()
	frappe.db.sql(
		"update `tabScheduled Run` set claimed_at = claimed_at - interval 61 second where job = %s", method
	)
	frappe.db.commit()


def _jobs_in_queues() -> list[Any]:
	from frappe.utils.background_jobs import get_queue

	return [job for queue in QUEUES for job in get_queue(queue).jobs]


def runs() -> list[tuple[str, str, bool, int]]:
	"""Each scheduled run: its method, its server, whether it was executed, and by how many workers."""
	rows = frappe.db.sql(
		"select job, server_id, executed_at is not null, attempts from `tabScheduled Run` order by creation, job"
	)
	return [(job, server_id, bool(executed), attempts) for job, server_id, executed, attempts in rows]


def looked(key: str) -> int:
	"""The server that a job has read from, and noted under this key."""
	return int(frappe.cache().get(key))


def rules() -> list[tuple[str, str, str]]:
	return frappe.get_all(
		"Scheduler Config", fields=["job", "server_id", "reads"], order_by="job", as_list=True
	)


def main() -> None:
	site, name, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
	step: Callable[..., Any] = globals()[name]
	if name == "request":
		# Its requests connect by themselves.
		result = step(site, **arguments)
	else:
		frappe.init(site=site, sites_path=".")
		frappe.connect()
		result = step(**arguments)
		frappe.destroy()
	print(RESULT + json.dumps(result))


if __name__ == "__main__":
	main()
