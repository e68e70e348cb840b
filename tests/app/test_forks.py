# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Core's workers fork for each job, also in the middle of an import of their scheduler's thread."""

import time

import frappe
from frappe.utils.background_jobs import get_redis_conn
from rq import Worker

from support.job_bench import JobBench
from support.waiting import until

NOTE = "sample_app_has_imported"


def is_taking_the_job(worker: Worker) -> bool:
	return worker.get_state() == "busy"


def test_a_job_does_not_hang_that_its_worker_began_while_it_imported_a_module(
	due, servers, tmp_path, monkeypatch
):
	may_import = tmp_path / "may_import"
	monkeypatch.setenv("SAMPLE_APP_MAY_IMPORT", str(may_import))
	frappe.cache().delete(NOTE)
	bench = JobBench(tmp_path / "bench", due, "primary", servers.redis.port, bench_id="forks")
	bench.works_with("worker", "--queue", "default")
	monkeypatch.setitem(frappe.local.conf, "bench_id", "forks")
	frappe.enqueue("sample_app.jobs.job_that_imports", queue="default", key=NOTE)
	try:
		bench.start("workers")
		until(lambda: any(map(is_taking_the_job, Worker.all(connection=get_redis_conn()))))
		# By now it has forked, or waits for the import.
		time.sleep(0.5)
		may_import.touch()
		until(lambda: frappe.cache().get(NOTE))
	except BaseException:
		print(bench.log())
		raise
	finally:
		bench.stop()
