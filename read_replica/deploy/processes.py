# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Looks at the running processes of a bench: what each of them is, and its SERVER_ID as it has it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

Kind = Literal["web", "worker", "scheduler"]


@dataclass(frozen=True)
class BenchProcess:
	"""A running process that has Frappe's code.

	:param server_id: the variable as it was given to the process; None: it has none, or its environment is not to be seen
	:param problem: why its environment is not to be seen
	"""

	pid: int
	kind: Kind
	server_id: str | None
	problem: str = ""


def of_bench(bench: Path) -> list[BenchProcess]:
	"""Returns the web processes, workers and schedulers of a bench, by their ids.

	They are told by the folder in which they run, and by their command.
	"""
	folders = {str(bench.resolve()), str((bench / "sites").resolve())}
	found = []
	for process in psutil.process_iter():
		try:
			with process.oneshot():
				kind = _kind(process.cmdline())
				# The folder is asked last: other users' processes do not tell it.
				if kind and process.cwd() in folders:
					found.append(_described(process, kind))
		except (psutil.NoSuchProcess, psutil.AccessDenied):
			# It has just ended, or belongs to somebody else's bench.
			continue
	return sorted(found, key=lambda one: one.pid)


def _kind(words: list[str]) -> Kind | None:
	# gunicorn calls itself `gunicorn: master [frappe.app:application]` where setproctitle is installed.
	if "frappe.app:application" in " ".join(words):
		return "web"
	# `python -m frappe.utils.bench_helper frappe worker --queue short`
	if "frappe" not in words:
		return None
	command = next((word for word in words[words.index("frappe") + 1 :] if not word.startswith("-")), "")
	kinds: dict[str, Kind] = {
		"serve": "web",
		"worker": "worker",
		"worker-pool": "worker",
		"schedule": "scheduler",
	}
	return kinds.get(command)


def _described(process: psutil.Process, kind: Kind) -> BenchProcess:
	try:
		return BenchProcess(process.pid, kind, process.environ().get("SERVER_ID"))
	except psutil.AccessDenied:
		return BenchProcess(
			process.pid, kind, None, "its environment may be read by its own user and root only"
		)
