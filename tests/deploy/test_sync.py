# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A site's files and configuration come over whole or not at all, and what is the second server's own stays."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from read_replica.deploy import rsync, sync_checks, sync_stamp
from read_replica.deploy.doctor import run as run_checks
from read_replica.deploy.sync import LOCK, SyncFailed, age_of, sync
from support.docs import ROOT, Page
from support.rsync_server import RsyncDaemon, remote_shell
from support.site_folders import CONFIG, REPORTS, site_here, site_there, write
from support.waiting import until

READ_FOR_EVER = "import json, sys\nwhile True: json.load(open(sys.argv[1]))"


@pytest.fixture
def there(tmp_path):
	return site_there(tmp_path)


@pytest.fixture
def here(tmp_path):
	return site_here(tmp_path)


def contents(folder: Path) -> dict[str, tuple[str, int]]:
	"""The text and the time of each file of a site, without what the sync itself leaves."""
	return {
		str(path.relative_to(folder)): (path.read_text(errors="replace"), path.stat().st_mtime_ns)
		for path in sorted(folder.rglob("*"))
		if path.is_file() and path.name not in (sync_stamp.NAME, LOCK)
	}


def config(folder: Path) -> dict:
	return json.loads((folder / "site_config.json").read_text())


def test_files_and_configuration_come_over_and_nothing_else_does(there, here):
	synced = sync(here, str(there))
	assert {path: text for path, (text, _) in contents(here).items() if path != "site_config.json"} == {
		"public/files/logo.png": "logo",
		"private/files/deep/er/a b ü.pdf": "pdf",
		"private/files/data.json.gz": "an upload",
	}
	assert config(here) == CONFIG
	assert "private/files/deep/er/a b ü.pdf" in synced.files and synced.has_changes
	assert (here / "locks").is_dir() and (here / "logs").is_dir() and (here / "private/backups").is_dir()
	assert (here / "site_config.json").stat().st_mode & 0o077 == 0


def test_run_twice_it_changes_nothing(there, here):
	sync(here, str(there))
	before = contents(here)
	assert not sync(here, str(there)).has_changes
	assert contents(here) == before


def test_a_change_on_the_other_server_comes_over(there, here):
	sync(here, str(there))
	write(there / "public/files/logo.png", "a new logo")
	write(there / "site_config.json", json.dumps(CONFIG | {"limit": 6}))
	assert sync(here, str(there)).files == ["public/files/logo.png"]
	assert (here / "public/files/logo.png").read_text() == "a new logo" and config(here)["limit"] == 6


@pytest.mark.parametrize("deletes", [False, True])
def test_what_is_the_second_servers_own_is_never_deleted_or_overwritten(there, here, deletes):
	own = [f"private/files/{name}" for name in REPORTS]
	own += ["logs/web.log", "locks/bench_migrate.lock", "private/backups/b.sql.gz", "indexes/x/y"]
	for name in own:
		write(here / name, "ours")
	sync(here, str(there), deletes)
	assert {name: (here / name).read_text() for name in own} == dict.fromkeys(own, "ours")


def test_files_are_deleted_only_if_that_is_asked_for(there, here):
	extra = write(here / "public/files/old.png")
	assert sync(here, str(there)).deleted == [] and extra.exists()
	assert sync(here, str(there), deletes=True).deleted == ["public/files/old.png"] and not extra.exists()


def test_a_folder_that_is_empty_by_mistake_empties_no_other(there, here):
	sync(here, str(there))
	for number in range(5):
		write(here / f"public/files/{number}.png")
	before = contents(here)
	with pytest.raises(SyncFailed, match=r"5 files that are here.*mounted.*--most-deleted 5"):
		sync(here, str(there), deletes=True, most_deleted=4)
	assert contents(here) == before


@pytest.mark.parametrize("text", ["", '{"db_name": "_1", "db_pas', "[]", "null"])
def test_a_configuration_that_is_not_whole_is_not_put_in_place(there, here, text):
	sync(here, str(there))
	before, stamp = contents(here), sync_stamp.read(here)
	write(there / "site_config.json", text)
	write(there / "public/files/logo.png", "a new logo")
	with pytest.raises(SyncFailed, match="Nothing was changed"):
		sync(here, str(there))
	assert contents(here) == before and sync_stamp.read(here) == stamp


def test_who_reads_the_configuration_meanwhile_never_reads_a_part_of_it(there, here):
	sync(here, str(there))
	reader = subprocess.Popen(
		[sys.executable, "-c", READ_FOR_EVER, str(here / "site_config.json")],
		stderr=subprocess.PIPE,
	)
	try:
		for number in range(10):
			write(there / "site_config.json", json.dumps(CONFIG | {"limit": "x" * 100_000 + str(number)}))
			sync(here, str(there))
		assert reader.poll() is None, reader.stderr.read()
	finally:
		reader.kill()
		reader.communicate()


def test_a_copy_that_is_interrupted_leaves_the_old_files_in_place_and_is_finished_by_the_next(
	there, here, tmp_path, monkeypatch
):
	sync(here, str(there))
	before, stamp = contents(here), sync_stamp.read(here)
	write(there / "public/files/logo.png", "a new logo")
	(there / "public/files/z.bin").write_bytes(os.urandom(4_000_000))
	# The second connection, that of the files, ends after a megabyte.
	whole = f'if mkdir {tmp_path}/first 2>/dev/null; then exec "$@"; fi\n'
	cut = """exec setsid sh -c '"$@" | { dd bs=4096 count=1000000 iflag=count_bytes status=none; kill -KILL 0; }' sh "$@"\n"""
	monkeypatch.setenv("RSYNC_RSH", remote_shell(tmp_path / "cut", whole + cut))
	with pytest.raises(rsync.RsyncFailed, match="ended with status"):
		sync(here, f"app1:{there}")
	kept = {path: text for path, text in contents(here).items() if ".~tmp~" not in path}
	assert kept == before and sync_stamp.read(here) == stamp
	monkeypatch.setenv("RSYNC_RSH", remote_shell(tmp_path / "whole", 'exec "$@"\n'))
	sync(here, f"app1:{there}")
	assert (here / "public/files/logo.png").read_text() == "a new logo"
	assert (here / "public/files/z.bin").read_bytes() == (there / "public/files/z.bin").read_bytes()
	assert not list(here.rglob(".~tmp~"))


def test_of_two_at_once_the_second_says_so_and_a_dead_one_holds_no_lock(there, here, tmp_path, monkeypatch):
	script = f'touch {tmp_path}/began; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exec "$@"\n'
	monkeypatch.setenv("RSYNC_RSH", remote_shell(tmp_path / "slow", script))
	call = "from pathlib import Path; import sys; from read_replica.deploy.sync import sync"
	first = subprocess.Popen(
		[sys.executable, "-c", f"{call}; sync(Path(sys.argv[1]), sys.argv[2])", str(here), f"app1:{there}"],
		env=os.environ | {"PYTHONPATH": str(ROOT)},
	)
	try:
		until(lambda: (tmp_path / "began").exists())
		with pytest.raises(SyncFailed, match=rf"is running \(process {first.pid}\)"):
			sync(here, str(there))
		assert not (here / "public").exists()
		first.kill()
		first.wait()
		sync(here, str(there))
	finally:
		write(tmp_path / "go")
		first.kill()
		first.wait()


def test_a_dry_run_changes_nothing_and_says_what_would_be_done(there, here):
	synced = sync(here, str(there), dry_run=True)
	assert contents(here) == {} and list(here.iterdir()) == []
	assert (
		len(synced.files) == 3
		and '"db_name"' in synced.config.diff()
		and "secret" not in synced.config.diff()
	)


def test_it_copies_from_a_daemon(there, here, tmp_path):
	(tmp_path / "daemon").mkdir()
	daemon = RsyncDaemon(tmp_path / "daemon", there)
	daemon.start()
	try:
		sync(here, f"rsync://127.0.0.1:{daemon.port}/site/")
	finally:
		daemon.stop()
	assert (here / "public/files/logo.png").read_text() == "logo" and config(here) == CONFIG
	with pytest.raises(rsync.RsyncFailed, match="port open"):
		sync(here, f"rsync://127.0.0.1:{daemon.port}/site/")


def test_folders_that_are_links_to_another_disk_stay_links_and_their_files_come_over(there, here, tmp_path):
	for folder in (there, here):
		disk = tmp_path / f"disk-{folder.parts[-3]}"
		disk.mkdir()
		if (folder / "public/files").exists():
			(folder / "public/files").rename(disk / "files")
		else:
			write(disk / "files/old.png")
			(folder / "public").mkdir()
		(folder / "public/files").symlink_to(disk / "files")
	sync(here, str(there), deletes=True)
	assert (here / "public/files").is_symlink()
	assert os.listdir(tmp_path / "disk-app2/files") == ["logo.png"]


def test_a_link_within_the_files_to_another_disk_comes_over_as_what_it_holds(there, here, tmp_path):
	write(tmp_path / "disk/scan.pdf", "scan")
	(there / "private/files/scans").symlink_to(tmp_path / "disk")
	sync(here, str(there))
	assert (here / "private/files/scans/scan.pdf").read_text() == "scan"
	assert not (here / "private/files/scans").is_symlink()


def test_without_the_folder_on_the_other_server_it_says_what_rsync_has_said(there, here):
	with pytest.raises(rsync.RsyncFailed, match="Is the path right"):
		sync(here, f"{there}-elsewhere")
	assert age_of(here) is None


def test_the_folder_itself_and_one_that_is_not_there_are_refused(there, here):
	with pytest.raises(SyncFailed, match="on this server itself"):
		sync(here, str(here))
	with pytest.raises(SyncFailed, match="mkdir"):
		sync(here / "no", str(there))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_only_the_user_of_the_bench_may_run_it_so_that_all_files_are_that_users(there, here):
	os.chown(here, 65534, 65534)
	with pytest.raises(SyncFailed, match="Run it as"):
		sync(here, str(there))
	assert list(here.iterdir()) == []


def test_the_age_is_that_of_the_last_whole_sync_and_the_doctor_sees_it(there, here):
	def found():
		[one] = run_checks(sync_checks.CHECKS, here)
		return one.status, one.seen

	assert age_of(here) is None and found()[0] == "skipped"
	sync(here, str(there))
	assert 0 <= age_of(here) < 60 and found() == ("ok", "")
	stamp = json.loads((here / sync_stamp.NAME).read_text())
	write(here / sync_stamp.NAME, json.dumps(stamp | {"at": time.time() - 3600}))
	assert found() == ("warn", "the last whole sync ended 60 minutes ago")


def test_the_check_is_explained_where_its_link_leads():
	page = Page("docs/doctor.md")
	for one in sync_checks.CHECKS:
		assert one.id in page.anchors and one.expected in page.text and one.fix in page.text
