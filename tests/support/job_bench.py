# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A server that runs jobs: a bench folder of its own for a site that exists, its scheduler and its workers."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil

from support.bench import SITE, Sites
from support.servers import find_program

LONGEST_LOG = 20_000


class JobBench:
	"""Processes with one SERVER_ID, as `bench schedule` and `bench worker` start them.

	:param queue_port: the port of the Redis that holds its queues
	:param clock: seconds by which its clock is early; negative: late
	"""

	def __init__(self, folder: Path, of: Sites, server_id: str, queue_port: int, clock: float = 0, **common):
		self.server_id = server_id
		self._with_clock = ("support.with_clock", str(clock)) if clock else ()
		self.folder = folder
		self._sites = folder / "sites"
		self._worker_command: tuple[str, ...] = ()
		self._processes: dict[str, psutil.Popen] = {}
		for name in ("sites", "logs", "config/pids"):
			(folder / name).mkdir(parents=True)
		(folder / "apps").symlink_to(of.path.parent / "apps")
		# Frappe takes no link for a site.
		(self._sites / SITE / "logs").mkdir(parents=True)
		for entry in (of.path / SITE).iterdir():
			if entry.name != "logs":
				(self._sites / SITE / entry.name).symlink_to(entry)
		(self._sites / "assets").symlink_to(of.path / "assets")
		(self._sites / "apps.txt").write_text((of.path / "apps.txt").read_text())
		keys = of.common() | common | {"redis_queue": f"redis://127.0.0.1:{queue_port}"}
		Sites.write_common_into(self._sites, keys)

	def works_with(self, *command: str) -> None:
		self._worker_command = command

	def start(self, what: str) -> None:
		"""Start the "scheduler" or the "workers"; nothing if it runs."""
		if self.is_running(what):
			return
		command = ("schedule",) if what == "scheduler" else self._worker_command
		log = open(self.folder / f"{what}.log", "ab")
		with log:
			self._processes[what] = psutil.Popen(
				[
					find_program("setpriv"),
					"--pdeathsig",
					"KILL",
					sys.executable,
					"-m",
					*self._with_clock,
					"frappe.utils.bench_helper",
					"frappe",
					*command,
				],
				cwd=self._sites,
				env=os.environ | {"SERVER_ID": self.server_id, "FRAPPE_BENCH_ROOT": str(self.folder)},
				stdin=subprocess.DEVNULL,
				stdout=log,
				stderr=log,
			)

	def is_running(self, what: str) -> bool:
		process = self._processes.get(what)
		return bool(process) and process.poll() is None

	def processes(self, what: str) -> list[psutil.Process]:
		"""The process, and all that it has started."""
		process = self._processes[what]
		return [process, *process.children(recursive=True)]

	def kill(self, what: str) -> None:
		"""End it, and all that it has started, as a power cut would."""
		process = self._processes.pop(what, None)
		if process is None:
			return
		with contextlib.suppress(psutil.NoSuchProcess):
			for one in (process, *process.children(recursive=True)):
				with contextlib.suppress(psutil.NoSuchProcess):
					one.kill()
		process.wait(20)

	def stop(self) -> None:
		for what in ("scheduler", "workers"):
			self.kill(what)

	def log(self) -> str:
		"""The end of what its processes have printed."""
		texts = [
			path.read_text(errors="replace")[-LONGEST_LOG:] for path in sorted(self.folder.glob("*.log"))
		]
		return f"{self.server_id}:\n" + "\n".join(texts)
