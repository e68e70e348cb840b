# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A site on one server, and then on two: set up as docs/second-server.md says, by this app's commands alone.

What a command cannot do from where it runs, it prints; those lines are run as they stand, on the server that they are
for.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import frappe

from support.bench import ADMIN_PASSWORD
from support.servers import ROOT_PASSWORD
from support.two_servers import bench_files
from support.two_servers.database import TLS, TLS_FOLDER, Database, give_certificates
from support.two_servers.machine import Machine
from support.two_servers.network import FIRST, SECOND, Network

SITE = "two.test"
AS_ROOT = f"--db-root-password {ROOT_PASSWORD}"
# A job counts as overdue after two of them, which a busy machine may need.
SECONDS_OF_A_TICK = 20


class Pair:
	"""Two servers of one site.

	:param folder: an empty one, with a short path
	"""

	def __init__(self, folder: Path):
		self.folder = folder
		self.network = Network()
		self.first = Machine(self.network, folder, "app1", FIRST)
		self.second = Machine(self.network, folder, "app2", SECOND)
		self.name = self.first.bench_folder.name
		self.primary = Database(self.first)
		self.replica = Database(self.second)

	def close(self) -> None:
		self.network.close()

	def set_up(self) -> None:
		self.make_site()
		self.make_replica()
		self.make_second_server()
		self.make_front()
		# After each step, and daily: so each server knows of the other.
		for machine in (self.second, self.first):
			self.doctor(machine)

	def make_site(self) -> None:
		"""A site on one server, as bench leaves it."""
		give_certificates((self.first, self.second))
		# For a quick new-site; the primary is told to write what it needs as one.
		self.primary.lines["innodb_flush_log_at_trx_commit"] = "2"
		self.primary.make()
		self.primary.start()
		self.primary.let_root_in()
		self._write_common()
		bench_files.write_redis(self.first.config, self.first.bench_folder)
		redis = {f"redis-{name}": f"{command}" for name, command in self._redis_commands().items()}
		self.first.start(**redis)
		scope = (
			"--no-mariadb-socket"
			if frappe.__version__.startswith("14")
			else "--mariadb-user-host-login-scope=%"
		)
		self.first.bench_does(
			f"new-site {SITE} --db-host=127.0.0.1 --db-root-username=root --db-root-password={ROOT_PASSWORD}"
			f" --admin-password={ADMIN_PASSWORD} {scope}"
		)
		for app in ("read_replica", "pair_app"):
			self.first.bench_does(f"--site {SITE} install-app {app}")
		self.first.bench_does(f"--site {SITE} enable-scheduler")
		# Jobs of core would be overdue now and then, on a machine that is busy with all of this.
		self.primary.query(
			f"UPDATE `{self.database}`.`tabScheduled Job Type` SET stopped = 1 WHERE method NOT LIKE 'pair_app.%'"
		)
		self.serve_site()

	def serve_site(self) -> None:
		"""Give the site to nginx and to supervisor, which begins its processes once both servers are what they are to be."""
		self.first.set_site(
			SITE, db_host=None, **{f"db_ssl_{name}": f"{TLS_FOLDER}/{name}.pem" for name in TLS}
		)
		bench_files.write_nginx(self.first.config, self.first.bench_folder, SITE)
		name = self.first.bench_folder.name
		self.first.do(f"ln -s {self.first.bench_folder}/config/nginx.conf /etc/nginx/conf.d/{name}.conf")
		with open(self.first.etc / "hosts", "a") as hosts:
			hosts.write(f"{FIRST} {SITE}\n")
		self.first.start(nginx="nginx")

	def _redis_commands(self) -> dict[str, str]:
		return {
			name: f"redis-server {self.first.bench_folder}/config/redis_{name}.conf"
			for name in bench_files.REDIS_PORTS
		}

	def _write_common(self) -> None:
		for machine in (self.first, self.second):
			apps = "frappe\nread_replica\npair_app\n"
			(machine.sites / "apps.txt").write_text(apps)
			keys = {
				"db_host": "127.0.0.1",
				"redis_cache": f"redis://127.0.0.1:{bench_files.REDIS_PORTS['cache']}",
				"redis_queue": f"redis://127.0.0.1:{bench_files.REDIS_PORTS['queue']}",
				"redis_socketio": f"redis://127.0.0.1:{bench_files.REDIS_PORTS['cache']}",
				"socketio_port": bench_files.SOCKETIO_PORT,
				"scheduler_tick_interval": SECONDS_OF_A_TICK,
				"ignore_csrf": 1,
			}
			(machine.sites / "common_site_config.json").write_text(json.dumps(keys, indent=1))

	def make_replica(self) -> None:
		"""Step 1: a replica on the second server, and a user that can only read it."""
		self.replica.make()
		self.replica.start()
		self.primary.add_lines(self._replication()["primary-config"]["config"])
		self.primary.restart()
		self._replication("--run")
		steps = self._replication()
		self.replica.add_lines(steps["replica-config"]["config"])
		self.replica.restart()
		self._copy = steps["copy"]["shell"]
		self.copy_replica()
		self.first.set_site(SITE, **json.loads("\n".join(self._replication()["reads"]["config"])))
		self.make_replica_user()

	def copy_replica(self) -> None:
		"""Copy the primary over the replica, and let it follow."""
		folders = f"{self.replica.folder}/data.copy {self.replica.folder}/data.before"
		self.second.do(f"rm -rf {folders}")
		position = ""
		for line in self._copy:
			said = self.first.do(line)
			position = said.strip() if "cut -f3" in line else position
		self.replica.wait()
		steps = self._replication(f"--run --position {position}")
		assert steps["equal"]["state"] == "done", steps

	def _replication(self, options: str = "") -> dict[str, dict[str, Any]]:
		"""The steps of the command for a new replica, by their ids."""
		words = f"replication --replica {SECOND} --primary-host {FIRST} {AS_ROOT} {options}"
		return {step["id"]: step for step in self.command(self.first, words, exits=None)["steps"]}

	def make_replica_user(self) -> None:
		hosts = " ".join(f"--from {host}" for host in ("127.0.0.1", FIRST, SECOND))
		self.command(self.first, f"replica-user --run {hosts} {AS_ROOT}")

	def make_second_server(self) -> None:
		"""Step 2: a second app server with the same Redis, and the site's files on it."""
		# The administrator's part: the same apps, and the site's folder.
		shutil.copytree(self.first.sites / SITE, self.second.sites / SITE)
		self.first.write_bench_files()
		self.second.write_bench_files(with_redis=False)
		said = self.command(self.first, f"second-server --offer offer.json --address {FIRST}")
		# Those of bench take their place, with the others that supervisor is to begin now.
		for name in bench_files.REDIS_PORTS:
			(self.first.etc / "supervisor" / "conf.d" / f"redis-{name}.conf").unlink()
		self.carry_out(self.first, said["todo"])
		said = self.command(self.second, f"second-server --take offer.json --address {SECOND}")
		self.carry_out(self.second, said["todo"])
		for machine in (self.first, self.second):
			(machine.sites / "offer.json").unlink()
		source = f"root@{FIRST}:{self.first.bench_folder}/sites/{SITE}"
		self.command(self.second, f"sync --from {source} --once")

	def make_front(self) -> None:
		"""Step 3: the front nginx sends what only reads to the second server."""
		said = self.command(self.first, f"nginx --server {SECOND}:8000")
		self.first.do(said["commands"][0])

	def carry_out(self, machine: Machine, todo: list[str]) -> None:
		"""Do what a command says that is left to do: its lines of shell, as far as they are some."""
		for step in todo:
			line = step.partition("    #")[0]
			if copied := re.match(r"Copy (\S+) to the second server", step):
				name = Path(copied[1]).name
				shutil.copy(self.first.sites / name, self.second.sites / name)
			elif line.startswith("bench --site "):
				machine.bench_does(line.removeprefix("bench "))
			# What supervisor has begun in the step before needs no restart.
			elif re.match(r"(sudo|bench|rm) ", line) and line != "bench restart":
				machine.do(line)

	def doctor(self, machine: Machine) -> dict[str, dict[str, str]]:
		"""What the doctor finds there, by the names of its checks."""
		said = self.command(machine, "doctor", exits=None)
		return {found["id"]: found for found in said["findings"]}

	def troubles(self, machine: Machine) -> dict[str, str]:
		"""What the doctor finds wrong there, or does not know, and what it has seen."""
		found = self.doctor(machine)
		return {
			id: f"{one['status']}: {one['seen']}"
			for id, one in found.items()
			if one["status"] in ("warn", "fail", "unknown")
		}

	def site_config(self) -> dict[str, Any]:
		return json.loads((self.first.sites / SITE / "site_config.json").read_text())

	@property
	def namespace(self) -> str:
		"""Where Socket.IO has the events of the site: where it is a folder of Frappe's, that is one for each site."""
		return f"/{SITE}" if (self.first.bench_folder / "apps" / "frappe" / "realtime").exists() else "/"

	@property
	def database(self) -> str:
		return self.site_config()["db_name"]

	def write_something(self) -> None:
		"""Let the primary commit something."""
		self.primary.query(f"UPDATE `{self.database}`.tabUser SET modified = NOW(6) WHERE name = 'Guest'")

	def command(self, machine: Machine, words: str, exits: int | None = 0) -> Any:
		"""Run one of this app's commands, and return what it says as JSON.

		:param exits: the status that it is to end with; None: any
		"""
		done = machine.bench_command(f"--site {SITE} read-replica {words} --json")
		assert exits is None or done.returncode == exits, f"{words}\n{done.stdout}\n{done.stderr}"
		assert done.stdout, done.stderr
		return json.loads(done.stdout)
