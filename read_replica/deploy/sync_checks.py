# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The check of the age of the last sync, on a server that copies its files from another one."""

from collections.abc import Iterator
from pathlib import Path

from read_replica.deploy.doctor import Check, Skipped, Trouble
from read_replica.deploy.sync_stamp import age_of
from read_replica.engine.sentence import Sentence

SECONDS = 900


def _synced(folder: Path) -> Iterator[Trouble]:
	age = age_of(folder)
	if age is None:
		raise Skipped("this server has copied nothing from another one by this app")
	if age > SECONDS:
		yield Trouble("warn", Sentence("the last whole sync ended {0} minutes ago", f"{age / 60:.0f}"))


CHECKS = (
	Check(
		"synced-lately",
		"a server that copies its files from another one has done so within 15 minutes",
		("servers",),
		_synced,
		"See why it ends: bench --site SITE read-replica sync --once; then systemctl list-timers, or the crontab",
	),
)
