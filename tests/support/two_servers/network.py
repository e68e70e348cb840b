# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A network of hosts on one machine: namespaces of Linux, made without root, that end with this process.

A host has addresses, a name, processes and mounts of its own. It shares the machine's files, so a Unix socket of a host
can be used from outside.
"""

import ctypes
import multiprocessing
import os
import subprocess
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from support.servers import find_program

T = TypeVar("T")

NETWORK = "10.77.0"
FIRST, SECOND, BROWSER = (f"{NETWORK}.{number}" for number in (1, 2, 254))

SECONDS_FOR_A_CALL = 120

_fork = multiprocessing.get_context("fork")


def _as_root() -> list[str]:
	"""What gives a program the rights that it needs to make namespaces: none for root, a user namespace for others."""
	return [] if os.geteuid() == 0 else ["--user", "--map-root-user"]


def why_not() -> str | None:
	"""Why this machine does not let this user make hosts; None if it does."""
	try:
		find_program("ip")
		program = find_program("unshare")
	except FileNotFoundError:
		return "iproute2 or util-linux is not installed"
	tried = "ip link add rr type bridge && unshare --net --uts --mount --pid --fork --mount-proc true"
	command = [program, *_as_root(), "--net", "--mount", "sh", "-c", tried]
	done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=30)
	return None if done.returncode == 0 else f"this machine lets no namespaces be made: {done.stderr.strip()}"


def _environment() -> dict[str, str]:
	return os.environ | {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


class Namespaces:
	"""The namespaces of a running process, in which others can be run."""

	def __init__(self, pid: int, kinds: Sequence[str]):
		self.pid = pid
		self._kinds = kinds

	def command(self, *words: str, folder: Path | str = "/") -> list[str]:
		"""What runs a program there, in a folder as it is seen there."""
		user = ["--user", "--preserve-credentials"] if _as_root() else []
		inside = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), *words]
		return [
			find_program("nsenter"),
			f"--target={self.pid}",
			*user,
			*(f"--{kind}" for kind in self._kinds),
			"--",
			*inside,
		]

	def run(
		self,
		*words: str,
		folder: Path | str = "/",
		environment: Mapping[str, str] | None = None,
		typed: str = "",
		timeout: float = 300,
	) -> subprocess.CompletedProcess[str]:
		return subprocess.run(
			self.command(*words, folder=folder),
			env=environment or _environment(),
			input=typed,
			capture_output=True,
			text=True,
			timeout=timeout,
		)

	def must(self, *words: str, **options: Any) -> str:
		"""Run a program; returns what it says, and fails unless it ends with 0."""
		done = self.run(*words, **options)
		assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
		return done.stdout

	def call(self, function: Callable[..., T], *arguments: Any) -> T:
		"""Call a function in a process that has the network there; returns what it returns."""
		reader, writer = _fork.Pipe(duplex=False)
		process = _fork.Process(target=self._answer, args=(writer, function, arguments), daemon=True)
		process.start()
		writer.close()
		try:
			assert reader.poll(SECONDS_FOR_A_CALL), "no answer in time"
			found, error = reader.recv()
		finally:
			reader.close()
			process.kill()
			process.join(5)
		assert not error, error
		return found

	def _answer(self, writer: Any, function: Callable[..., Any], arguments: tuple) -> None:
		try:
			self._enter("user", "net") if _as_root() else self._enter("net")
			answer = function(*arguments), ""
		except BaseException:
			answer = None, traceback.format_exc()
		writer.send(answer)

	def _enter(self, *kinds: str) -> None:
		libc = ctypes.CDLL(None, use_errno=True)
		files = [os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY) for kind in kinds]
		for file in files:
			if libc.setns(file, 0):
				raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
			os.close(file)


class Host(Namespaces):
	"""A host of the network; all that runs there ends with it."""

	def __init__(self, pid: int, name: str, address: str):
		super().__init__(pid, ("net", "uts", "mount", "pid"))
		self.name = name
		self.address = address


class Network:
	"""A bridge, on which hosts are made; `outside` is where browsers are, with an address of its own."""

	def __init__(self) -> None:
		# Its end of the pipe is closed when this process ends, in whatever way; then `cat` ends, and all that it began.
		self._keeper = self._begin("--net", "--mount", *_as_root(), "sh", "-c", "echo; exec cat")
		self._keeper.stdout.readline()
		self.outside = Namespaces(self._keeper.pid, ("net", "mount"))
		self._begun: list[subprocess.Popen] = []
		script = (
			f"mount --make-rprivate / && ip link set lo up"
			f" && ip link add hosts type bridge && ip addr add {BROWSER}/24 dev hosts && ip link set hosts up"
		)
		self.outside.must("sh", "-c", script)

	def _begin(self, *words: str) -> subprocess.Popen:
		return subprocess.Popen(
			[find_program("unshare"), *words],
			env=_environment(),
			stdin=subprocess.PIPE,
			stdout=subprocess.PIPE,
		)

	def add(self, name: str, address: str) -> Host:
		"""Make a host; it has no processes yet but one that keeps it."""
		# As the first process of its host, it waits for what others leave behind, and takes all with it when it ends.
		keeper = ["sh", "-c", "echo; cat; exit 0"]
		kinds = ["--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
		begun = subprocess.Popen(
			self.outside.command("unshare", *kinds, *keeper),
			env=_environment(),
			stdin=subprocess.PIPE,
			stdout=subprocess.PIPE,
		)
		self._begun.append(begun)
		begun.stdout.readline()
		[pid] = Path(f"/proc/{begun.pid}/task/{begun.pid}/children").read_text().split()
		host = Host(int(pid), name, address)
		self.outside.must(
			"sh",
			"-c",
			f"ip link add {name} type veth peer name eth0 netns {pid} && ip link set {name} master hosts up",
		)
		host.must(
			"sh",
			"-c",
			f"ip link set lo up && ip addr add {address}/24 dev eth0 && ip link set eth0 up && hostname {name}",
		)
		return host

	def close(self) -> None:
		"""End all hosts, and all that runs there."""
		for begun in (*self._begun, self._keeper):
			begun.stdin.close()
			begun.wait(10)
			begun.stdout.close()
