# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The changes that make a bench the one of a first or of a second server, all planned before the first is written."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from read_replica.deploy import bench_programs, json_file, lan_address, overlays, redis_access, server_role
from read_replica.deploy.offer import Offer
from read_replica.deploy.server_role import Role
from read_replica.deploy.text_file import TextChange, text_of

SUPERVISOR_FOLDERS = (Path("/etc/supervisor/conf.d"), Path("/etc/supervisord.d"))
SYSTEMD_FOLDER = Path("/etc/systemd/system")


@dataclass
class Plan:
	"""Changes of files, and what is left for a person to do, as commands or sentences, in their order."""

	changes: list[TextChange | json_file.Change] = field(default_factory=list)
	todo: list[str] = field(default_factory=list)

	def add(self, change: TextChange | json_file.Change) -> None:
		"""Take a change in, if it is one."""
		if change:
			self.changes.append(change)

	def write(self) -> None:
		"""Write all files, each in one step.

		:raises OSError: if one cannot be written; those before it are
		"""
		for change in self.changes:
			change.write()


class BenchFolder:
	"""A bench, by its folder."""

	def __init__(self, folder: Path) -> None:
		self.folder = folder
		self.name = folder.name
		self.config = folder / "config"
		self.common = folder / "sites" / "common_site_config.json"

	def has_supervisor(self) -> bool:
		"""Whether bench has written a file for supervisor."""
		return (self.config / "supervisor.conf").exists()

	def has_systemd(self) -> bool:
		"""Whether bench has given its units to systemd."""
		return any(SYSTEMD_FOLDER.glob(f"{self.name}-frappe-web.service"))


def lay_over(bench: BenchFolder, role: Role, queues: list[str]) -> Plan:
	"""Returns the plan that makes a bench's programs those of a role.

	:param queues: servers that are to have a queue of their own
	"""
	plan = Plan()
	plan.add(server_role.change(bench.config, role))
	if bench.has_supervisor():
		_lay_over_supervisor(plan, bench, role, queues)
	elif bench.has_systemd():
		_lay_over_systemd(plan, bench, role, queues)
	else:
		plan.todo.append(
			f"Give all processes of this bench SERVER_ID={role.server_id}: with bench start, by that line in .env"
			" beside the Procfile; with supervisor, run bench setup supervisor and then this command again"
		)
	return plan


def _lay_over_supervisor(plan: Plan, bench: BenchFolder, role: Role, queues: list[str]) -> None:
	programs = bench_programs.read(bench.config / "supervisor.conf", bench.name)
	file = bench.config / overlays.SUPERVISOR_FILE
	plan.add(TextChange(file, text_of(file), overlays.for_supervisor(programs, role)))
	missing = [queue for queue in queues if f"frappe-{queue}-worker" not in programs.commands]
	if missing:
		skip = "" if "redis-queue" in programs.commands else "--skip-redis "
		plan.todo += [
			f"bench setup supervisor {skip}--yes    # it has no workers yet for {', '.join(missing)}",
			"bench --site SITE read-replica second-server --renew",
		]
	of_bench = overlays.bench_link(bench.config, SUPERVISOR_FOLDERS)
	if not of_bench:
		of_bench = SUPERVISOR_FOLDERS[0] / f"{bench.name}.conf"
		plan.todo.append(f"sudo ln -s {bench.config / 'supervisor.conf'} {of_bench}")
	link = overlays.link_behind(of_bench)
	if link.resolve() != file.resolve():
		plan.todo.append(f"sudo ln -s {file} {link}")
	plan.todo += ["sudo supervisorctl reread && sudo supervisorctl update", "bench restart"]


def _lay_over_systemd(plan: Plan, bench: BenchFolder, role: Role, queues: list[str]) -> None:
	folder = bench.config / overlays.SYSTEMD_FOLDER
	redis = {
		program: f"{redis_server()} {bench.config}/{program.replace('-', '_')}.conf"
		for program in role.open_redis
	}
	files = overlays.for_systemd(bench.name, role, redis)
	for name, text in files.items():
		plan.add(TextChange(folder / name, text_of(folder / name), text))
	old = [path.relative_to(folder) for path in folder.rglob(overlays.DROP_IN)]
	plan.todo += [
		f"rm {folder / name} && sudo rm -f {SYSTEMD_FOLDER / name}    # this server does that again"
		for name in sorted(map(str, old))
		if name not in files
	]
	plan.todo += [
		f"sudo cp -r {folder}/. {SYSTEMD_FOLDER}/ && sudo systemctl daemon-reload",
		f"sudo systemctl restart '{bench.name}-*.service'",
	]
	if role.web_address:
		plan.todo.append(
			f"Let gunicorn listen on {role.web_address} as well: sudo systemctl edit {bench.name}-frappe-web, with"
			f" ExecStart= and then bench's own ExecStart with -b {role.web_address}:PORT"
		)
	# bench makes none for queues other than core's.
	plan.todo += [
		f"Make a unit {bench.name}-frappe-{queue}-worker.service like the one of the short queue, with"
		f" --queue {queue}: bench has none for it"
		for queue in queues
		if not (SYSTEMD_FOLDER / f"{bench.name}-frappe-{queue}-worker.service").exists()
	]


def open_redis(
	plan: Plan, bench: BenchFolder, conf: Mapping[str, Any], address: str, names: Sequence[str]
) -> dict[str, str]:
	"""Plan that Redis servers of this bench let others in; returns what their keys are to be.

	:param conf: common_site_config.json
	:param names: their keys there
	:raises ValueError: if that is not possible, with the reason
	"""
	password = redis_access.password_of(conf, names) or redis_access.new_password()
	version = _redis_version()
	keys = {}
	for key in names:
		plan.add(redis_access.acl_change(bench.config / f"{key}.acl", password, version))
		keys[key] = redis_access.url(password, address, urlsplit(conf[key]).port or 6379)
	return keys


def is_opened_here(conf: Mapping[str, Any], address: str | None, names: Sequence[str]) -> bool:
	"""Whether Redis servers are those of this bench, by their addresses.

	:param conf: common_site_config.json
	:param names: their keys there
	"""
	hosts = {urlsplit(conf.get(key) or "").hostname for key in names}
	return bool(address) and all(lan_address.is_local(host) or host == address for host in hosts)


def redis_server() -> str:
	"""Returns the path of redis-server.

	:raises FileNotFoundError: if it is not installed
	"""
	found = shutil.which("redis-server")
	if not found:
		raise FileNotFoundError("redis-server is not installed here, or not in the PATH")
	return found


def _redis_version() -> tuple[int, ...]:
	# Not asked of the running server: between the new aclfile and its restart nobody can log in.
	said = subprocess.run([redis_server(), "--version"], capture_output=True, text=True, timeout=10).stdout
	found = re.search(r"v=([\d.]+)", said)
	if not found:
		raise ValueError(f"redis-server --version does not tell its version: {said.strip()}")
	return tuple(int(part) for part in found[1].split("."))


def second(bench: BenchFolder, site: str, conf: Mapping[str, Any], offer: Offer, role: Role) -> Plan:
	"""Returns the plan that makes a bench the one of the second server.

	:param conf: site_config.json as it stands
	:param role: what the second server is to be
	:raises ValueError: if the site here is not the one of the offer, or leads to a database of its own
	"""
	path = bench.folder / "sites" / site / "site_config.json"
	if conf.get("db_name") != offer.db_name or site != offer.site:
		raise ValueError(
			f"The offer is of the site {offer.site} with the database {offer.db_name}. Copy that site's folder"
			" to this server first."
		)
	refuse_local_database(conf, path)
	plan = Plan()
	plan.add(json_file.changed(path, {"encryption_key": offer.encryption_key}))
	keys = dict(offer.keys)
	here = json_file.content_of(bench.common)
	if "workers" in keys:
		keys["workers"] = (here.get("workers") or {}) | keys["workers"]
	plan.add(json_file.changed(bench.common, keys))
	laid = lay_over(bench, role, [offer.second] if offer.queue == "shared" else [])
	return Plan(plan.changes + laid.changes, laid.todo)


def refuse_local_database(conf: Mapping[str, Any], path: Path) -> None:
	"""Refuse a site_config.json that names, on each server, that server's own MariaDB.

	:raises ValueError: if it does
	"""
	if conf.get("db_socket") or ("db_host" in conf and lan_address.is_local(conf["db_host"])):
		key = "db_socket" if conf.get("db_socket") else "db_host"
		raise ValueError(
			f"{path} has {key} {conf[key]}, which is on each server its own MariaDB. The same file serves both"
			" servers: give db_host a name or an address that both of them reach, or take the key out, as"
			" common_site_config.json of each server may have its own."
		)
