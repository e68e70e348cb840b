# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Makes the bench of the current site the one of a first or of a second server, and proves it."""

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import frappe
import pymysql
from frappe.utils import get_bench_id
from frappe.utils.password import get_encryption_key

from read_replica.core import core_keys
from read_replica.deploy import (
	json_file,
	lan_address,
	offer,
	redis_access,
	server_plan,
	server_proofs,
	server_role,
)
from read_replica.deploy.offer import Offer, Queue
from read_replica.deploy.second_server_report import FileDiff, SecondServerReport
from read_replica.deploy.server_plan import BenchFolder, Plan
from read_replica.deploy.server_role import Role
from read_replica.deploy.site_logins import primary_login
from read_replica.jobs import queues
from read_replica.jobs.rule_checks import check_server_id
from read_replica.jobs.servers import this_server

# What a command says as a sentence, without a traceback.
ERRORS = (frappe.ValidationError, pymysql.err.MySQLError, OSError, ValueError)

# Keys that Frappe takes for the same Redis and database servers, and that the second server needs as they are.
COPIED = ("db_port", "use_rq_auth", "rq_username")

AT_ONCE = "Do the next steps at once: until they are done, Redis lets no new process of this site in"


@dataclass(frozen=True)
class Wanted:
	"""What the second server is to be.

	:param server_id: its SERVER_ID
	:param queue: whether it shares the Redis for jobs, or keeps one of its own
	:param has_scheduler: whether its scheduler runs
	:param address: that of this server in the local network; None: as before, or Redis is elsewhere
	:param db_host: the primary's name or address, as both servers reach it; None: as configured, or `address`
	"""

	server_id: str
	queue: Queue
	has_scheduler: bool
	address: str | None = None
	db_host: str | None = None


def make_offer(path: Path, wanted: Wanted, dry_run: bool) -> SecondServerReport:
	"""Open this server's Redis to the second one, and write what that needs into a file.

	:raises ValueError: if this server has what cannot be shared, with the reason and what to do
	"""
	check_server_id(wanted.server_id)
	bench = _bench()
	role = _kept_role(bench)
	address = lan_address.checked(wanted.address) if wanted.address else role.redis_address
	if wanted.server_id == role.server_id:
		raise ValueError(f"This server is {role.server_id} itself. Name the second one: --server-id")
	server_plan.refuse_local_database(_site_config(), _site_file())
	common = json_file.content_of(bench.common)
	plan, opened = Plan(), Plan()
	keys = _redis_keys(opened, bench, common, address, wanted.queue)
	keys["bench_id"] = get_bench_id()
	if wanted.queue == "shared":
		keys["workers"] = _with_queues(common, (role.server_id, wanted.server_id))
	if _has_redis_socketio(common):
		keys["redis_socketio"] = keys["redis_cache"]
	plan.add(json_file.changed(bench.common, keys))
	# After the file that keeps the password: without it, nobody would know whose hash that is.
	plan.changes += opened.changes
	is_open = server_plan.is_opened_here(common, address, _shared_redises(wanted.queue))
	role = Role(
		role.server_id,
		role.has_scheduler,
		tuple(sorted({*role.other_queues, wanted.server_id}))
		if wanted.queue == "shared"
		else role.other_queues,
		tuple(key.replace("_", "-") for key in _shared_redises(wanted.queue)) if is_open else (),
		address if is_open else None,
		server_proofs.identity_of(primary_login(frappe.local.conf)),
	)
	laid = server_plan.lay_over(bench, role, [role.server_id] if wanted.queue == "shared" else [])
	for change in laid.changes:
		plan.add(change)
	plan.todo = [AT_ONCE, *laid.todo] if plan.changes else []
	shared = {key: frappe.local.conf[key] for key in COPIED if frappe.local.conf.get(key)}
	plan.add(
		offer.change(
			path, _offer(wanted, role, keys | shared | {"db_host": _db_host(wanted, address)}, dry_run)
		)
	)
	plan.todo.append(
		f"Copy {path} to the second server (scp), take it there (--take), and delete it on both: it holds passwords"
	)
	return _carry_out(plan, role, dry_run)


def _offer(wanted: Wanted, role: Role, keys: dict[str, Any], dry_run: bool) -> Offer:
	return Offer(
		site=frappe.local.site,
		second=wanted.server_id,
		other_queues=sorted({role.server_id, *role.other_queues} - {wanted.server_id})
		if wanted.queue == "shared"
		else [],
		queue=wanted.queue,
		has_scheduler=wanted.has_scheduler,
		keys=keys,
		# Frappe makes one where there is none, and writes it into site_config.json.
		encryption_key=frappe.local.conf.get("encryption_key", "") if dry_run else get_encryption_key(),
		db_name=frappe.local.conf.db_name,
		database_server=role.database_server or "",
		frappe=frappe.__version__,
	)


def _shared_redises(queue: Queue) -> tuple[str, ...]:
	return ("redis_cache", "redis_queue") if queue == "shared" else ("redis_cache",)


def _redis_keys(
	plan: Plan, bench: BenchFolder, common: dict[str, Any], address: str | None, queue: Queue
) -> dict[str, Any]:
	names = _shared_redises(queue)
	for key in names:
		if not common.get(key):
			raise ValueError(f"{bench.common} has no {key}. Run: bench setup redis")
	if server_plan.is_opened_here(common, address, names) and address:
		lan_address.check_is_of_this_machine(address)
		return server_plan.open_redis(plan, bench, common, address, names)
	for key in names:
		redis_access.check_reach(key, common[key])
	return {key: common[key] for key in names}


def _has_redis_socketio(common: dict[str, Any]) -> bool:
	# bench has it lead to redis_cache.
	return "redis_socketio" in common or core_keys.has_redis_for_events()


def _with_queues(common: dict[str, Any], server_ids: tuple[str, ...]) -> dict[str, Any]:
	# A server's queue holds short and long jobs; each keeps the timeout of the queue it was enqueued for.
	timeout = max(queues.timeout_of(queue) for queue in queues.QUEUES_OF_ALL)
	there = common.get("workers") or {}
	return there | {one: {"timeout": timeout} for one in server_ids if one not in there}


def _db_host(wanted: Wanted, address: str | None) -> str:
	configured = frappe.local.conf.get("db_host")
	host = wanted.db_host or (address if lan_address.is_local(configured) else configured)
	if not host or lan_address.is_local(host):
		raise ValueError(
			f"The database is at {host or configured or 'localhost'}, which is on the second server another one."
			" Name it as both servers reach it: --db-host"
		)
	return host


def take(path: Path, address: str | None, front: str | None, dry_run: bool) -> SecondServerReport:
	"""Make this bench the one of the second server, by an offer of the first one.

	:param address: where its gunicorn listens for the nginx of another server; None: as before
	:param front: the address of that nginx; None: as before, or that of the first server
	:raises ValueError: if the offer does not fit this site, with the reason and what to do
	"""
	taken = offer.read(path)
	bench = _bench()
	role = server_role.of_second(taken, _own_role(bench), *_web_addresses(taken, address, front))
	plan = server_plan.second(bench, frappe.local.site, _site_config(), taken, role)
	if frappe.__version__ != taken.frappe:
		plan.todo.insert(
			0,
			f"Bring both servers to one version of Frappe: here is {frappe.__version__}, there {taken.frappe}."
			" They share caches and jobs as Python objects",
		)
	if taken.queue == "own":
		plan.todo.append(
			"With a queue Redis of its own, progress of this server's jobs reaches no browser of the other one"
		)
	return _carry_out(plan, role, dry_run)


def _web_addresses(taken: Offer, address: str | None, front: str | None) -> tuple[str | None, str | None]:
	"""Returns where gunicorn is to listen, and for whom; nothing if it was not said."""
	if address is None:
		return None, None
	lan_address.check_is_of_this_machine(lan_address.checked(address))
	return address, lan_address.checked(front or urlsplit(taken.keys["redis_cache"]).hostname or "")


def renew(dry_run: bool) -> SecondServerReport:
	"""Write the files beside bench's own anew, after `bench setup supervisor` has written other programs."""
	bench = _bench()
	role = server_role.read(bench.config)
	return _carry_out(server_plan.lay_over(bench, role, []), role, dry_run)


def check() -> SecondServerReport:
	"""Prove that this server is what it was made; writes nothing."""
	bench = _bench()
	role = server_role.read(bench.config)
	report = _report(role)
	report.proofs = [
		*server_proofs.of_files(bench, role),
		*server_proofs.of_processes(bench, role),
		*server_proofs.of_redis(frappe.local.conf),
		*server_proofs.of_database(primary_login(frappe.local.conf), role),
	]
	return report


def _carry_out(plan: Plan, role: Role, dry_run: bool) -> SecondServerReport:
	report = _report(role)
	report.files = [FileDiff(str(change.path), change.diff()) for change in plan.changes]
	report.todo = [step.replace("SITE", frappe.local.site) for step in plan.todo]
	if not dry_run:
		plan.write()
		report.has_changed = bool(plan.changes)
	return report


def _report(role: Role) -> SecondServerReport:
	return SecondServerReport(frappe.local.site, datetime.now(timezone.utc), role.server_id)


def _bench() -> BenchFolder:
	return BenchFolder(Path(frappe.local.sites_path).absolute().parent)


def _kept_role(bench: BenchFolder) -> Role:
	return _own_role(bench) or Role(this_server(), True)


def _own_role(bench: BenchFolder) -> Role | None:
	try:
		return server_role.read(bench.config)
	except ValueError:
		return None


def _site_file() -> Path:
	return Path(frappe.local.sites_path).absolute() / frappe.local.site / "site_config.json"


def _site_config() -> dict[str, Any]:
	return json_file.content_of(_site_file())
