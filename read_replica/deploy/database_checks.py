# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Checks that a replica answers as the primary would, that this site may ask it, and who may do what there."""

from collections.abc import Iterator

from read_replica.deploy.accounts import other_grants
from read_replica.deploy.doctor import Check, Skipped, Trouble
from read_replica.deploy.facts import Databases
from read_replica.engine.sentence import Sentence

TAGS = ("database",)
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")

MOST_SECONDS_OF_CLOCKS = 2.0
MOST_NAMED = 5
LONGEST_SILENCE = 7200

# What may make the same query return something else.
MUST_BE_EQUAL = (
	"character_set_server",
	"collation_server",
	"lower_case_table_names",
	"sql_mode",
	"default_week_format",
)


def _versions(servers: Databases) -> Iterator[Trouble]:
	primary = version(servers.primary.variables["version"])
	for replica in servers.replicas:
		found = replica.variables["version"]
		if version(found) < primary:
			of_primary = servers.primary.variables["version"]
			yield Trouble("fail", Sentence("{0} has {1}, the primary {2}", replica.name, found, of_primary))


def version(text: str) -> tuple[int, ...]:
	"""Returns the first two numbers of a server's version."""
	return tuple(int(part) for part in text.partition("-")[0].split(".")[:2])


def _equal_settings(servers: Databases) -> Iterator[Trouble]:
	primary = servers.primary.variables
	for replica in servers.replicas:
		for name in MUST_BE_EQUAL:
			there = replica.variables.of_server.get(name)
			if there != primary.of_server.get(name):
				seen = _differs(name, repr(there), replica.name, repr(primary.of_server.get(name)))
				yield Trouble("warn", seen)


def _differs(variable: str, there: str, replica: str, of_primary: str) -> Sentence:
	return Sentence("{0} is {1} on {2}, {3} on the primary", variable, there, replica, of_primary)


def _time_zones(servers: Databases) -> Iterator[Trouble]:
	primary = servers.primary.variables.timezone_offset
	for replica in servers.replicas:
		there = replica.variables.timezone_offset
		if there != primary:
			hours = f"{there / 3600:+g}", f"{primary / 3600:+g}"
			yield Trouble("fail", Sentence("{0} is {1} h from UTC, the primary {2} h", replica.name, *hours))


def _clocks(servers: Databases) -> Iterator[Trouble]:
	primary = servers.primary.variables.clock_ahead
	for replica in servers.replicas:
		apart = replica.variables.clock_ahead - primary
		if abs(apart) > MOST_SECONDS_OF_CLOCKS:
			seen = Sentence("the clock of {0} is {1} s from the primary's", replica.name, f"{apart:+.1f}")
			yield Trouble("warn", seen)


def _schema(servers: Databases) -> Iterator[Trouble]:
	primary = servers.primary.tables
	for replica in servers.replicas:
		there = replica.tables
		missing = sorted(primary.keys() - there.keys())
		others = sorted(name for name in primary.keys() & there.keys() if primary[name] != there[name])
		if missing:
			yield Trouble("fail", Sentence("{0} lacks {1}", replica.name, _named(missing)))
		if others:
			seen = Sentence(
				"{0} has other columns, engines or collations in {1}", replica.name, _named(others)
			)
			yield Trouble("fail", seen)


def _named(names: list[str]) -> str:
	more, named = len(names) - MOST_NAMED, ", ".join(names[:MOST_NAMED])
	return Sentence("{0} and {1} more tables", named, more) if more > 0 else named


def _keys(servers: Databases) -> Iterator[Trouble]:
	if names := servers.primary.tables_without_key:
		seen = Sentence(
			"{0} have no key: a replica reads the whole table for each changed row", _named(names)
		)
		yield Trouble("warn", seen)


def _functions(servers: Databases) -> Iterator[Trouble]:
	for server in servers.all:
		known = server.variables
		if known.is_on("log_bin") and not known.is_on("log_bin_trust_function_creators"):
			yield Trouble(
				"warn", Sentence("{0} is off on {1}", "log_bin_trust_function_creators", server.name)
			)


def _snapshot_isolation(servers: Databases) -> Iterator[Trouble]:
	primary = servers.primary.variables.of_server.get("innodb_snapshot_isolation")
	for replica in servers.replicas:
		there = replica.variables.of_server.get("innodb_snapshot_isolation")
		if None not in (primary, there) and there != primary:
			seen = _differs("innodb_snapshot_isolation", there, replica.name, primary)
			yield Trouble("warn", seen)


def _connections(servers: Databases) -> Iterator[Trouble]:
	for server in servers.all:
		known = server.variables
		most, used = int(known["max_connections"]), int(known.status["Max_used_connections"])
		if used > most:
			seen = Sentence(
				"{0} has run out of connections: {1} are allowed, {2} were asked for", server.name, most, used
			)
			yield Trouble("fail", seen)
		elif used > 0.8 * most:
			seen = Sentence("{0} has had {1} of {2} connections in use", server.name, used, most)
			yield Trouble("warn", seen)


def _keepalive(servers: Databases) -> Iterator[Trouble]:
	for server in servers.all:
		known = server.variables
		idle = int(known.of_server.get("tcp_keepalive_time") or 0)
		if not 0 < idle <= LONGEST_SILENCE / 2 and server.login.host not in LOCAL_HOSTS:
			seen = Sentence("tcp_keepalive_time is {0} on {1}: the kernel's two hours", idle, server.name)
			yield Trouble("warn", seen)


def _tls(servers: Databases) -> Iterator[Trouble]:
	for server in servers.all:
		if server.login.host in LOCAL_HOSTS or server.login.socket:
			continue
		if not server.variables.cipher:
			yield Trouble("warn", Sentence("the connection to {0} is not encrypted", server.name))


def _grants(servers: Databases) -> Iterator[Trouble]:
	for replica in servers.replicas:
		if replica.login.user == servers.site_user:
			seen = Sentence("{0} is read with the site's own user, who may write", replica.name)
			yield Trouble("warn", seen)
		elif more := other_grants(replica.variables.grants, servers.database):
			seen = Sentence(
				"user {0} may do more on {1}: {2}", replica.login.user, replica.name, "; ".join(more)
			)
			yield Trouble("fail", seen)


def _engines(servers: Databases) -> Iterator[Trouble]:
	names = sorted(name for name, (engine, *_) in servers.primary.tables.items() if engine != "InnoDB")
	if not servers.primary.tables:
		raise Skipped("the site has no tables yet")
	if names:
		seen = Sentence(
			"{0} are not InnoDB: copy the primary with mariadb-backup, not with a dump", _named(names)
		)
		yield Trouble("ok", seen)


CHECKS = (
	Check(
		"versions",
		"no replica is older than the primary",
		TAGS,
		_versions,
		"Update the replica's MariaDB first, then the primary's",
	),
	Check(
		"equal-settings",
		"what decides how text is compared and stored is the same on all servers",
		TAGS,
		_equal_settings,
		"Write the primary's values into the replica's my.cnf, and restart it",
	),
	Check(
		"time-zones",
		"all servers are in one time zone, as reports ask for CURDATE()",
		TAGS,
		_time_zones,
		"Set the replica's system time zone, or default_time_zone in its my.cnf, to the primary's; then restart it",
	),
	Check(
		"clocks",
		"the servers' clocks agree within two seconds",
		TAGS,
		_clocks,
		"Let chrony or systemd-timesyncd run on each server",
	),
	Check(
		"schema",
		"each replica has the primary's tables and columns",
		TAGS,
		_schema,
		"If replication runs and has caught up, the replica was changed by itself: make it anew from the primary",
	),
	Check(
		"tables-without-key",
		"each table has a key, so that a changed row is found on a replica",
		TAGS,
		_keys,
		"ALTER TABLE … ADD INDEX on the primary, by a column that tells its rows apart",
	),
	Check(
		"functions-under-log-bin",
		"stored functions may be made although there is a binary log",
		TAGS,
		_functions,
		"SET GLOBAL log_bin_trust_function_creators=1, and the same line in my.cnf",
	),
	Check(
		"snapshot-isolation",
		"innodb_snapshot_isolation is the same everywhere, so that a switchover changes nothing",
		TAGS,
		_snapshot_isolation,
		"SET GLOBAL innodb_snapshot_isolation to the primary's value on the replica, and the same line in my.cnf",
	),
	Check(
		"max-connections",
		"no server comes near to its max_connections",
		TAGS,
		_connections,
		"Raise max_connections, or lower connections_per_replica in site_config.json or the number of workers",
	),
	Check(
		"keepalive",
		"servers on other hosts notice within an hour that a client is gone",
		TAGS,
		_keepalive,
		"SET GLOBAL tcp_keepalive_time=600, and the same line in my.cnf",
	),
	Check(
		"tls",
		"connections to other hosts are encrypted",
		(*TAGS, "security"),
		_tls,
		'Give the server a certificate, and the replica "tls": {"ca": "/path/to/ca.pem"} in site_config.json',
	),
	Check(
		"replica-user",
		"replicas are read with a user of their own that can only read",
		(*TAGS, "security"),
		_grants,
		"bench --site SITE read-replica replica-user --run",
	),
	Check(
		"other-engines",
		"tables that are not InnoDB are known, as a dump of a busy primary does not copy them as of one moment",
		TAGS,
		_engines,
		"Nothing: only how a new replica is copied depends on it",
	),
)
