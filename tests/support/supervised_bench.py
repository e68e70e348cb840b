# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A folder like a bench's, with programs that do nothing, under a real supervisord; its Redis servers are real."""

import subprocess
import sys
import time
from pathlib import Path

from mirakuru import UnixSocketExecutor

from support.servers import find_program, free_port

STAY = "import signal; signal.sigwait({signal.SIGTERM})\n"


class SupervisedBench:
	"""A bench as `bench setup production` leaves it.

	:param queues: queues of servers, beside core's
	"""

	def __init__(self, folder: Path, *queues: str):
		self.folder = folder / "erp"
		self.config = self.folder / "config"
		self.ports = {"cache": free_port(), "queue": free_port()}
		for path in ("sites", "logs", "config/pids", "env/bin"):
			(self.folder / path).mkdir(parents=True)
		self.conf_d = folder / "conf.d"
		self.conf_d.mkdir()
		(self.folder / "stay.py").write_text(STAY)
		for name, port in self.ports.items():
			self._write_redis_conf(name, port)
		self.generate(*queues)
		(self.conf_d / "erp.conf").symlink_to(self.config / "supervisor.conf")
		self._executor: UnixSocketExecutor | None = None
		self._socket = folder / "s.sock"
		self._supervisord_conf = folder / "supervisord.conf"
		self._supervisord_conf.write_text(
			f"[unix_http_server]\nfile={self._socket}\n"
			f"[supervisord]\nlogfile={folder}/supervisord.log\npidfile={folder}/supervisord.pid\n"
			f"childlogdir={folder}\n"
			"[rpcinterface:supervisor]\n"
			"supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
			f"[supervisorctl]\nserverurl=unix://{self._socket}\n"
			f"[include]\nfiles={self.conf_d}/*.conf\n"
		)

	def _write_redis_conf(self, name: str, port: int) -> None:
		acl = self.config / f"redis_{name}.acl"
		acl.touch()
		(self.config / f"redis_{name}.conf").write_text(
			f'bind 127.0.0.1\nport {port}\ndir {self.config / "pids"}\nsave ""\naclfile {acl}\n'
		)

	def generate(self, *queues: str, without: tuple[str, ...] = ()) -> None:
		"""Write config/supervisor.conf anew, with programs of the names that bench gives them.

		:param without: programs that this version of bench does not have
		"""
		frappe = f"{sys.executable} {self.folder}/stay.py frappe"
		commands = {
			"frappe-web": f"{sys.executable} {self.folder}/stay.py gunicorn -b 127.0.0.1:1 frappe.app:application",
			"frappe-schedule": f"{frappe} schedule",
			"frappe-short-worker": f"{frappe} worker --queue short,default",
			"frappe-long-worker": f"{frappe} worker --queue long,default,short",
			**{f"frappe-{queue}-worker": f"{frappe} worker --queue {queue}" for queue in queues},
			**{
				f"redis-{name}": f"{find_program('redis-server')} {self.config}/redis_{name}.conf"
				for name in self.ports
			},
		}
		commands = {name: command for name, command in commands.items() if name not in without}
		groups = {
			"web": ["frappe-web"],
			"workers": [name for name in commands if name.endswith(("-worker", "-schedule"))],
			"redis": [name for name in commands if name.startswith("redis-")],
		}
		text = ""
		for name, command in commands.items():
			text += f"[program:erp-{name}]\ncommand={command}\ndirectory={self.folder}/sites\nstartsecs=0\nautostart=true\n"
			if name.endswith("-worker"):
				text += "numprocs=1\nprocess_name=%(program_name)s-%(process_num)d\n"
			text += "\n"
		for group, names in groups.items():
			text += f"[group:erp-{group}]\nprograms={','.join(f'erp-{name}' for name in names)}\n\n"
		(self.config / "supervisor.conf").write_text(text)

	def start(self) -> None:
		"""Start supervisord, and return once it answers."""
		program = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(self._supervisord_conf)]
		# It ends its programs when it is asked to end, and not when it is killed.
		self._executor = UnixSocketExecutor(
			[find_program("setpriv"), "--pdeathsig", "TERM", *program],
			str(self._socket),
			timeout=30,
			stdout=subprocess.DEVNULL,
			expected_returncode=0,
		)
		self._executor.start()

	def stop(self) -> None:
		if self._executor:
			self._executor.stop()
			self._executor = None

	def ctl(self, *words: str) -> str:
		"""Run supervisorctl; returns what it says."""
		command = [
			sys.executable,
			"-m",
			"supervisor.supervisorctl",
			"-c",
			str(self._supervisord_conf),
			*words,
		]
		return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout

	def states(self) -> dict[str, str]:
		"""The state of each program, such as RUNNING, by its name without the bench's."""
		lines = [line.split() for line in self.ctl("status").splitlines()]
		return {name.rpartition(":")[2].removeprefix("erp-"): state for name, state, *_ in lines}

	def settled(self) -> dict[str, str]:
		"""The same, once no program starts or stops any more."""
		end = time.monotonic() + 15
		while {"STARTING", "STOPPING", "BACKOFF"} & set((states := self.states()).values()):
			assert time.monotonic() < end, states
			time.sleep(0.1)
		return states
