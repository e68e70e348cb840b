# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What `sync` has copied or would copy, as JSON has it and as it is printed; docs/sync.md explains the keys."""

from dataclasses import dataclass, field
from datetime import datetime

import click

from read_replica.deploy.sync_units import UnitFile

MOST_FILES = 100
MOST_PRINTED = 20


@dataclass
class SyncReport:
	"""What was copied, or would be.

	:param has_run: whether it was done; False: it was only shown
	:param copied: how many files are new or other than before
	:param deleted: how many were deleted here, as the other server does not have them
	:param files: the first hundred of both
	:param diff: the change of site_config.json, without secrets
	:param units: what systemd needs to run it again and again
	:param units_in: the folder that these were written into; None: they were only shown
	:param cron: a line that does the same
	"""

	site: str
	at: datetime
	source: str
	has_run: bool = False
	copied: int = 0
	deleted: int = 0
	files: list[str] = field(default_factory=list)
	diff: str = ""
	has_changed: bool = False
	seconds: float = 0.0
	units: list[UnitFile] = field(default_factory=list)
	units_in: str | None = None
	cron: str = ""


def print_sync(report: SyncReport) -> None:
	"""Print what was copied, the change of site_config.json, and how it is run again and again."""
	for path in report.files[:MOST_PRINTED]:
		click.echo(path)
	if report.copied + report.deleted > MOST_PRINTED:
		click.echo("…")
	if report.diff:
		click.echo(f"\n{report.diff}\n")
	click.echo(_outcome(report))
	if report.units_in:
		click.echo(f"Units for systemd are in {report.units_in}. As root:\n{_commands(report)}")
	elif report.units and not report.has_run:
		click.echo("\nEvery minute by systemd; --units FOLDER writes these two files:\n")
		for unit in report.units:
			click.echo(f"# {unit.name}\n{unit.text}")
		click.echo(f"Or by cron, in the crontab of the bench's user:\n{report.cron}")


def _outcome(report: SyncReport) -> str:
	config = "site_config.json as shown" if report.diff else "site_config.json is the same"
	count = f"{report.copied} files to copy, {report.deleted} to delete, {config}"
	if not report.has_run:
		return f"{count}. Nothing was changed; --once does it."
	if not report.has_changed:
		return f"All is the same as on {report.source}; nothing was changed."
	changed = ", site_config.json changed" if report.diff else ""
	return f"{report.copied} files copied, {report.deleted} deleted{changed}, in {report.seconds:.1f} s."


def _commands(report: SyncReport) -> str:
	files = " ".join(f"{report.units_in}/{unit.name}" for unit in report.units)
	timer = next(unit.name for unit in report.units if unit.name.endswith(".timer"))
	return f"  cp {files} /etc/systemd/system/\n  systemctl daemon-reload && systemctl enable --now {timer}"
