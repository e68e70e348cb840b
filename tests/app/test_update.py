# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A site that runs version 0.1.0 gets this one: before it is migrated, and after."""

import io
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import frappe
import pytest

from support.bench import Sites
from support.servers import Redis
from support.site_steps import RESULT

from .conftest import REPLICAS, SAMPLE_APP, full_form

REPOSITORY = Path(__file__).parents[2]
SITE = "updated.test"
VERSION_0_1_0 = "299ba1b"
TOKEN = "a-secret-of-the-tests"

HOURLY = "sample_app.jobs.hourly_job"
DAILY = "sample_app.jobs.daily_job"
ANNOTATED = "sample_app.jobs.annotated_job"
LOOKING = "sample_app.jobs.looking_job"
RUN_ONCE = "read_replica.execution.run_once"


class Version:
	"""The processes of a bench that runs one version of this app.

	:param code: the folder in which the package `read_replica` stands
	"""

	def __init__(self, sites: Sites, code: Path):
		self._sites = sites
		path = (str(code), os.environ["PYTHONPATH"], str(SAMPLE_APP))
		self.environment = {"PYTHONPATH": os.pathsep.join(path)}

	def bench(self, *arguments: str, server_id: str = "primary") -> str:
		return self._sites.bench(*arguments, SERVER_ID=server_id, **self.environment)

	def work_off(self, server_id: str = "primary") -> None:
		"""Let a worker execute all that waits in the queues."""
		self.bench("worker", "--queue", "short,default,long", "--burst", server_id=server_id)

	def step(self, name: str, server_id: str = "primary", **arguments: Any) -> Any:
		"""What a step of `support.site_steps` returns."""
		done = subprocess.run(
			[sys.executable, "-m", "support.site_steps", SITE, name, json.dumps(arguments)],
			cwd=self._sites.path,
			env=os.environ | self.environment | {"SERVER_ID": server_id},
			stdin=subprocess.DEVNULL,
			capture_output=True,
			text=True,
			timeout=120,
		)
		last = done.stdout.splitlines()[-1:] or [""]
		assert done.returncode == 0 and last[0].startswith(RESULT), done.stdout + done.stderr
		return json.loads(last[0].removeprefix(RESULT))


@pytest.fixture(scope="module")
def old_code() -> Iterator[Path]:
	"""The folder in which the package stands as it was in version 0.1.0."""
	# The repository may belong to somebody else than the bench.
	git = ["git", "-c", "safe.directory=*", "-C", str(REPOSITORY)]
	try:
		archive = subprocess.run(
			[*git, "archive", "--format=zip", VERSION_0_1_0, "read_replica"], capture_output=True
		)
	except FileNotFoundError:
		pytest.skip("version 0.1.0 is taken from git, which is not installed")
	if archive.returncode:
		pytest.skip(f"version 0.1.0 is taken from git: {archive.stderr.decode(errors='replace').strip()}")
	with tempfile.TemporaryDirectory(prefix="rr-old-") as folder:
		zipfile.ZipFile(io.BytesIO(archive.stdout)).extractall(folder)
		yield Path(folder)


@pytest.fixture
def updated(servers, old_code) -> Iterator[tuple[Version, Version]]:
	"""A site on which version 0.1.0 was installed: with that version, and with this one."""
	with tempfile.TemporaryDirectory(prefix="rr-update-") as folder:
		(Path(folder) / "redis").mkdir()
		redis = Redis(Path(folder) / "redis")
		redis.start()
		try:
			sites = Sites(Path(folder), servers, apps=("frappe", "read_replica", "sample_app"))
			url = f"redis://127.0.0.1:{redis.port}"
			sites.configure_common(redis_cache=url, redis_queue=url, redis_socketio=url, default_site=SITE)
			old, new = Version(sites, old_code), Version(sites, REPOSITORY)
			sites.new_site(SITE, **old.environment)
			old.bench("--site", SITE, "install-app", "read_replica")
			old.bench("--site", SITE, "install-app", "sample_app")
			sites.configure(SITE, read_replica=full_form(servers, metrics_token=TOKEN))
			servers.catch_up()
			yield old, new
		finally:
			redis.kill()


def test_a_site_of_version_0_1_0_with_queued_jobs_rules_and_runs_is_migrated_and_goes_on(updated, old_code):
	old, new = updated
	rules = [
		{"job": HOURLY, "server_id": "primary", "reads": "Primary"},
		{"job": "sample_app.jobs.daily_*", "server_id": "secondary", "reads": "Primary"},
		{"job": LOOKING, "server_id": "primary", "reads": "Replica", "consistency": "Eventual"},
	]
	used = old.step("set_up", rules=rules, methods=[HOURLY, DAILY, ANNOTATED])
	assert used.startswith(str(old_code))
	rules_before = old.step("rules")

	answers(old, note="of the old version")
	assert old.step("tick") == [HOURLY]
	assert old.step("tick", server_id="annotated") == [ANNOTATED]
	old.step("lose", method=ANNOTATED)
	waiting = [[RUN_ONCE, HOURLY], [LOOKING, ""]]
	assert old.step("queued") == waiting

	# The new code is there, and nothing is migrated yet: Frappe still calls the old hooks.
	assert new.step("before_request") == ["read_replica.site.begin", "read_replica.metrics_access.take"]
	assert new.step("cached_jobs") == [ANNOTATED, DAILY, HOURLY]
	answers(new, note="before the migrate")
	assert new.step("queued") == [waiting[0], waiting[1], waiting[1]]
	new.work_off()
	assert_read_from_replicas(new, "of the old version", "before the migrate")
	assert executed(new) == {HOURLY: 1}
	# Servers of a site may have different versions for a while.
	assert new.step("tick", server_id="secondary") == [DAILY]
	old.work_off(server_id="secondary")
	assert executed(new) == {HOURLY: 1, DAILY: 1}

	new.bench("--site", SITE, "migrate", "--skip-search-index")
	assert new.step("before_request") == [
		"read_replica.lifecycle.begin",
		"read_replica.watch.metrics_access.take",
	]
	assert new.step("rules") == rules_before
	answers(new, note="after the migrate")
	new.step("let_be_due", methods=[HOURLY, DAILY], since="2021-01-01")
	assert new.step("tick") == [HOURLY]
	assert new.step("tick", server_id="secondary") == [DAILY]
	assert new.step("tick", server_id="annotated") == [ANNOTATED]
	for server_id in ("primary", "secondary", "annotated"):
		new.work_off(server_id)
	assert_read_from_replicas(new, "after the migrate")
	assert executed(new) == {HOURLY: 2, DAILY: 2, ANNOTATED: 1}
	status = new.bench("--site", SITE, "read-replica", "status")
	assert "replica01" in status and "replica02" in status
	assert "secondary" in new.bench("--site", SITE, "read-replica", "servers")
	jobs = new.bench("--site", SITE, "read-replica", "jobs")
	assert re.search(rf"{ANNOTATED} .*annotated", jobs), jobs


def answers(version: Version, note: str) -> None:
	"""The site answers requests, reads from a replica, and puts a job into a queue."""
	found = version.step("request", replicas=REPLICAS, token=TOKEN, note=note)
	assert "replica0" in found["read"], found
	status, metrics = found["metrics"]
	assert status == 200 and "read_replica_routing 1.0" in metrics


def executed(version: Version) -> dict[str, int]:
	"""How many runs of each scheduled method were executed, each once."""
	counts: dict[str, int] = {}
	for method, _server_id, was_executed, attempts in version.step("runs"):
		if was_executed:
			assert attempts == 1
			counts[method] = counts.get(method, 0) + 1
	return counts


def assert_read_from_replicas(version: Version, *notes: str) -> None:
	"""Jobs whose rule says so have read from a replica."""
	for note in notes:
		assert version.step("looked", key=note) in REPLICAS


def test_every_dotted_path_in_the_hooks_of_both_versions_is_found(site, old_code):
	for code in (old_code, REPOSITORY):
		hooks = runpy.run_path(str(code / "read_replica" / "hooks.py"))
		paths = re.findall(r"'(read_replica\.[\w.]+)'", repr(hooks))
		assert len(paths) > 9
		for path in paths:
			assert callable(frappe.get_attr(path)), path


def test_the_public_names_are_where_they_were(site):
	from read_replica import enqueue, primary, read_only, routing, run_on

	assert all(callable(name) for name in (enqueue, primary, read_only, run_on))
	assert routing.current() is None
	assert frappe.get_attr(RUN_ONCE) is frappe.get_attr("read_replica.jobs.execution.run_once")
