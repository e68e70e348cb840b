# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Copies a site's files and site_config.json from the primary's app server to this one.

Only public/files, private/files and site_config.json are ever asked for, so logs, locks, backups and indexes of both
servers stay where they are. Nothing here is deleted, unless that is asked for.
"""

import fcntl
import json
import os
import pwd
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from read_replica.deploy import rsync, sync_stamp
from read_replica.deploy.json_file import Change, rewritten
from read_replica.deploy.sync_stamp import age_of
from read_replica.deploy.synced_config import TakenOver, take_over

__all__ = ["SyncFailed", "Synced", "age_of", "sync"]

CONFIG = "site_config.json"
LOCK = ".read_replica-sync.lock"
FILES = ("public/files", "private/files")
# What a server needs beside them to serve a site.
FOLDERS = ("logs", "locks", "private/backups")

# As Frappe names the results of prepared reports. Each server keeps its own: they come and go with its workers.
PREPARED_REPORTS = "/*[0-9]-[0-9]*-[0-9]*-[0-9]*[-:_][0-9]*.json*.gz"

MOST_DELETED = 100


class SyncFailed(Exception):
	"""Raised when nothing was copied, or not all of it; the last stamp stays as it is."""


# What a command says as a sentence, without a traceback.
ERRORS = (SyncFailed, rsync.RsyncFailed, OSError, ValueError)


@dataclass(frozen=True)
class Synced:
	"""What was copied, or would be.

	:param files: paths within the site's folder
	:param deleted: likewise
	:param config: the change of site_config.json
	"""

	files: list[str]
	deleted: list[str]
	config: Change

	@property
	def has_changes(self) -> bool:
		"""Whether anything is other than before."""
		return bool(self.files or self.deleted or self.config)


def sync(
	folder: Path,
	source: str,
	deletes: bool = False,
	most_deleted: int = MOST_DELETED,
	dry_run: bool = False,
) -> Synced:
	"""Copies what has changed; site_config.json is read and understood first, and put in place after the files.

	:param folder: the site's folder on this server
	:param source: that on the other server, as rsync has it: USER@HOST:PATH, rsync://HOST/MODULE/PATH or a path
	:param deletes: whether files that the other server does not have are deleted here
	:param most_deleted: if there are more of them, nothing at all is copied or deleted
	:param dry_run: whether nothing is changed
	:raises SyncFailed: if another one is running, or if the other server's folder is not as it should be
	:raises CannotTakeOver: if a person has to decide about a key
	:raises RsyncFailed: if a copy failed
	:raises OSError: if something cannot be written here
	"""
	source = source.rstrip("/")
	_check_folder(folder, source)
	with nullcontext() if dry_run else _alone(folder):
		there = _config_there(source)
		config, taken_over = take_over(there, _config_here(folder), _last(folder), _has_address(folder))
		options = ["--exclude", PREPARED_REPORTS, *(["--delete-delay"] if deletes else [])]
		if deletes:
			_check_deletions(_copy_files(source, folder, options, dry_run=True), most_deleted)
		if not dry_run:
			_make_folders(folder)
		copied = _copy_files(source, folder, options, dry_run)
		change = rewritten(folder / CONFIG, config)
		if not dry_run:
			if change:
				change.write()
			sync_stamp.write(folder, source, taken_over)
	return Synced(copied.files, copied.deleted, change)


def _check_folder(folder: Path, source: str) -> None:
	if not folder.is_dir():
		raise SyncFailed(f"There is no folder {folder}. If the site is new on this server: mkdir {folder}")
	if Path(source).exists() and Path(source).samefile(folder):
		raise SyncFailed(f"{source} is the folder of the site on this server itself.")
	owner = folder.stat().st_uid
	if owner != os.geteuid():
		raise SyncFailed(
			f"{folder} belongs to {_user(owner)}, and what {_user(os.geteuid())} copies would not. Run it as"
			f" {_user(owner)}."
		)


def _user(uid: int) -> str:
	try:
		return pwd.getpwuid(uid).pw_name
	except KeyError:
		return f"the user with id {uid}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
	"""A block that no other process on this server is in for the same site; the kernel opens the lock if this one dies."""
	with open(folder / LOCK, "a+") as lock:
		try:
			fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
		except BlockingIOError as error:
			lock.seek(0)
			raise SyncFailed(
				f"Another sync of this site is running (process {lock.read().strip()}); nothing was done."
			) from error
		lock.truncate(0)
		lock.write(f"{os.getpid()}\n")
		lock.flush()
		yield


def _config_there(source: str) -> dict[str, Any]:
	"""Returns site_config.json of the other server, if it is whole: Frappe writes it in place."""
	with tempfile.TemporaryDirectory(prefix="read_replica-sync-") as scratch:
		rsync.copy(f"{source}/{CONFIG}", Path(scratch) / CONFIG)
		return _object(Path(scratch) / CONFIG, f"{CONFIG} of {source}")


def _config_here(folder: Path) -> dict[str, Any]:
	path = folder / CONFIG
	return _object(path, str(path)) if path.exists() else {}


def _object(path: Path, name: str) -> dict[str, Any]:
	try:
		found = json.loads(path.read_text())
	except ValueError as error:
		raise SyncFailed(
			f"{name} is no whole JSON: {error}. If it is being written just now, the next sync finds it whole."
			" Nothing was changed."
		) from error
	if not isinstance(found, dict):
		raise SyncFailed(f"{name} is no JSON object. Nothing was changed.")
	return found


def _last(folder: Path) -> TakenOver:
	stamp = sync_stamp.read(folder)
	return stamp.taken_over if stamp else TakenOver()


def _has_address(folder: Path) -> bool:
	"""Returns whether the bench says where the primary is, for sites that do not."""
	common = folder.parent / "common_site_config.json"
	found: Mapping[str, Any] = _object(common, str(common)) if common.exists() else {}
	return bool(found.get("db_host") or found.get("db_socket") or os.environ.get("FRAPPE_DB_HOST"))


def _check_deletions(copied: rsync.Copied, most: int) -> None:
	if len(copied.deleted) > most:
		raise SyncFailed(
			f"{len(copied.deleted)} files that are here are not on the other server, such as {copied.deleted[0]}."
			" Are its folders mounted? Nothing was changed. If it is right:"
			f" --most-deleted {len(copied.deleted)}"
		)


def _make_folders(folder: Path) -> None:
	for name in (*FILES, *FOLDERS):
		(folder / name).mkdir(parents=True, exist_ok=True)


def _copy_files(source: str, folder: Path, options: list[str], dry_run: bool) -> rsync.Copied:
	files, deleted = [], []
	for name in FILES:
		copied = rsync.copy(f"{source}/{name}/", folder / name, options, dry_run)
		files += [f"{name}/{path}" for path in copied.files]
		deleted += [f"{name}/{path}" for path in copied.deleted]
	return rsync.Copied(files, deleted)
