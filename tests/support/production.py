# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A server as in production: gunicorn, a scheduler and workers, as processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psutil
import requests

from support.bench import SITE, Sites
from support.job_bench import JobBench
from support.servers import find_program, free_port
from support.waiting import until

PARTS = ("web", "scheduler", "workers")
SECONDS_TO_END = 60


class ProductionBench(JobBench):
	"""A JobBench with a web server."""

	application = "frappe.app:application"
	threads = 4
	# Of the web server's process, beside its own.
	environment: Mapping[str, str] = MappingProxyType({})

	def __init__(self, folder: Path, of: Sites, server_id: str, queue_port: int, **common):
		super().__init__(folder, of, server_id, queue_port, **common)
		self.port = free_port()
		self.url = f"http://127.0.0.1:{self.port}"

	def start(self, what: str) -> None:
		if what != "web":
			super().start(what)
			return
		if self.is_running("web"):
			return
		with open(self.folder / "web.log", "ab") as log:
			self._processes["web"] = psutil.Popen(
				[
					find_program("setpriv"),
					"--pdeathsig",
					"KILL",
					sys.executable,
					"-m",
					"gunicorn",
					"--bind",
					f"127.0.0.1:{self.port}",
					"--workers=1",
					f"--threads={self.threads}",
					"--timeout=120",
					"--graceful-timeout=30",
					self.application,
				],
				cwd=self.folder / "sites",
				env=os.environ
				| {"SERVER_ID": self.server_id, "FRAPPE_BENCH_ROOT": str(self.folder)}
				| self.environment,
				stdin=subprocess.DEVNULL,
				stdout=log,
				stderr=log,
			)
		until(self._answers, SECONDS_TO_END)

	def _answers(self) -> bool:
		try:
			return requests.get(f"{self.url}/api/method/ping", headers={"Host": SITE}, timeout=10).ok
		except requests.RequestException:
			return False

	def end(self, what: str) -> None:
		"""Ask it to end when its work is done, as a process manager does, and wait until it has."""
		process = self._processes.pop(what, None)
		if process and process.poll() is None:
			process.send_signal(signal.SIGTERM)
			process.wait(SECONDS_TO_END)

	def memory(self) -> dict[int, tuple[str, float]]:
		"""MiB that no other process shares with each process of this server, by its id."""
		found = {}
		for what in PARTS:
			process = self._processes.get(what)
			if process and process.is_running():
				for one in (process, *process.children(recursive=True)):
					try:
						name = f"{self.server_id} {what}"
						found[one.pid] = (name, one.memory_full_info().uss / 2**20)
					except psutil.Error:
						continue
		return found

	def stop(self) -> None:
		for what in PARTS:
			self.kill(what)
