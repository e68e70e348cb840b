# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""One thing that is broken on a pair of servers: how, what the doctor is to name, and what mends it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from support.two_servers.database import Database
from support.two_servers.pair import SITE, Pair

Where = Literal["first", "second"]
Mend = Callable[[Pair, str], None]

COMMAND = re.compile(r"bench --site SITE (read-replica [a-z-]+(?: --[a-z-]+)*)")
STATEMENT = re.compile(r"SET GLOBAL \w+=[^\s,;]+(?:, \w+=[^\s,;]+)*|START REPLICA|STOP REPLICA")


@dataclass(frozen=True)
class Breakage:
	"""A thing that is broken.

	:param check: the id of the only check that is to name it
	:param how: in words, to tell it from others that the same check names
	:param breaks: breaks it
	:param mends: mends it, given what the finding says that mends it
	:param on: the server on which the doctor is run
	"""

	check: str
	how: str
	breaks: Callable[[Pair], None]
	mends: Mend
	on: Where = "first"

	def __str__(self) -> str:
		return f"{self.check}: {self.how}"


def sql(*statements: str, on: Literal["primary", "replica"] = "replica") -> Callable[[Pair], None]:
	"""Returns what runs statements as root."""

	def run(pair: Pair) -> None:
		for statement in statements:
			_database(pair, on).query(statement)

	return run


def _database(pair: Pair, which: str) -> Database:
	return pair.primary if which == "primary" else pair.replica


def printed_sql(on: Literal["primary", "replica"] = "replica") -> Mend:
	"""Returns what runs the statements that the finding prints."""

	def mend(pair: Pair, fix: str) -> None:
		found = STATEMENT.findall(fix)
		assert found, fix
		for statement in found:
			_database(pair, on).query(statement)

	return mend


def printed_command(on: Where) -> Mend:
	"""Returns what runs the command of this app that the finding prints, on a server."""

	def mend(pair: Pair, fix: str) -> None:
		found = COMMAND.search(fix)
		assert found, fix
		machine = pair.first if on == "first" else pair.second
		done = machine.bench_command(f"--site {SITE} {found[1]}")
		# The doctor ends with 1 while another one has not run again.
		assert done.returncode == 0 or found[1].endswith("doctor"), f"{done.stdout}\n{done.stderr}"

	return mend


def by_person(*does: Callable[[Pair], object], says: str = "") -> Mend:
	"""Returns what somebody does whom the finding tells what is to be done.

	:param says: words of that
	"""

	def mend(pair: Pair, fix: str) -> None:
		# First, so that the next test begins with a pair that is well.
		for do in does:
			do(pair)
		assert says in fix, f"{says!r} is not in what the finding says: {fix!r}"

	return mend


def both_again(pair: Pair) -> None:
	"""Run the doctor on both servers, so that each knows of the other what is so now."""
	for machine in (pair.second, pair.first):
		pair.doctor(machine)
