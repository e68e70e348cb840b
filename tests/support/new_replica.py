# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A primary with a site under load, an empty server, and the commands of the copy, run as they are printed."""

import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pymysql

from support.servers import MariaDB, find_program, run

SITE = "_shop"
SECONDS_FOR_A_COMMAND = 60


class FromFile(MariaDB):
	"""A MariaDB server whose only options are those of a my.cnf: where its files are, and lines that it is given."""

	def __init__(self, folder: Path, *lines: str):
		super().__init__(folder, 0)
		self.configure(lines)

	def configure(self, lines: Sequence[str]) -> None:
		"""Write the my.cnf; it counts from the next start on."""
		own = {
			"datadir": self.folder / "data",
			"tmpdir": self.folder / "tmp",
			"socket": self.folder / "s.sock",
			"pid-file": self.folder / "pid",
			"init-file": self.folder / "init.sql",
			"port": self.port,
			"bind-address": self.host,
		}
		text = [
			"[mariadbd]",
			*(f"{name}={value}" for name, value in own.items()),
			"skip-name-resolve",
			*lines,
		]
		(self.folder / "my.cnf").write_text("\n".join(text) + "\n")

	def command(self) -> list[str]:
		return [find_program("mariadbd"), f"--defaults-file={self.folder / 'my.cnf'}", *self._as_root]

	def restart(self, lines: Sequence[str]) -> None:
		self.stop()
		self.configure(lines)
		self.start()


def make_site(primary: MariaDB) -> None:
	"""Make what Frappe's sites have: InnoDB, a few tables that are not, a stored function, an account."""
	for statement in (
		f"CREATE DATABASE {SITE} CHARACTER SET utf8mb4",
		f"CREATE TABLE {SITE}.tabItem (name INT AUTO_INCREMENT PRIMARY KEY, qty INT, note VARCHAR(200))",
		f"CREATE TABLE {SITE}.`tabError Log` (name INT AUTO_INCREMENT PRIMARY KEY, error TEXT) ENGINE=MyISAM",
		f"CREATE TABLE {SITE}.tabSequence (name INT PRIMARY KEY, current INT)",
		f"INSERT INTO {SITE}.tabSequence VALUES (1, 0)",
		f"CREATE FUNCTION {SITE}.twice(number INT) RETURNS INT RETURN 2 * number",
		"CREATE USER site@'127.0.0.1' IDENTIFIED BY 'secret'",
		f"GRANT ALL ON {SITE}.* TO site@'127.0.0.1'",
	):
		primary.query(statement)


class Load:
	"""Writers of a site, for as long as the block lasts."""

	def __init__(self, primary: MariaDB, writers: int = 2):
		self._primary = primary
		self._ends = threading.Event()
		self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(writers)]
		self.rounds = 0

	def __enter__(self) -> "Load":
		for thread in self._threads:
			thread.start()
		return self

	def __exit__(self, *exception) -> None:
		self._ends.set()
		for thread in self._threads:
			thread.join()

	def _write(self, number: int) -> None:
		connection = pymysql.connect(**self._primary.address(SITE), autocommit=True)
		try:
			while not self._ends.is_set():
				run(connection, "INSERT INTO tabItem (qty, note) VALUES (twice(%s), UUID())", (self.rounds,))
				run(connection, "INSERT INTO `tabError Log` (error) VALUES (REPEAT(UUID(), 20))")
				run(connection, "UPDATE tabSequence SET current = current + 1 WHERE name = 1")
				run(connection, "DELETE FROM tabItem WHERE name % 7 = 0 LIMIT 1")
				if self.rounds % 50 == number:
					run(connection, f"GRANT SELECT ON {SITE}.* TO site@'127.0.0.1'")
				self.rounds += 1
				self._ends.wait(0.002)
		finally:
			connection.close()


class Shell:
	"""Runs the commands of root on two hosts, which are one here: ssh stays on it, systemctl is the test's own."""

	def __init__(self, folder: Path, replica: FromFile):
		self._folder = folder
		self._replica = replica
		self._program("ssh", 'shift; exec bash -c "$*"')
		self._program("chown", "exit 0")
		self.position: str | None = None

	def _program(self, name: str, script: str) -> None:
		path = self._folder / name
		path.write_text(f"#!/bin/bash\n{script}\n")
		path.chmod(0o755)

	def run(self, commands: Sequence[str]) -> None:
		"""Run commands one after the other; the one that shows the copy's position is remembered."""
		for command in commands:
			if "systemctl stop" in command:
				self._replica.stop()
			elif "systemctl start" in command:
				self._replica.start()
			else:
				self._run(command)

	def _run(self, command: str) -> None:
		done = subprocess.run(
			["bash", "-c", command],
			env=os.environ | {"PATH": f"{self._folder}:{os.environ['PATH']}"},
			capture_output=True,
			text=True,
			timeout=SECONDS_FOR_A_COMMAND,
		)
		assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
		if "cut -f3" in command:
			self.position = done.stdout.strip()


def checksums(server: MariaDB, schemas: Sequence[str] = (SITE,)) -> dict[str, int]:
	"""The checksum of each table of some databases."""
	tables = server.query(
		"SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables"
		" WHERE table_type = 'BASE TABLE' AND table_schema IN %s",
		(list(schemas),),
	)
	return {name: server.query(f"CHECKSUM TABLE {name} EXTENDED")[0][1] for [name] in tables}
