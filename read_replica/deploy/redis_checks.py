# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Checks of a site's Redis servers: that they answer, keep what they are given, and answer nobody else."""

from collections.abc import Iterator

from read_replica.deploy.doctor import Check, Skipped, Trouble
from read_replica.deploy.redis_facts import Redises, RedisServer
from read_replica.engine.sentence import Sentence

TAGS = ("redis",)

# Frappe 16's client cache needs it.
OLDEST = (6, 0)
MOST_OF_MEMORY = 0.9


def _reachable(servers: Redises) -> Iterator[Trouble]:
	for server in servers.all:
		if server.error:
			yield Trouble("fail", server.error)


def _version(servers: Redises) -> Iterator[Trouble]:
	for server in servers.all:
		found = server.state.info["redis_version"]
		if tuple(int(part) for part in found.split(".")[:2]) < OLDEST:
			yield Trouble("warn", Sentence("{0} is Redis {1}", server.name, found))


def _password(servers: Redises) -> Iterator[Trouble]:
	for server in servers.all:
		if server.state.is_open and _is_reached_by_others(server):
			seen = Sentence("{0} on {1} answers without a password", server.name, server.host)
			yield Trouble("fail", seen)


def _is_reached_by_others(server: RedisServer) -> bool:
	"""Returns whether other machines reach a server; one that cannot be asked for its settings is judged by its address."""
	config = server.state.config
	if not server.is_local:
		return True
	# Redis 7 binds to all addresses with an empty `bind`, and writes a minus before those that may be missing.
	addresses = [address.lstrip("-") for address in config.get("bind", "127.0.0.1").split()] or ["*"]
	return config.get("protected-mode") == "no" and bool(set(addresses) - {"127.0.0.1", "::1", "localhost"})


def _protected(servers: Redises) -> Iterator[Trouble]:
	for server in servers.all:
		config = server.state.config
		if not config:
			raise Skipped(f"{server.name} does not tell its settings to this user")
		if config.get("protected-mode") == "no" and server.state.is_open:
			seen = Sentence("protected-mode is off on {0}, which answers without a password", server.name)
			yield Trouble("warn", seen)


def _keeps_jobs(servers: Redises) -> Iterator[Trouble]:
	info = servers.queue.state.info
	policy, most = info.get("maxmemory_policy"), int(info.get("maxmemory") or 0)
	if most and policy != "noeviction":
		seen = Sentence("redis_queue deletes jobs when its memory is full: maxmemory-policy is {0}", policy)
		yield Trouble("fail", seen)
	elif most and int(info["used_memory"]) > most * MOST_OF_MEMORY:
		used = f"{int(info['used_memory']) / most:.0%}"
		yield Trouble("warn", Sentence("redis_queue uses {0} of its maxmemory", used))


def _apart(servers: Redises) -> Iterator[Trouble]:
	if servers.cache.state.info["run_id"] == servers.queue.state.info["run_id"]:
		yield Trouble("warn", Sentence("redis_cache and redis_queue are one server"))


def _is_no_replica(servers: Redises) -> Iterator[Trouble]:
	for server in servers.all:
		if server.state.info.get("role") != "master":
			seen = Sentence(
				"{0} is a replica of another Redis: it refuses writes, or loses them", server.name
			)
			yield Trouble("fail", seen)


CHECKS = (
	Check(
		"redis-reachable",
		"the site's Redis servers answer, and let it log in",
		TAGS,
		_reachable,
		"Start the server, or correct redis_cache and redis_queue in common_site_config.json",
	),
	Check(
		"redis-version",
		"each Redis is version 6 or later",
		TAGS,
		_version,
		"Install a newer Redis; Frappe 16 cannot be told by an older one what has changed in its cache",
	),
	Check(
		"redis-password",
		"no Redis that other machines reach answers without a password",
		(*TAGS, "security"),
		_password,
		"In its aclfile: user default on >PASSWORD ~* &* +@all; with an aclfile, requirepass does not count; then"
		" redis://:PASSWORD@HOST:PORT in common_site_config.json",
	),
	Check(
		"redis-protected-mode",
		"protected-mode is on where Redis has no password",
		(*TAGS, "security"),
		_protected,
		"Give it a password, and leave protected-mode at yes",
		("redis-password",),
	),
	Check(
		"redis-keeps-jobs",
		"the queues' Redis deletes no job when its memory is full",
		TAGS,
		_keeps_jobs,
		"In redis_queue.conf: maxmemory-policy noeviction",
	),
	Check(
		"redis-cache-and-queue-apart",
		"cache and queues have a Redis each",
		TAGS,
		_apart,
		"Give the queues a server of their own: a cache may delete what it has when it is full, and queues may not",
	),
	Check(
		"redis-is-no-replica",
		"each Redis is one that may be written to",
		TAGS,
		_is_no_replica,
		"Name the master of that replica in common_site_config.json",
	),
)
