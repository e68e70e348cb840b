# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The first server offers, the second one takes, both say what is left to do; real processes tell what they are."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from read_replica.deploy import lan_address
from support.bench import SITE
from support.servers import find_program, free_port
from support.waiting import until


def _address_in_a_local_network() -> str | None:
	"""One that this machine has; nothing listens there, and nothing is sent there."""
	for address in [one.address for found in psutil.net_if_addrs().values() for one in found]:
		with contextlib.suppress(ValueError):
			return lan_address.checked(address)
	return None


ADDRESS = _address_in_a_local_network()
OFFER = ("--address", ADDRESS)
pytestmark = pytest.mark.skipif(not ADDRESS, reason="this machine has no address in a local network")
PROGRAMS = {
	"frappe-web": "gunicorn frappe.app:application",
	"frappe-schedule": "bench schedule",
	"frappe-short-worker": "bench worker --queue short,default",
	"frappe-primary-worker": "bench worker --queue primary",
	"frappe-secondary-worker": "bench worker --queue secondary",
}
OF_REDIS = {f"redis-{name}": f"redis-server redis_{name}.conf" for name in ("cache", "queue")}


class Bench:
	"""A bench of its own with a copy of the site, on which commands are run."""

	def __init__(self, sites, folder: Path, programs: dict[str, str]):
		self.sites = sites
		self.folder = folder / "erp"
		(self.folder / "config").mkdir(parents=True)
		(self.folder / "logs").mkdir()
		(self.folder / "apps").symlink_to(sites.path.parent / "apps")
		shutil.copytree(sites.path, self.folder / "sites", symlinks=True)
		# The same file serves both servers, so it must not name a server that is another one on each.
		self.set_site(db_host=None, encryption_key="a-key-of-the-site")
		self.write_programs(programs)

	def write_programs(self, programs: dict[str, str]) -> None:
		text = "".join(f"[program:erp-{name}]\ncommand={command}\n\n" for name, command in programs.items())
		(self.folder / "config" / "supervisor.conf").write_text(text)

	def read(self, name: str) -> str:
		return (self.folder / name).read_text()

	def site(self) -> dict:
		return json.loads(self.read(f"sites/{SITE}/site_config.json"))

	def common(self) -> dict:
		return json.loads(self.read("sites/common_site_config.json"))

	def set_site(self, **keys) -> None:
		self._set(f"sites/{SITE}/site_config.json", keys)

	def set_common(self, **keys) -> None:
		self._set("sites/common_site_config.json", keys)

	def _set(self, name: str, keys: dict) -> None:
		merged = json.loads(self.read(name)) | keys
		(self.folder / name).write_text(json.dumps({k: v for k, v in merged.items() if v is not None}))

	def run(self, *options: str, exits: int = 0) -> dict:
		command = ["--site", SITE, "read-replica", "second-server", "--json", *options]
		result = subprocess.run(
			[sys.executable, "-m", "frappe.utils.bench_helper", "frappe", *command],
			cwd=self.folder / "sites",
			capture_output=True,
			text=True,
			timeout=120,
		)
		assert result.returncode == exits, result.stdout + result.stderr
		return json.loads(result.stdout) if result.stdout else {"error": result.stderr}

	def files(self) -> dict[str, str]:
		"""All that the command may write, and when it was written."""
		paths = [*(self.folder / "config").rglob("*"), *(self.folder / "sites").glob("*.json")]
		return {
			str(path): f"{path.stat().st_mtime_ns} {path.read_text()}" for path in paths if path.is_file()
		}


@pytest.fixture
def first(configured, tmp_path) -> Bench:
	return Bench(configured, tmp_path / "1", PROGRAMS | OF_REDIS)


@pytest.fixture
def second(configured, tmp_path) -> Bench:
	return Bench(configured, tmp_path / "2", PROGRAMS)


def test_an_offer_opens_redis_and_holds_its_secrets_in_one_file_for_its_owner(first, tmp_path):
	offer = tmp_path / "offer.json"
	before = first.files()
	said = first.run("--offer", str(offer), *OFFER, "--dry-run")
	assert said["files"] and not said["has_changed"] and first.files() == before and not offer.exists()
	said = first.run("--offer", str(offer), *OFFER)
	assert said["has_changed"] and offer.stat().st_mode & 0o777 == 0o600
	keys = json.loads(offer.read_text())["keys"]
	password = keys["redis_cache"].split(":", 2)[2].split("@")[0]
	assert f"@{lan_address.in_url(ADDRESS)}:" in keys["redis_cache"] and keys["db_host"] == ADDRESS
	assert set(keys["workers"]) == {"primary", "secondary"} and keys["bench_id"]
	common = first.common()
	assert {key: common[key] for key in ("redis_cache", "redis_queue", "bench_id", "workers")} == {
		key: keys[key] for key in ("redis_cache", "redis_queue", "bench_id", "workers")
	}
	assert common["db_host"] == "127.0.0.1" and common["default_site"] == SITE
	assert password not in json.dumps(said) and "a-key-of-the-site" not in json.dumps(said)
	overlay = first.read("config/read-replica-supervisor.conf")
	assert f"--bind 127.0.0.1 {ADDRESS}" in overlay and 'SERVER_ID="primary"' in overlay
	assert "another server reads secondary" in overlay and "scheduler of another" not in overlay
	assert first.run("--offer", str(offer))["has_changed"] is False


def test_the_second_server_takes_it_and_a_second_time_nothing_changes(first, second, tmp_path):
	offer = tmp_path / "offer.json"
	first.run("--offer", str(offer), *OFFER)
	second.set_site(encryption_key=None)
	second.set_common(workers={"reports": {"timeout": 60}})
	before = second.files()
	assert second.run("--take", str(offer), "--dry-run")["files"] and second.files() == before
	said = second.run("--take", str(offer))
	assert said["server_id"] == "secondary" and said["has_changed"]
	keys = json.loads(offer.read_text())["keys"]
	assert {key: second.common()[key] for key in keys if key != "workers"} == {
		key: value for key, value in keys.items() if key != "workers"
	}
	assert set(second.common()["workers"]) == {"primary", "secondary", "reports"}
	assert second.site()["encryption_key"] == "a-key-of-the-site"
	overlay = second.read("config/read-replica-supervisor.conf")
	assert 'SERVER_ID="secondary"' in overlay and "scheduler of another server" in overlay
	assert "another server reads primary" in overlay and "--bind" not in overlay
	assert any("supervisorctl update" in step for step in said["todo"])
	assert keys["redis_cache"] not in json.dumps(said) and "a-key-of-the-site" not in json.dumps(said)
	written = second.files()
	assert second.run("--take", str(offer))["has_changed"] is False and second.files() == written


def test_gunicorn_of_the_second_server_listens_for_the_first_ones_nginx_and_stays_so(first, second, tmp_path):
	offer = tmp_path / "offer.json"
	first.run("--offer", str(offer), *OFFER)
	second.write_programs(PROGRAMS | {"frappe-web": "gunicorn -b 127.0.0.1:8000 frappe.app:application"})
	before = second.files()
	error = second.run("--take", str(offer), "--address", "8.8.8.8", exits=1)["error"]
	assert "is a public address" in error and second.files() == before
	second.run("--take", str(offer), *OFFER)
	overlay = second.read("config/read-replica-supervisor.conf")
	assert f"-b 127.0.0.1:8000 -b {lan_address.in_url(ADDRESS)}:8000 frappe.app" in overlay
	assert f'FORWARDED_ALLOW_IPS="127.0.0.1,{ADDRESS}"' in overlay
	assert second.run("--take", str(offer))["has_changed"] is False


def test_missing_workers_are_asked_for_and_renewed_once_bench_has_made_them(first, second, tmp_path):
	second.write_programs({name: PROGRAMS[name] for name in ("frappe-web", "frappe-schedule")})
	first.run("--offer", str(tmp_path / "offer.json"), *OFFER)
	said = second.run("--take", str(tmp_path / "offer.json"))
	assert said["todo"][0].startswith("bench setup supervisor --skip-redis --yes")
	assert said["todo"][1] == f"bench --site {SITE} read-replica second-server --renew"
	second.write_programs(PROGRAMS)
	assert second.run("--renew")["has_changed"] and not second.run("--renew")["has_changed"]
	assert "erp-frappe-secondary-worker" in second.read("config/read-replica-supervisor.conf")


def test_with_a_queue_of_its_own_the_second_server_keeps_it_and_has_a_scheduler(first, second, tmp_path):
	offer = tmp_path / "offer.json"
	first.run("--offer", str(offer), *OFFER, "--queue", "own")
	own = second.common()["redis_queue"]
	second.run("--take", str(offer))
	assert second.common()["redis_queue"] == own and "workers" not in second.common()
	overlay = second.read("config/read-replica-supervisor.conf")
	assert "/bin/echo" not in overlay and overlay.count('SERVER_ID="secondary"') == len(PROGRAMS)
	assert first.common()["redis_queue"] == own
	assert first.read("config/read-replica-supervisor.conf").count("--bind") == 1


@pytest.mark.parametrize(
	("options", "keys", "reason"),
	[
		(("--address", "8.8.8.8"), {}, "is a public address"),
		(("--address", "203.0.113.77"), {}, "no address of this machine"),
		((), {}, "--address"),
		(OFFER, {"db_host": "localhost"}, "on each server its own MariaDB"),
		((*OFFER, "--server-id", "primary"), {}, "is primary itself"),
		((*OFFER, "--server-id", "a b"), {}, "cannot be called"),
		((*OFFER, "--db-host", "127.0.0.1"), {}, "--db-host"),
	],
)
def test_what_cannot_be_shared_is_refused_with_the_reason_and_nothing_is_written(
	first, tmp_path, options, keys, reason
):
	first.set_site(**keys)
	before = first.files()
	error = first.run("--offer", str(tmp_path / "offer.json"), *options, exits=1)["error"]
	assert reason in error and "Traceback" not in error
	assert first.files() == before


def test_an_offer_of_another_site_is_refused(first, second, tmp_path):
	first.run("--offer", str(tmp_path / "offer.json"), *OFFER)
	second.set_site(db_name="another")
	before = second.files()
	assert "Copy that site's folder" in second.run("--take", str(tmp_path / "offer.json"), exits=1)["error"]
	assert second.files() == before


@pytest.fixture
def running(first) -> Iterator[callable]:
	"""Starts processes of the first bench with these SERVER_IDs; they are stopped afterwards."""
	started = []

	def start(*words: str, **environment: str) -> None:
		command = [find_program("setpriv"), "--pdeathsig", "KILL", sys.executable, "-m", *words]
		process = subprocess.Popen(
			command,
			cwd=first.folder / "sites",
			env={name: value for name, value in os.environ.items() if name != "SERVER_ID"} | environment,
			stdout=subprocess.DEVNULL,
			stderr=subprocess.DEVNULL,
		)
		started.append(process)

	yield start
	for process in started:
		process.kill()
		process.wait(10)


def test_a_check_looks_at_real_processes_at_redis_and_at_the_database(first, running, tmp_path):
	before = first.common()
	first.run("--offer", str(tmp_path / "offer.json"), *OFFER)
	# The Redis of the tests has no password, and no other address.
	first.set_common(redis_cache=before["redis_cache"], redis_queue=before["redis_queue"])
	running("gunicorn", "-b", f"127.0.0.1:{free_port()}", "frappe.app:application", SERVER_ID="primary")
	running("frappe.utils.bench_helper", "frappe", "worker", "--queue", "short", SERVER_ID="primary")
	running("frappe.utils.bench_helper", "frappe", "schedule")

	def proofs() -> list[dict]:
		return first.run("--check", exits=1)["proofs"]

	def kinds() -> set[str]:
		return {proof["server"].split()[0] for proof in proofs() if "SERVER_ID" in proof["tried"]}

	until(lambda: kinds() == {"web", "worker", "scheduler"}, seconds=60)
	found = proofs()
	for proof in found:
		if "SERVER_ID" in proof["tried"]:
			assert proof["passed"] == (not proof["server"].startswith("scheduler")), proof
	failed = {
		(proof["server"].split()[0], proof["seen"].split(":")[0]) for proof in found if not proof["passed"]
	}
	assert failed == {
		("scheduler", "it has none"),
		("redis_cache", "it answers everyone"),
		("redis_queue", "it answers everyone"),
	}
	assert [proof["passed"] for proof in found if "primary of the first" in proof["tried"]] == [True]
	role = first.folder / "config" / "read-replica-server.json"
	role.write_text(role.read_text().replace(':1"', ':2"'))
	assert [p["passed"] for p in proofs() if "primary of the first" in p["tried"]] == [False]
