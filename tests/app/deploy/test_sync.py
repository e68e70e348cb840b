# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The command copies a site, also one that this bench has only an empty folder of, and needs no database for it."""

import json
import shutil

import pytest

from support.bench import SITE
from support.site_folders import CONFIG, site_there

NEW = "second.test"


@pytest.fixture
def new_site(configured, tmp_path):
	folder = configured.path / NEW
	folder.mkdir()
	yield configured, folder, str(site_there(tmp_path))
	shutil.rmtree(folder)


def sync(sites, *options: str, site: str = NEW):
	return sites.run("--site", site, "read-replica", "sync", *options)


def test_a_site_comes_over_and_the_doctor_sees_when(new_site):
	sites, folder, source = new_site
	sites.configure_common(db_host="127.0.0.1")
	shown = sync(sites, "--from", source)
	assert shown.returncode == 0, shown.stderr
	assert (
		"[Timer]" in shown.stdout and "Nothing was changed" in shown.stdout and list(folder.iterdir()) == []
	)
	done = sync(sites, "--from", source, "--once", "--json")
	assert done.returncode == 0, done.stderr
	report = json.loads(done.stdout)
	assert (
		report["site"] == NEW
		and report["copied"] == 3
		and report["has_changed"]
		and "secret" not in done.stdout
	)
	assert json.loads((folder / "site_config.json").read_text()) == CONFIG
	again = sync(sites, "--once")
	assert "nothing was changed" in again.stdout, again.stderr


def test_what_cannot_be_done_is_said_in_a_sentence(new_site):
	sites, folder, source = new_site
	for options in ((), ("--from", f"{source}-elsewhere", "--once"), ("--from", str(folder))):
		wrong = sync(sites, *options)
		assert wrong.returncode == 1 and "Error: " in wrong.stderr and "Traceback" not in wrong.stderr
	other = sync(sites, "--from", source, "--once", site=SITE)
	assert other.returncode == 1 and "another site" in other.stderr


def test_the_doctor_skips_the_check_where_nothing_is_synced(configured):
	found = configured.run("--site", SITE, "read-replica", "doctor", "synced-lately", "--json")
	[one] = json.loads(found.stdout)["findings"]
	assert one["status"] == "skipped" and found.returncode == 0
