# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Proves that a server is what it was made: by its processes, by its Redis servers, and by the database it reaches."""

import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pymysql

from read_replica.deploy import processes
from read_replica.deploy.processes import BenchProcess
from read_replica.deploy.redis_facts import Redises, RedisServer
from read_replica.deploy.replica_user import Proof
from read_replica.deploy.server_plan import BenchFolder, lay_over
from read_replica.deploy.server_role import Role
from read_replica.deploy.servers import Login, rows, what_failed

# Redis writes a minus before addresses that may be missing.
MAY_BE_MISSING = "-"


def of_files(bench: BenchFolder, role: Role) -> Iterator[Proof]:
	"""Proves that what was written for supervisor or systemd is what bench's own files ask for now."""
	changed = [change.path.name for change in lay_over(bench, role, []).changes]
	seen = f"{', '.join(changed)} would change: run second-server --renew" if changed else "they are"
	yield Proof("files", "the files beside bench's own are as they should be", not changed, seen)


def of_processes(bench: BenchFolder, role: Role) -> Iterator[Proof]:
	"""Proves by the environment of each process of the bench that it has the SERVER_ID, and who runs at all."""
	found = processes.of_bench(bench.folder)
	for process in found:
		yield Proof(
			f"{process.kind} {process.pid}",
			f"it has SERVER_ID={role.server_id}",
			process.server_id == role.server_id,
			_seen(process),
		)
	counts = Counter(process.kind for process in found)
	for kind in ("web", "worker"):
		yield Proof("processes", f"a {kind} process runs", counts[kind] > 0, f"{counts[kind]} run")
	wanted = "a scheduler runs" if role.has_scheduler else "no scheduler runs"
	yield Proof(
		"processes", wanted, bool(counts["scheduler"]) == role.has_scheduler, f"{counts['scheduler']} run"
	)


def _seen(process: BenchProcess) -> str:
	if process.problem:
		return process.problem
	return "it has none" if process.server_id is None else f"it has {process.server_id}"


def of_redis(conf: Mapping[str, Any]) -> Iterator[Proof]:
	"""Proves that each Redis lets the site in, nobody without a password, and listens on no public address."""
	for server in Redises(conf).all:
		error = server.error
		yield Proof(server.name, "it lets the site in", error is None, error or f"it does, on {server.host}")
		if error is None:
			is_open = server.state.is_open
			yield Proof(
				server.name,
				"it lets nobody in without the password",
				not is_open,
				"it answers everyone: it was not restarted yet, or its aclfile has no password"
				if is_open
				else "it refuses",
			)
			yield from _of_addresses(server)


def _of_addresses(server: RedisServer) -> Iterator[Proof]:
	if "bind" not in server.state.config:
		return
	given = [address.lstrip(MAY_BE_MISSING) for address in server.state.config["bind"].split()] or ["*"]
	public = [address for address in given if _is_public(address)]
	yield Proof(
		server.name, "it listens on no public address", not public, f"it listens on {', '.join(given)}"
	)


def _is_public(text: str) -> bool:
	try:
		address = ipaddress.ip_address(text)
	except ValueError:
		# `*` is all addresses, and `::*` all of version 6.
		return "*" in text
	return address.is_global or address.is_unspecified


def identity_of(login: Login) -> str:
	"""Returns which server answers a login, to tell whether two machines reach the same one.

	:raises pymysql.err.MySQLError: if it cannot be asked
	"""
	connection = login.connect()
	try:
		[[identity]] = rows(connection, "SELECT CONCAT_WS(':', @@hostname, @@port, @@server_id)")
	finally:
		connection.close()
	return identity


def of_database(login: Login, role: Role) -> Iterator[Proof]:
	"""Proves that this machine reaches the server that is the first server's primary."""
	tried = "it is the primary of the first server"
	try:
		seen = identity_of(login)
	except pymysql.err.MySQLError as error:
		yield Proof(login.host, tried, False, what_failed(error))
		return
	if role.database_server:
		yield Proof(login.host, tried, seen == role.database_server, seen)
