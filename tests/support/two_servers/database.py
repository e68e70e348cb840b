# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""MariaDB on a server: a my.cnf, to which lines are added as this app asks for them, and root's way in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pymysql
import trustme

from support.servers import ROOT_PASSWORD, find_program, run
from support.two_servers.machine import Machine
from support.two_servers.network import FIRST
from support.waiting import until

TLS = ("ca", "cert", "key")
# The same path on each server, as site_config.json is the same; each has a certificate of its own there.
TLS_FOLDER = "/etc/site-tls"

# Whose root may log in from the first server, from where this app's commands are run.
ROOTS = ("localhost", "127.0.0.1", FIRST)


class Database:
	"""The MariaDB server of a machine."""

	def __init__(self, machine: Machine):
		self.machine = machine
		self.folder = machine.var_folder / "mariadb"
		# As this process sees it.
		self._outside = machine.var / "mariadb"
		self.lines: dict[str, str] = {
			"datadir": str(self.folder / "data"),
			"tmpdir": str(self.folder / "tmp"),
			"socket": str(self.folder / "s.sock"),
			"pid_file": str(self.folder / "pid"),
			"port": "3306",
			"bind_address": "127.0.0.1",
			"character_set_server": "utf8mb4",
			"collation_server": "utf8mb4_unicode_ci",
			"innodb_log_file_size": "48M",
			# Those that it notices a server by that has lost its power.
			"tcp_keepalive_time": "60",
			"tcp_keepalive_interval": "10",
			"tcp_keepalive_probes": "6",
			**{f"ssl_{name}": f"{TLS_FOLDER}/{name}.pem" for name in TLS},
		}

	def make(self) -> None:
		"""Make its data folder, and root."""
		(self._outside / "tmp").mkdir(parents=True)
		self.write()
		self.machine.host.must(
			find_program("mariadb-install-db", "mysql_install_db"),
			"--no-defaults",
			f"--datadir={self.folder / 'data'}",
			"--auth-root-authentication-method=normal",
			"--skip-test-db",
			"--user=root",
			environment=self.machine.environment,
		)

	def let_root_in(self) -> None:
		with self.as_root() as connection:
			for host in ROOTS[1:]:
				run(connection, f"CREATE OR REPLACE USER root@'{host}' IDENTIFIED BY '{ROOT_PASSWORD}'")
				run(connection, f"GRANT ALL PRIVILEGES ON *.* TO root@'{host}' WITH GRANT OPTION")

	def command(self) -> str:
		return f"{find_program('mariadbd')} --defaults-file={self.folder / 'my.cnf'} --user=root"

	def add_lines(self, lines: Sequence[str]) -> None:
		"""Write lines into the my.cnf, as this app prints them; they count from the next start on."""
		for line in lines:
			name, is_option, value = line.partition("=")
			if is_option:
				self.lines[name.strip()] = value.strip()
		self.write()

	def write(self) -> None:
		text = "\n".join(f"{name}={value}" for name, value in self.lines.items())
		(self._outside / "my.cnf").write_text(f"[mariadbd]\nskip-name-resolve\n{text}\n")

	def start(self) -> None:
		self.machine.start(mariadb=self.command())
		self.wait()

	def restart(self) -> None:
		self.machine.do("systemctl restart mariadb")
		self.wait()

	def wait(self) -> None:
		"""Return once it answers."""
		until(self._answers, 60)

	def _answers(self) -> bool:
		try:
			self.query("SELECT 1")
		except pymysql.err.OperationalError:
			return False
		return True

	def as_root(self) -> pymysql.Connection:
		"""An autocommit connection of root, by the socket."""
		socket = str(self._outside / "s.sock")
		return pymysql.connect(unix_socket=socket, user="root", charset="utf8mb4", autocommit=True)

	def query(self, statement: str, values: tuple | None = None) -> tuple:
		"""Run one statement as root, and return its rows."""
		with self.as_root() as connection:
			return run(connection, statement, values)

	def set(self, **variables: Any) -> None:
		"""Set global variables; nothing is written into the my.cnf."""
		for name, value in variables.items():
			self.query(f"SET GLOBAL {name} = %s", (value,))

	def replication(self) -> Mapping[str, Any]:
		"""What SHOW REPLICA STATUS says."""
		with self.as_root() as connection, connection.cursor(pymysql.cursors.DictCursor) as cursor:
			cursor.execute("SHOW REPLICA STATUS")
			return cursor.fetchone() or {}

	def catch_up(self, primary: "Database", seconds: float = 30) -> None:
		"""Return once all that the primary has committed is here."""
		[[position]] = primary.query("SELECT @@gtid_binlog_pos")
		[[waited]] = self.query("SELECT MASTER_GTID_WAIT(%s, %s)", (position, seconds))
		assert waited == 0, self.replication()


def give_certificates(machines: Sequence[Machine]) -> None:
	"""Give each server a certificate for its addresses, of one authority, which also lets the site log in."""
	authority = trustme.CA()
	for machine in machines:
		folder = machine.etc / Path(TLS_FOLDER).name
		folder.mkdir()
		certificate = authority.issue_cert(machine.address, "127.0.0.1")
		authority.cert_pem.write_to_path(folder / "ca.pem")
		certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
		certificate.private_key_pem.write_to_path(folder / "key.pem")
