# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the command `sync` does with its options, and the report on it."""

import pwd
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from read_replica.deploy import sync_stamp, sync_units
from read_replica.deploy.sync import MOST_DELETED, SyncFailed, sync
from read_replica.deploy.sync_report import MOST_FILES, SyncReport


@dataclass(frozen=True)
class Asked:
	"""What the command was asked to do.

	:param source: None: that of the last sync
	:param does: whether it is done, or only shown
	:param every: seconds between two syncs, for the timer
	"""

	source: str | None = None
	does: bool = False
	deletes: bool = False
	most_deleted: int = MOST_DELETED
	every: int = sync_units.SECONDS


def run(folder: Path, asked: Asked, units_in: Path | None) -> SyncReport:
	"""Syncs a site's folder, or shows what that would change, with what runs it again and again.

	:param folder: the site's folder in the bench's sites
	:param units_in: the folder to write units for systemd into; then nothing is copied, unless that is asked for too
	:raises SyncFailed: if no source is known, or as `sync` says; what else that raises
	"""
	source = asked.source or _last_source(folder)
	report = SyncReport(folder.name, datetime.now(timezone.utc), source)
	if asked.does or not units_in:
		_sync(report, folder, asked)
	runs = _runs(folder, source, asked)
	report.units, report.cron = sync_units.units(runs), sync_units.cron_line(runs)
	if units_in:
		report.has_changed |= sync_units.write(units_in, report.units)
		report.units_in = str(units_in)
	return report


def _last_source(folder: Path) -> str:
	stamp = sync_stamp.read(folder)
	if not stamp:
		raise SyncFailed(
			"Nothing was synced here yet, so say from where: --from USER@HOST:/path/to/bench/sites/SITE"
		)
	return stamp.source


def _sync(report: SyncReport, folder: Path, asked: Asked) -> None:
	began = time.monotonic()
	synced = sync(folder, report.source, asked.deletes, asked.most_deleted, dry_run=not asked.does)
	report.seconds = round(time.monotonic() - began, 3)
	report.has_run = asked.does
	report.copied, report.deleted = len(synced.files), len(synced.deleted)
	report.files = (synced.files + synced.deleted)[:MOST_FILES]
	report.diff = synced.config.diff() if synced.config else ""
	report.has_changed = asked.does and synced.has_changes


def _runs(folder: Path, source: str, asked: Asked) -> sync_units.Runs:
	owner = pwd.getpwuid(folder.stat().st_uid).pw_name
	return sync_units.Runs(folder.name, source, folder.parent.parent, owner, asked.deletes, asked.every)
