# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Runs bench commands in forks of one process that has imported Frappe, as importing it takes longer than most of them.

python -m support.two_servers.warm: reads a command a line, as JSON with the files for what it prints, and answers with
its exit status.
"""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

STANDARD = (0, 1, 2)


class Warm:
	"""The other end of such a process.

	:param command: what runs it, on its server
	:param folder: where it leaves what commands print, at the same place on its server
	"""

	def __init__(self, command: list[str], environment: dict[str, str], folder: Path):
		self._files = [folder / name for name in ("said", "complained")]
		self._process = subprocess.Popen(
			command,
			env=environment,
			stdin=subprocess.PIPE,
			stdout=subprocess.PIPE,
			stderr=subprocess.DEVNULL,
			text=True,
		)
		assert self._process.stdout.readline() == "ready\n", "the process did not begin"

	def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
		"""Run a bench command, and wait for its end."""
		self._process.stdin.write(json.dumps([words, *map(str, self._files)]) + "\n")
		self._process.stdin.flush()
		status = int(self._process.stdout.readline())
		return subprocess.CompletedProcess(words, status, *(path.read_text() for path in self._files))


def main() -> None:
	import frappe.commands
	import frappe.utils.background_jobs
	import frappe.utils.bench_helper
	import frappe.utils.scheduler

	import read_replica.commands
	import read_replica.deploy.site_doctor
	import read_replica.watch.status

	print("ready", flush=True)
	for line in sys.stdin:
		words, said, complained = json.loads(line)
		if not (pid := os.fork()):
			_become(words, said, complained)
		_, status = os.waitpid(pid, 0)
		print(os.waitstatus_to_exitcode(status), flush=True)


def _become(words: list[str], said: str, complained: str) -> None:
	"""Run a command as the process that it is alone in; never returns."""
	status = 1
	try:
		for file, path in zip(STANDARD, (os.devnull, said, complained), strict=True):
			flags = os.O_RDONLY if file == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
			opened = os.open(path, flags, 0o600)
			os.dup2(opened, file)
			os.close(opened)
		sys.argv = ["bench_helper", "frappe", *words]
		from frappe.utils.bench_helper import main

		main()
		status = 0
	except SystemExit as end:
		status = end.code if isinstance(end.code, int) else int(bool(end.code))
	except BaseException:
		traceback.print_exc()
	finally:
		sys.stdout.flush()
		sys.stderr.flush()
		os._exit(status)


if __name__ == "__main__":
	main()
