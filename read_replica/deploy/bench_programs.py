# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Reads which programs of a bench supervisor runs, from the file that `bench setup supervisor` writes."""

import re
from configparser import Error, RawConfigParser
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "program:"


@dataclass(frozen=True)
class BenchPrograms:
	"""The programs of a bench.

	:param name: that of the bench: its folder's
	:param commands: what each program runs, by its name without that of the bench, such as `frappe-web`
	:param environments: the variables that somebody has given some of them, as supervisor takes them
	"""

	name: str
	commands: dict[str, str]
	environments: dict[str, str]

	@property
	def with_frappe(self) -> list[str]:
		"""The programs that run code of Frappe's."""
		return [program for program in self.commands if program.startswith("frappe-")]

	@property
	def worker_queues(self) -> dict[str, list[str]]:
		"""The queues that each program of workers reads."""
		found = {}
		for program, command in self.commands.items():
			queues = re.search(r"\bworker(?:-pool)?\b.*--queue[ =](\S+)", command)
			if queues:
				found[program] = queues[1].split(",")
		return found


def read(path: Path, bench_name: str) -> BenchPrograms:
	"""Returns the programs of a bench.

	:param path: config/supervisor.conf
	:raises FileNotFoundError: if there is no such file
	:raises ValueError: if it cannot be read, or has no program of this bench
	"""
	# As supervisor reads it; it expands `%` itself, and a `;` after a blank begins a comment.
	parser = RawConfigParser(inline_comment_prefixes=(" ;", "\t;"), strict=False)
	try:
		is_read = bool(parser.read(path))
	except Error as error:
		raise ValueError(f"{path} cannot be read: {error}") from error
	if not is_read:
		raise FileNotFoundError(f"There is no {path}. Make it: bench setup supervisor")
	prefix = f"{PROGRAM}{bench_name}-"
	programs = {
		section.removeprefix(prefix): parser[section]
		for section in parser.sections()
		if section.startswith(prefix)
	}
	if not programs:
		raise ValueError(
			f"{path} has no program of the bench {bench_name}: make it anew, bench setup supervisor"
		)
	return BenchPrograms(
		bench_name,
		{name: _one_line(options.get("command", "")) for name, options in programs.items()},
		{
			name: _one_line(options["environment"])
			for name, options in programs.items()
			if options.get("environment")
		},
	)


def _one_line(value: str) -> str:
	# A value may go on in the next line, if that begins with a blank.
	return " ".join(value.splitlines()).strip()
