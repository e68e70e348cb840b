# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What runs a sync again and again is taken by systemd, and says to the program what was meant."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from read_replica.deploy import sync_units
from read_replica.deploy.sync import SyncFailed, age_of
from read_replica.deploy.sync_command import Asked, run
from read_replica.deploy.sync_units import Runs
from read_replica.deploy.text_file import put_in_place
from support.servers import find_program
from support.site_folders import site_here, site_there, write

SOURCE = 'frappe@10.0.0.1:/srv/50% "of" it/$HOME/sites/site.test'


@pytest.fixture
def runs(tmp_path):
	"""A bench whose Python writes down how it was called."""
	python = write(tmp_path / "a bench/env/bin/python", '#!/bin/sh\nprintf "%s\\n" "$PWD" "$@" > called\n')
	python.chmod(0o755)
	(tmp_path / "a bench/sites").mkdir()
	return Runs("site.test", SOURCE, tmp_path / "a bench", Path(tmp_path).owner(), deletes=True, seconds=120)


def verify(folder: Path) -> subprocess.CompletedProcess:
	return subprocess.run(
		[
			find_program("systemd-analyze"),
			"verify",
			"--man=no",
			*map(str, sorted(folder.glob("read-replica*"))),
		],
		env=os.environ | {"SYSTEMD_UNIT_PATH": f"{folder}:"},
		capture_output=True,
		text=True,
		timeout=60,
	)


def test_systemd_understands_the_service_and_the_timer(runs, tmp_path):
	assert sync_units.write(tmp_path, sync_units.units(runs))
	found = verify(tmp_path)
	assert found.returncode == 0 and "read-replica" not in found.stderr, found.stderr
	assert not sync_units.write(tmp_path, sync_units.units(runs))
	write(
		tmp_path / "read-replica-sync-site.test.service", "[Service]\nType=oneshot\nExecStart=relative path\n"
	)
	assert verify(tmp_path).returncode != 0


def test_cron_runs_what_was_meant_whatever_stands_in_a_path(runs):
	line = sync_units.cron_line(runs)
	when, command = line.split(" * * * * ")
	assert when == "*/2" and "%" not in command.replace("\\%", "")
	subprocess.run(["sh", "-c", command.replace("\\%", "%")], check=True)
	called = (runs.bench / "sites/called").read_text().splitlines()
	assert called == [str(runs.bench / "sites"), *runs.command[1:]]


def test_the_service_quotes_what_systemd_would_replace(runs):
	[service, _] = sync_units.units(runs)
	assert '"frappe@10.0.0.1:/srv/50%% \\"of\\" it/$$HOME/sites/site.test"' in service.text
	assert f"User={runs.user}\n" in service.text


def test_the_command_shows_first_does_it_when_asked_and_knows_the_source_afterwards(tmp_path):
	here, there = site_here(tmp_path), site_there(tmp_path)
	with pytest.raises(SyncFailed, match="--from USER@HOST"):
		run(here, Asked(), None)
	shown = run(here, Asked(str(there)), None)
	assert (shown.copied, shown.has_run, shown.has_changed) == (3, False, False) and age_of(here) is None
	assert str(there) in shown.cron and [unit.name for unit in shown.units] == [
		"read-replica-sync-site.test.service",
		"read-replica-sync-site.test.timer",
	]
	done = run(here, Asked(str(there), does=True), None)
	assert (done.copied, done.has_run, done.has_changed) == (3, True, True) and "secret" not in done.diff
	again = run(here, Asked(does=True), None)
	assert (again.copied, again.has_changed, again.source) == (0, False, str(there))
	write(there / "public/files/new.png")
	units = run(here, Asked(), tmp_path)
	assert units.has_changed and not units.has_run and (tmp_path / units.units[0].name).exists()
	assert not (here / "public/files/new.png").exists()


def test_a_new_file_is_for_its_owner_only_and_an_old_one_keeps_its_mode(tmp_path):
	put_in_place(tmp_path / "new", json.dumps({}))
	assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
	(tmp_path / "new").chmod(0o644)
	put_in_place(tmp_path / "new", "text")
	assert (tmp_path / "new").stat().st_mode & 0o777 == 0o644 and (tmp_path / "new").read_text() == "text"
