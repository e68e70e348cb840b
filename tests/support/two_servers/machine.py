# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A server of a site: a host with folders of its own in place of /etc and of the bench, and a supervisord."""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from support.two_servers import bench_files
from support.two_servers.machine_files import NGINX, PROGRAMS, SUPERVISORD
from support.two_servers.network import Host, Network
from support.two_servers.warm import Warm
from support.waiting import until

REPOSITORY = Path(__file__).parents[3]
PAIR_APP = REPOSITORY / "tests" / "support" / "pair_app"


class Machine:
	"""A server with a bench.

	:param folder: of all servers; this one gets a folder of its own there
	"""

	def __init__(self, network: Network, folder: Path, name: str, address: str):
		self.name = name
		self.address = address
		self.folder = folder / name
		# Where the bench is seen on this server; its folders are this server's own.
		self.bench_folder = Path(os.environ["FRAPPE_BENCH"])
		self.bench = self.folder / "bench"
		self.sites = self.bench / "sites"
		self.config = self.bench / "config"
		self.etc = self.folder / "etc"
		self.programs = self.folder / "programs"
		self.programs.mkdir(parents=True)
		self._supervisord: subprocess.Popen | None = None
		self._warm: Warm | None = None
		self.host: Host = network.add(name, address)
		# Seen at the same place on each server, as /var is.
		self.var, self.var_folder = self.folder / "var", folder / "var"
		for path in (self.var, self.var_folder):
			path.mkdir(exist_ok=True)
		self.host.must("mount", "--bind", str(self.var), str(self.var_folder))
		self._make_etc()
		self._make_bench()
		self._make_programs()

	def _make_etc(self) -> None:
		# What this user may not read is left out.
		subprocess.run(["cp", "-r", "/etc/.", str(self.etc)], capture_output=True)
		for name in ("supervisor/conf.d", "nginx/conf.d"):
			shutil.rmtree(self.etc / name, ignore_errors=True)
			(self.etc / name).mkdir(parents=True)
		(self.etc / "nginx" / "nginx.conf").write_text(NGINX.format(folder=self.folder))
		self.host.must("mount", "--bind", str(self.etc), "/etc")

	def _make_bench(self) -> None:
		for name in ("apps", "env", "sites/assets", "logs", "config/pids"):
			(self.bench / name).mkdir(parents=True)
		binds = []
		for app in (self.bench_folder / "apps").iterdir():
			(self.bench / "apps" / app.name).mkdir()
			binds.append((app, self.bench / "apps" / app.name))
		for name, path in (("read_replica", REPOSITORY), ("pair_app", PAIR_APP)):
			(self.bench / "apps" / name).symlink_to(path)
		for entry in (self.bench_folder / "sites" / "assets").iterdir():
			if entry.is_file():
				shutil.copy(entry, self.sites / "assets")
			else:
				(self.sites / "assets" / entry.name).symlink_to(entry.resolve())
		binds.append((self.bench_folder / "env", self.bench / "env"))
		for source, target in binds:
			self.host.must("mount", "--bind", str(source), str(target))
		self.host.must("mount", "--rbind", str(self.bench), str(self.bench_folder))

	def _make_programs(self) -> None:
		conf = self.folder / "supervisord.conf"
		conf.write_text(SUPERVISORD.format(folder=self.folder))
		values = {
			"python": sys.executable,
			"folder": self.folder,
			"supervisord_conf": conf,
			"name": self.bench_folder.name,
			"bench": self.bench_folder,
		}
		for name, script in PROGRAMS.items():
			path = self.programs / name
			path.write_text(f"#!/bin/bash\n{script.format(**values)}\n")
			path.chmod(0o755)

	@property
	def environment(self) -> dict[str, str]:
		"""What programs here have; without a SERVER_ID, which they are given by what runs them."""
		kept = {name: value for name, value in os.environ.items() if name not in ("SERVER_ID", "HOME")}
		path = f"{self.programs}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
		python = os.pathsep.join((os.environ.get("PYTHONPATH", ""), str(PAIR_APP)))
		return kept | {"PATH": path, "PYTHONPATH": python, "HOME": str(self.folder)}

	def try_to(self, command: str, typed: str = "", timeout: float = 300) -> subprocess.CompletedProcess[str]:
		"""Run a line of shell as the administrator, whatever becomes of it."""
		return self.host.run(
			"bash",
			"-c",
			command,
			folder=self.bench_folder,
			environment=self.environment,
			typed=typed,
			timeout=timeout,
		)

	def do(self, command: str, typed: str = "", timeout: float = 300) -> str:
		"""The same; returns what it says, and fails unless it ends with 0."""
		done = self.try_to(command, typed, timeout)
		assert done.returncode == 0, f"{self.name}: {command}\n{done.stdout}\n{done.stderr}"
		return done.stdout

	def bench_command(self, words: str) -> subprocess.CompletedProcess[str]:
		"""Run a bench command, whatever becomes of it; Frappe is imported already."""
		if self._warm is None:
			command = self.host.command(
				sys.executable, "-m", "support.two_servers.warm", folder=self.bench_folder / "sites"
			)
			self._warm = Warm(command, self.environment, self.folder)
		return self._warm.run(shlex.split(words))

	def bench_does(self, words: str) -> str:
		"""The same; returns what it says, and fails unless it ends with 0."""
		done = self.bench_command(words)
		assert done.returncode == 0, f"{self.name}: {words}\n{done.stdout}\n{done.stderr}"
		return done.stdout

	def begin(self, *words: str, folder: Path) -> subprocess.Popen:
		"""Begin a program that nobody supervises."""
		return subprocess.Popen(
			self.host.command(*words, folder=folder),
			env=self.environment,
			stdin=subprocess.DEVNULL,
			stdout=subprocess.DEVNULL,
			stderr=subprocess.DEVNULL,
		)

	def start(self, **programs: str) -> None:
		"""Start supervisord with what systemd runs on a real server, by name and command, and with bench's programs.

		A program that is there already is started anew.
		"""
		programs["sshd"] = f"{sys.executable} -m support.two_servers.remote_shell {self.address}"
		for name, command in programs.items():
			(self.etc / "supervisor" / "conf.d" / f"{name}.conf").write_text(
				f"[program:{name}]\ncommand={command}\nautorestart=true\nstartsecs=0\nstopwaitsecs=60\n"
				f"redirect_stderr=true\nstdout_logfile={self.folder}/{name}.log\n"
			)
		if self._supervisord is None or self._supervisord.poll() is not None:
			command = [
				sys.executable,
				"-m",
				"supervisor.supervisord",
				"-c",
				f"{self.folder}/supervisord.conf",
			]
			self._supervisord = self.begin(*command, folder=self.folder)
			until((self.folder / "s.sock").exists, 60)
		else:
			self.do("supervisorctl update", timeout=120)

	def lose_power(self) -> None:
		"""End all programs of supervisord, and it too, as a power cut would."""
		processes = psutil.Process(self._supervisord.pid).children(recursive=True)
		# The one that would start the others again goes first.
		for process in processes:
			with contextlib.suppress(psutil.NoSuchProcess):
				process.kill()
		self._supervisord.wait(20)
		self._supervisord = None
		(self.folder / "s.sock").unlink(missing_ok=True)

	def stop(self) -> None:
		"""Let all programs of supervisord end, and it too."""
		if self._supervisord is not None:
			self.try_to("supervisorctl shutdown")
			self._supervisord.wait(120)
			self._supervisord = None

	def write_bench_files(self, with_redis: bool = True) -> None:
		"""Write what `bench setup` writes for supervisor, and lead supervisor there."""
		bench_files.write_supervisor(self.config, self.bench_folder, with_redis)
		link = self.etc / "supervisor" / "conf.d" / f"{self.bench_folder.name}.conf"
		if not link.is_symlink():
			link.symlink_to(self.bench_folder / "config" / "supervisor.conf")

	def common(self) -> dict[str, Any]:
		return json.loads((self.sites / "common_site_config.json").read_text())

	def set_common(self, **keys: Any) -> None:
		"""Set keys of common_site_config.json; None takes one out."""
		_set_keys(self.sites / "common_site_config.json", keys)

	def set_site(self, site: str, **keys: Any) -> None:
		"""The same with a site's own."""
		_set_keys(self.sites / site / "site_config.json", keys)

	def log(self, name: str = "") -> str:
		"""The end of what programs have written."""
		paths = [*self.folder.glob(f"*{name}*.log"), *(self.bench / "logs").glob(f"*{name}*.log")]
		return "\n".join(f"{path}:\n{path.read_text(errors='replace')[-4000:]}" for path in sorted(paths))


def _set_keys(path: Path, keys: Mapping[str, Any]) -> None:
	merged = json.loads(path.read_text()) | keys
	text = json.dumps({key: value for key, value in merged.items() if value is not None}, indent=1)
	new = path.with_suffix(".new")
	new.write_text(text)
	new.replace(path)
