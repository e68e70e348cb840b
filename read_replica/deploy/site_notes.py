# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Notes in the database what this server has seen of itself, and reads what the others have (doctype Server Note)."""

import hashlib
import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import frappe
from frappe.utils import get_bench_id, get_bench_path, now

from read_replica.database.bookkeeping import execute_and_commit, is_before_migrate
from read_replica.deploy import nginx_file, processes, site_nginx
from read_replica.deploy.doctor import Skipped
from read_replica.deploy.redis_facts import Redises
from read_replica.deploy.replica_user import REFUSED_AS_READ_ONLY
from read_replica.deploy.server_checks import AppServers
from read_replica.deploy.server_notes import ServerNote, digest_of_key, digests_of_config
from read_replica.engine.dialect import number_of
from read_replica.jobs.rules import DEFAULT_SERVER

# A server that is gone is forgotten then.
DAYS_KEPT = 90

MINUTES_OF_JOBS = 15

# A file that was uploaded just now is not on other servers yet.
MINUTES_UNTIL_SYNCED = 15
MOST_FILES = 200

LENGTH_OF_A_NAME = 140


def app_servers(redises: Redises) -> AppServers:
	"""Note what this server sees of itself, commit, and return it with what the other servers have noted.

	:raises Skipped: if the site is not migrated yet, or what db_host leads to takes no writes
	"""
	facts = _facts(redises)
	host, bench = socket.gethostname(), get_bench_path()
	try:
		_write(host, bench, facts)
		notes = _notes()
	except Exception as error:
		if number_of(error) in REFUSED_AS_READ_ONLY:
			raise Skipped("the primary is read_only, so nothing can be noted there") from error
		if not is_before_migrate(error):
			raise
		raise Skipped("the site is not migrated to this version yet") from error
	own = next(note for note in notes if (note.host, note.bench) == (host, bench))
	return AppServers(
		own=own,
		others=[note for note in notes if note is not own],
		hosts_with_jobs=_hosts_with_jobs(),
		missing={
			"files-are-here": _missing_files("!="),
			"prepared-reports-are-here": _missing_files("="),
		},
		is_nginx_outdated=_is_nginx_outdated(),
	)


def _write(host: str, bench: str, facts: Mapping[str, Any]) -> None:
	name = f"{hashlib.sha256(f'{host}:{bench}'.encode()).hexdigest()[:10]}-{host}"[:LENGTH_OF_A_NAME]
	values = {"name": name, "now": now(), "host": host, "bench": bench, "facts": json.dumps(facts, indent=1)}
	execute_and_commit(
		"insert into `tabServer Note`"
		" (name, creation, modified, owner, modified_by, host, bench, noted_at, facts)"
		" values (%(name)s, %(now)s, %(now)s, 'Administrator', 'Administrator', %(host)s, %(bench)s,"
		" utc_timestamp(6), %(facts)s)"
		" on duplicate key update modified = values(modified), noted_at = values(noted_at), facts = values(facts)",
		values,
	)
	execute_and_commit(
		"delete from `tabServer Note` where noted_at < utc_timestamp() - interval %s day", (DAYS_KEPT,)
	)


def _notes() -> list[ServerNote]:
	rows = frappe.db.sql("select host, bench, noted_at, facts from `tabServer Note` order by host, bench")
	return [ServerNote(host, bench, noted_at, json.loads(facts)) for host, bench, noted_at, facts in rows]


def _hosts_with_jobs() -> list[str]:
	rows = frappe.db.sql(
		"select distinct host from `tabJob Server` where host != '' and"
		" greatest(coalesce(scheduler_alive_at, 0), coalesce(workers_alive_at, 0))"
		" > utc_timestamp() - interval %s minute",
		(MINUTES_OF_JOBS,),
	)
	return [host for (host,) in rows]


def _facts(redises: Redises) -> dict[str, Any]:
	"""Returns what can be found out; a fact that cannot is left out."""
	finders: dict[str, Callable[[], Any]] = {
		"redis_cache": lambda: redises.cache.state.info["run_id"],
		"redis_queue": lambda: redises.queue.state.info["run_id"],
		"bench_id": get_bench_id,
		"database": _database,
		"seconds_ahead": _seconds_ahead,
		"apps": _versions,
		"assets": _assets,
		"server_ids": _server_ids,
		"encryption_key": lambda: digest_of_key(_site_config()["encryption_key"]),
		"site_config": lambda: digests_of_config(_site_config(), _site_config()["encryption_key"]),
	}
	facts = {}
	for name, find in finders.items():
		# Such as a Redis that is down, or a site that has made no key yet.
		with suppress(Exception):
			facts[name] = find()
	return facts


def _site_config() -> dict[str, Any]:
	return json.loads(Path(frappe.get_site_path("site_config.json")).read_text())


def _database() -> str:
	[[server_id, host, port]] = frappe.db.sql("select @@server_id, @@hostname, @@port")
	return f"{server_id} on {host}:{port}"


def _seconds_ahead() -> float:
	began = time.time()
	[[there]] = frappe.db.sql("select unix_timestamp(now(6))")
	return round((began + time.time()) / 2 - float(there), 3)


def _versions() -> dict[str, str]:
	return {app: str(getattr(import_module(app), "__version__", "")) for app in frappe.get_installed_apps()}


def _assets() -> str:
	path = Path(frappe.local.sites_path) / "assets" / "assets.json"
	return hashlib.sha256(path.read_bytes()).hexdigest()


def _server_ids() -> list[str]:
	"""Returns the server ids that the processes of this bench have.

	:raises LookupError: if none is seen, as in a container of its own
	"""
	found = processes.of_bench(Path(get_bench_path()))
	if not found or any(process.problem for process in found):
		raise LookupError("no process of this bench is to be seen")
	return sorted({(process.server_id or "").strip() or DEFAULT_SERVER for process in found})


def _is_nginx_outdated() -> bool | None:
	config = Path(get_bench_path()) / "config"
	try:
		derived, source = ((config / name).read_text() for name in (site_nginx.DERIVED, site_nginx.FILE))
	except OSError:
		return None
	return nginx_file.is_outdated(derived, source)


def _missing_files(comparison: str) -> list[str]:
	"""Returns which of the newest files of the site are not on this server's disk.

	:param comparison: "=" for those of prepared reports, "!=" for all others
	"""
	rows = frappe.db.sql(
		"select file_url from `tabFile` where is_folder = 0"
		" and (file_url like '/files/%%' or file_url like '/private/files/%%')"
		f" and coalesce(attached_to_doctype, '') {comparison} 'Prepared Report'"
		" and creation < %s - interval %s minute order by creation desc limit %s",
		(now(), MINUTES_UNTIL_SYNCED, MOST_FILES),
	)
	return [url for (url,) in rows if not Path(_path_of(url)).exists()]


def _path_of(url: str) -> str:
	folder = "private/files" if url.startswith("/private/files/") else "public/files"
	return frappe.get_site_path(*folder.split("/"), url.rpartition("/files/")[2])
