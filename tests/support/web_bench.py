# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A server that answers requests, as gunicorn does in production, with a cache Redis of its own."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import requests

from support.bench import ADMIN_PASSWORD, SITE, Sites
from support.job_bench import JobBench
from support.servers import find_program, free_port
from support.waiting import until

SECONDS_TO_START = 60


class WebBench(JobBench):
	"""A bench folder of its own for a site that exists, with a web process and, if asked for, workers.

	:param redis_port: the port of the Redis that holds its cache and its queues
	:param workers: how many processes answer requests
	"""

	def __init__(self, folder: Path, of: Sites, server_id: str, redis_port: int, workers: int = 1):
		redis = f"redis://127.0.0.1:{redis_port}"
		super().__init__(folder, of, server_id, redis_port, redis_cache=redis, redis_socketio=redis)
		self.port = free_port()
		self._workers = workers
		self.redis_port = redis_port

	def start_web(self) -> None:
		"""Start, and return once it answers."""
		with open(self.folder / "web.log", "ab") as log:
			self._processes["web"] = psutil.Popen(
				[
					find_program("setpriv"),
					"--pdeathsig",
					"KILL",
					sys.executable,
					"-m",
					"gunicorn",
					f"--workers={self._workers}",
					"--threads=2",
					f"--bind=127.0.0.1:{self.port}",
					"frappe.app:application",
				],
				cwd=self._sites,
				env=os.environ | {"SERVER_ID": self.server_id, "FRAPPE_BENCH_ROOT": str(self.folder)},
				stdout=log,
				stderr=log,
			)
		until(self._answers, SECONDS_TO_START)

	def _answers(self) -> bool:
		try:
			return Client().ask(self, "frappe.ping").status_code == 200
		except requests.ConnectionError:
			assert self.is_running("web"), self.log()
			return False

	def bench(self, *arguments: str) -> str:
		"""Run a bench command for the site on this server, and return what it printed."""
		done = subprocess.run(
			[sys.executable, "-m", "frappe.utils.bench_helper", "frappe", "--site", SITE, *arguments],
			cwd=self._sites,
			env=os.environ | {"SERVER_ID": self.server_id, "FRAPPE_BENCH_ROOT": str(self.folder)},
			stdin=subprocess.DEVNULL,
			capture_output=True,
			text=True,
			timeout=120,
		)
		assert done.returncode == 0, done.stdout + done.stderr
		return done.stdout + done.stderr

	def stop(self) -> None:
		self.kill("web")
		super().stop()


class Client:
	"""Somebody who may ask any server; keeps cookies, as a browser does, unless it sends a token."""

	def __init__(self, headers: dict[str, str] | None = None):
		self._session = requests.Session()
		self._session.headers.update({"Host": SITE} | (headers or {}))

	def ask(self, server: WebBench, method: str, **arguments) -> requests.Response:
		"""The response to a call of a whitelisted method."""
		url = f"http://127.0.0.1:{server.port}/api/method/{method}"
		return self._session.post(url, json=arguments, timeout=60)

	def call(self, server: WebBench, method: str, **arguments):
		"""The message that a whitelisted method returns; fails unless the answer is 200."""
		response = self.ask(server, method, **arguments)
		assert response.status_code == 200, f"{response.text}\n{server.log()}"
		return response.json().get("message")

	def log_in(self, server: WebBench) -> "Client":
		assert self.ask(server, "login", usr="Administrator", pwd=ADMIN_PASSWORD).status_code == 200
		return self

	def saves(self, server: WebBench) -> str:
		"""The name of a row that is saved through a server."""
		doc = {"doctype": "ToDo", "description": f"through {server.server_id}"}
		return self.call(server, "frappe.client.insert", doc=doc)["name"]

	def finds(self, server: WebBench, name: str) -> bool:
		return self.call(server, "sample_app.api.todo_exists", name=name)
