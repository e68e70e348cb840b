# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Checks of the app servers of a site against each other, and of the files that this one should have."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from read_replica.deploy.doctor import Check, Skipped, Trouble
from read_replica.deploy.server_notes import DEFAULT_SERVER, ServerNote
from read_replica.engine.sentence import Sentence

TAGS = ("servers",)

DAYS_A_NOTE_IS_NEW = 7
MOST_NAMED = 5

# Also the difference that the check `clocks` bears between database servers.
SECONDS_OF_CLOCKS = 2


@dataclass(frozen=True)
class AppServers:
	"""The app servers of a site, as the doctor knows them.

	:param own: what this server has noted just now
	:param others: what the others have noted when the doctor last ran there
	:param hosts_with_jobs: hosts on which a scheduler or worker was alive lately
	:param missing: files that this server should have, and has not, by the names of checks
	:param is_nginx_outdated: whether bench has changed its nginx.conf since that for a front nginx was derived from it;
		None: there is none on this server
	"""

	own: ServerNote
	others: Sequence[ServerNote] = ()
	hosts_with_jobs: Sequence[str] = ()
	missing: Mapping[str, Sequence[str]] = field(default_factory=dict)
	is_nginx_outdated: bool | None = None

	@property
	def to_compare(self) -> list[ServerNote]:
		"""The notes of the other servers that are new enough.

		:raises Skipped: if there are none
		"""
		if not self.others:
			raise Skipped("no other server has noted itself; run the doctor there as well")
		found = [note for note in self.others if self.own.noted_at - note.noted_at <= _A_WHILE]
		if not found:
			raise Skipped("what the other servers have noted is old; run the doctor there")
		return found


_A_WHILE = timedelta(days=DAYS_A_NOTE_IS_NEW)


def _noted(servers: AppServers) -> Iterator[Trouble]:
	known = {servers.own.host, *(note.host for note in servers.others)}
	for host in sorted(set(servers.hosts_with_jobs) - known):
		yield Trouble("warn", Sentence("{0} runs jobs, and the doctor has never run there", host))
	for note in servers.others:
		age = servers.own.noted_at - note.noted_at
		if age > _A_WHILE:
			yield Trouble("warn", Sentence("{0} was noted {1} days ago", note.name, age.days))


def _equal(fact: str, sentence_on: Callable[[str], Sentence]) -> Callable[[AppServers], Iterator[Trouble]]:
	"""Returns a look at a fact that should be the same on all servers.

	:param sentence_on: says what is wrong with a server, by its name, where it is another one
	"""

	def look(servers: AppServers) -> Iterator[Trouble]:
		others = servers.to_compare
		own = _fact(servers.own, fact)
		for note in others:
			if fact in note.facts and note.facts[fact] != own:
				yield Trouble("fail", sentence_on(note.name))

	return look


def _fact(note: ServerNote, name: str) -> Any:
	if name not in note.facts:
		raise Skipped(f"it could not be found out on {note.name}")
	return note.facts[name]


def _differences(fact: str) -> Callable[[AppServers], Iterator[tuple[ServerNote, list[str]]]]:
	"""Returns what finds the keys by which a fact with keys differs on each other server."""

	def find(servers: AppServers) -> Iterator[tuple[ServerNote, list[str]]]:
		others = servers.to_compare
		own = _fact(servers.own, fact)
		for note in others:
			there = note.facts.get(fact, own)
			keys = sorted(key for key in {*own, *there} if own.get(key) != there.get(key))
			if keys:
				yield note, keys

	return find


def _versions(servers: AppServers) -> Iterator[Trouble]:
	own = _fact(servers.own, "apps")
	for note, apps in _differences("apps")(servers):
		there = note.facts["apps"]
		missing = Sentence("missing")
		said = Sentence.joined(
			", ",
			(
				Sentence("{0} {1} (here {2})", app, there.get(app, missing), own.get(app, missing))
				for app in apps
			),
		)
		yield Trouble("fail", Sentence("{0} has {1}", note.name, said))


def _site_config(servers: AppServers) -> Iterator[Trouble]:
	if any(
		note.facts.get("encryption_key") != servers.own.facts.get("encryption_key")
		for note in servers.to_compare
	):
		raise Skipped("the servers have different encryption keys, and digests of values are keyed with it")
	for note, keys in _differences("site_config")(servers):
		yield Trouble("warn", Sentence("{0} has other values of {1}", note.name, _shortened(keys)))


def _clocks(servers: AppServers) -> Iterator[Trouble]:
	for note in (servers.own, *servers.others):
		seconds = note.facts.get("seconds_ahead")
		if seconds is not None and abs(seconds) > SECONDS_OF_CLOCKS:
			apart = note.name, f"{abs(seconds):.0f}"
			seen = (
				Sentence("the clock of {0} is {1} s ahead of the primary's", *apart)
				if seconds > 0
				else Sentence("the clock of {0} is {1} s behind the primary's", *apart)
			)
			yield Trouble("warn", seen)


def _server_ids(servers: AppServers) -> Iterator[Trouble]:
	own = _fact(servers.own, "server_ids")
	if len(own) > 1:
		yield Trouble("warn", Sentence("processes of this bench have different ones: {0}", ", ".join(own)))
	for note in servers.others:
		if DEFAULT_SERVER in own and DEFAULT_SERVER in note.facts.get("server_ids", ()):
			seen = Sentence("{0} is {1} as well, which is who has no SERVER_ID", note.name, DEFAULT_SERVER)
			yield Trouble("warn", seen)


def _nginx(servers: AppServers) -> Iterator[Trouble]:
	if servers.is_nginx_outdated is None:
		raise Skipped("this server has no configuration for a front nginx")
	if servers.is_nginx_outdated:
		seen = Sentence("bench has changed its nginx.conf since nginx-read-replica.conf was made of it")
		yield Trouble("warn", seen)


def _missing(id: str) -> Callable[[AppServers], Iterator[Trouble]]:
	def look(servers: AppServers) -> Iterator[Trouble]:
		if found := servers.missing.get(id):
			yield Trouble("warn", Sentence("not on this server: {0}", _shortened(found)))

	return look


def _shortened(names: Sequence[str]) -> str:
	more, named = len(names) - MOST_NAMED, ", ".join(names[:MOST_NAMED])
	return Sentence("{0} and {1} more", named, more) if more > 0 else named


CHECKS = (
	Check(
		"servers-noted",
		"the doctor has run on each server of the site within a week, so that they can be compared",
		TAGS,
		_noted,
		"Run it there: bench --site SITE read-replica doctor, daily by cron; delete the Server Note of a server that is gone",
	),
	Check(
		"same-database",
		"all servers write to one primary",
		TAGS,
		_equal("database", lambda name: Sentence("{0} writes to another database server", name)),
		"Give db_host in common_site_config.json a name or address that leads to the primary from each server, not localhost",
	),
	Check(
		"same-redis-cache",
		"all servers have one redis_cache",
		TAGS,
		_equal("redis_cache", lambda name: Sentence("{0} has another redis_cache", name)),
		"Give all servers the same redis_cache in common_site_config.json, by an address that each of them reaches",
	),
	Check(
		"same-redis-queue",
		"all servers have one redis_queue",
		TAGS,
		_equal(
			"redis_queue",
			lambda name: Sentence(
				"{0} has another redis_queue: progress of jobs there reaches no browser, and its jobs wait for its own"
				" workers",
				name,
			),
		),
		"Give all servers the same redis_queue in common_site_config.json, by an address that each of them reaches",
	),
	Check(
		"same-bench-id",
		"all servers have one bench_id",
		TAGS,
		_equal(
			"bench_id",
			lambda name: Sentence("{0} has another bench_id, so its workers read other queues", name),
		),
		"Write the same bench_id into common_site_config.json of each server; without one, it is the path of the bench; then bench restart",
	),
	Check(
		"same-encryption-key",
		"all servers have one encryption_key",
		(*TAGS, "security"),
		_equal(
			"encryption_key",
			lambda name: Sentence(
				"{0} has another encryption_key: it cannot read passwords that are stored encrypted", name
			),
		),
		"Copy encryption_key from the site_config.json of the server that stored them; then bench restart",
	),
	Check(
		"same-versions",
		"all servers have the same version of each app",
		TAGS,
		_versions,
		"Update all servers to the same versions before one of them is migrated: caches and queues hold Python objects",
	),
	Check(
		"same-assets",
		"all servers have the same build of assets",
		TAGS,
		_equal(
			"assets",
			lambda name: Sentence(
				"{0} has another assets.json, and whichever server fills the cache names its files for both",
				name,
			),
		),
		"Build once and copy sites/assets to each server; then bench clear-cache",
	),
	Check(
		"same-site-config",
		"site_config.json says the same on all servers",
		TAGS,
		_site_config,
		"On the second server: bench --site SITE read-replica sync --once; or copy them by hand from the server where they are right",
	),
	Check(
		"app-clocks",
		"the clocks of the app servers agree with the primary's within two seconds",
		TAGS,
		_clocks,
		"Let chrony or systemd-timesyncd run on that server",
	),
	Check(
		"app-server-ids",
		"all processes of a server have one SERVER_ID, and no two servers are without one",
		TAGS,
		_server_ids,
		"bench --site SITE read-replica second-server --check says which process has which; --renew writes it anew",
	),
	Check(
		"nginx-is-current",
		"the front nginx has all that bench has written for nginx since",
		TAGS,
		_nginx,
		"bench --site SITE read-replica nginx; then nginx -t, and reload it",
	),
	Check(
		"files-are-here",
		"files that were uploaded a while ago are on this server",
		TAGS,
		_missing("files-are-here"),
		"bench --site SITE read-replica sync --once, and then by a timer; or share the folder",
	),
	Check(
		"prepared-reports-are-here",
		"prepared reports can be read on this server",
		TAGS,
		_missing("prepared-reports-are-here"),
		"Let one server generate and show them, or share the folder private/files",
	),
)
