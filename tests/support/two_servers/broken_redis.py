# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is broken in turn in the Redis servers of two servers."""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from support.two_servers.bench_files import REDIS_PORTS
from support.two_servers.broken import Breakage, both_again, by_person
from support.two_servers.network import SECOND
from support.two_servers.pair import Pair

ANOTHER_PORT = 13001


def _ask(which: str, *commands: str) -> Callable[[Pair], None]:
	"""Returns what gives a Redis some commands, as somebody who has its password."""

	def run(pair: Pair) -> None:
		for command in commands:
			said = ask(pair, which, command)
			assert said.strip() == "OK", f"{command}: {said}"

	return run


def ask(pair: Pair, which: str, command: str) -> str:
	"""What a Redis of the first server answers."""
	password = f"--no-auth-warning -a {_password(pair)}"
	return pair.first.do(f"redis-cli -h 127.0.0.1 -p {REDIS_PORTS[which]} {password} {command}")


def _password(pair: Pair) -> str:
	return urlsplit(pair.first.common()["redis_cache"]).password


def _open(pair: Pair) -> None:
	_ask("queue", "ACL SETUSER default nopass", "CONFIG SET protected-mode no")(pair)
	pair.first.set_common(redis_queue=pair.first.common()["redis_queue"].replace(f":{_password(pair)}@", ""))


def _close(pair: Pair) -> None:
	pair.first.do(f"redis-cli -p {REDIS_PORTS['queue']} ACL LOAD")
	_ask("queue", "CONFIG SET protected-mode yes")(pair)
	pair.first.set_common(redis_queue=pair.second.common()["redis_queue"])


def _a_quarter_of_an_hour_later(pair: Pair) -> None:
	"""Let it be so long ago that another Redis, or none, was seen by a server: so long that is told."""
	pair.primary.query(
		f"UPDATE `{pair.database}`.`tabCache Redis` SET seen_at = seen_at - INTERVAL 16 MINUTE,"
		" in_use_since = in_use_since - INTERVAL 16 MINUTE"
	)


def _program(word: str) -> Callable[[Pair], None]:
	def run(pair: Pair) -> None:
		pair.first.do(f"supervisorctl {word} {pair.name}-redis:{pair.name}-redis-cache")

	return run


def _another(key: str) -> Callable[[Pair], None]:
	"""Returns what gives the second server a Redis of its own."""

	def give(pair: Pair) -> None:
		password = _password(pair)
		options = f"--port {ANOTHER_PORT} --bind {SECOND} --requirepass {password} --save ''"
		pair.second.start(redis=f"redis-server {options}")
		pair.second.set_common(**{key: f"redis://:{password}@{SECOND}:{ANOTHER_PORT}"})

	return give


def _the_same(key: str) -> Callable[[Pair], None]:
	def give(pair: Pair) -> None:
		pair.second.set_common(**{key: pair.first.common()[key]})
		(pair.second.etc / "supervisor" / "conf.d" / "redis.conf").unlink()
		pair.second.do("supervisorctl update")

	return give


BREAKAGES: Sequence[Breakage] = (
	Breakage(
		"redis-password",
		"the queues' Redis is open",
		_open,
		by_person(_close, says="In its aclfile: user default on"),
	),
	Breakage(
		"redis-keeps-jobs",
		"the queues' Redis deletes them",
		_ask("queue", "CONFIG SET maxmemory 100mb", "CONFIG SET maxmemory-policy allkeys-lru"),
		by_person(
			_ask("queue", "CONFIG SET maxmemory-policy noeviction"), says="maxmemory-policy noeviction"
		),
	),
	Breakage(
		"redis-is-no-replica",
		"the cache's Redis follows another",
		_ask("cache", f"REPLICAOF {SECOND} 1"),
		by_person(_ask("cache", "REPLICAOF NO ONE"), _a_quarter_of_an_hour_later, says="master"),
	),
	Breakage(
		"redis-reachable",
		"the cache's Redis is stopped",
		_program("stop"),
		by_person(_program("start"), both_again, _a_quarter_of_an_hour_later, says="Start the server"),
	),
	Breakage(
		"same-redis-cache",
		"the second server has its own",
		_another("redis_cache"),
		by_person(_the_same("redis_cache"), _a_quarter_of_an_hour_later, says="the same redis_cache"),
		on="second",
	),
	Breakage(
		"same-redis-queue",
		"the second server has its own",
		_another("redis_queue"),
		by_person(_the_same("redis_queue"), says="the same redis_queue"),
		on="second",
	),
)
