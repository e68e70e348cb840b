# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes what runs a sync again and again: a service and a timer of systemd, and a line for cron."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from read_replica.deploy.text_file import put_in_place

SECONDS = 60

SERVICE = """\
[Unit]
Description=Copies the files of {site} from the primary's app server
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={user}
WorkingDirectory={folder}
ExecStart={command}
# The first one may copy many files; one that hangs must not hold up all that follow.
TimeoutStartSec=6h
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
"""

TIMER = """\
[Unit]
Description=Copies the files of {site} every {seconds} seconds

[Timer]
OnActiveSec=10
OnUnitInactiveSec={seconds}
AccuracySec=5

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True)
class UnitFile:
	"""A file of systemd."""

	name: str
	text: str


@dataclass(frozen=True)
class Runs:
	"""What is run again and again, and as whom.

	:param bench: the bench's folder
	:param seconds: between the end of one and the begin of the next
	"""

	site: str
	source: str
	bench: Path
	user: str
	deletes: bool = False
	seconds: int = SECONDS

	@property
	def command(self) -> list[str]:
		"""The command, by the bench's own Python, as bench itself may be anywhere."""
		python = str(self.bench / "env" / "bin" / "python")
		sync = [
			"read-replica",
			"sync",
			"--once",
			"--from",
			self.source,
			*(["--delete"] if self.deletes else []),
		]
		return [python, "-m", "frappe.utils.bench_helper", "frappe", "--site", self.site, *sync]


def units(runs: Runs) -> list[UnitFile]:
	"""Returns a service and its timer. A run that takes long is not begun a second time."""
	name = f"read-replica-sync-{runs.site}"
	service = SERVICE.format(
		site=_escaped(runs.site),
		user=runs.user,
		folder=_escaped(str(runs.bench / "sites")),
		command=" ".join(_quoted(word) for word in runs.command),
	)
	timer = TIMER.format(site=_escaped(runs.site), seconds=runs.seconds)
	return [UnitFile(f"{name}.service", service), UnitFile(f"{name}.timer", timer)]


def _escaped(text: str) -> str:
	return text.replace("%", "%%")


def _quoted(word: str) -> str:
	"""Returns a word of a command as systemd takes it literally."""
	escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
	return f'"{escaped}"'


def cron_line(runs: Runs) -> str:
	"""Returns a line for the crontab of the bench's user. Cron knows no seconds: it runs every minute, or every few."""
	minutes = max(1, round(runs.seconds / 60))
	when = "*" if minutes == 1 else f"*/{minutes}"
	command = f"cd {shlex.quote(str(runs.bench / 'sites'))} && {shlex.join(runs.command)}"
	# To cron, a bare % is the end of the line.
	return f"{when} * * * * {command} >/dev/null".replace("%", "\\%")


def write(folder: Path, files: list[UnitFile]) -> bool:
	"""Writes the units that differ into a folder; returns whether there were any.

	:raises OSError: if that is not possible
	"""
	changed = [one for one in files if _text(folder / one.name) != one.text]
	for one in changed:
		put_in_place(folder / one.name, one.text)
	return bool(changed)


def _text(path: Path) -> str | None:
	return path.read_text() if path.exists() else None
