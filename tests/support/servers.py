# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Starts real servers for tests and the demo, and stops them: MariaDB with replicas, and Redis.

Each one listens on a free port of 127.0.0.1, keeps its files in a temporary folder, and is a child
of this process that is stopped with it.
"""

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pymysql
import redis
from mirakuru import TCPExecutor
from mirakuru.base import cleanup_subprocesses

ROOT_PASSWORD = secrets.token_hex(8)
START_TIMEOUT = 60

# The default of MariaDB from 11.6.2 on; older ones that have it leave it off, and others do not know it.
SNAPSHOT_ISOLATION = os.environ.get("READ_REPLICA_SNAPSHOT_ISOLATION", "1") != "0"


# At exit, mirakuru kills every process whose mirakuru_uuid contains this process's id as digits, which
# may be those of another run. Ours end with their parent instead: see Server.start.
atexit.unregister(cleanup_subprocesses)


def free_port() -> int:
	"""A port of 127.0.0.1 that nothing listens on, above those that servers use by custom."""
	with socket.socket() as probe:
		probe.bind(("127.0.0.1", 0))
		return probe.getsockname()[1]


def find_program(*names: str) -> str:
	"""The path of the first of these programs that is installed (Debian keeps servers in /usr/sbin)."""
	path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
	for name in names:
		if found := shutil.which(name, path=path):
			return found
	raise FileNotFoundError(
		f"None of {', '.join(names)} is installed. On Debian: apt-get install mariadb-server redis-server"
	)


class Server:
	"""A server process with a TCP port, in a folder of its own."""

	def __init__(self, folder: Path):
		self.folder = folder
		self.host = "127.0.0.1"
		self.port = free_port()
		self._executor: TCPExecutor | None = None
		self._cores: list[int] = []

	def command(self) -> list[str]:
		raise NotImplementedError

	def start(self) -> None:
		"""Start and return once the port answers."""
		log = open(self.folder / "server.log", "ab")
		# The kernel ends the server with this process, also where that is killed.
		end_with_us = [find_program("setpriv"), "--pdeathsig", "KILL"]
		self._executor = TCPExecutor(
			end_with_us + self.command(),
			self.host,
			self.port,
			timeout=START_TIMEOUT,
			cwd=self.folder,
			stdout=log,
			stderr=log,
			expected_returncode=0,
		)
		try:
			self._executor.start()
		finally:
			log.close()
		if self._cores:
			self.pin_to(self._cores)

	@property
	def process(self) -> psutil.Process:
		return psutil.Process(self._executor.process.pid)

	@property
	def is_running(self) -> bool:
		return bool(self._executor and self._executor.running())

	def stop(self) -> None:
		"""Ask it to end, and wait until it has."""
		self._end(signal.SIGTERM)

	def kill(self) -> None:
		"""End it as a power cut would."""
		self._end(signal.SIGKILL)

	def _end(self, with_signal: signal.Signals) -> None:
		if self._executor and self._executor.process:
			with contextlib.suppress(psutil.NoSuchProcess):
				self.process.resume()
			with contextlib.suppress(Exception):
				self._executor.stop(stop_signal=with_signal, expected_returncode=-with_signal)
			self._executor = None

	def pin_to(self, cores: list[int]) -> None:
		"""Let it run on these cores only, also after a restart."""
		self._cores = cores
		for thread in self.process.threads():
			os.sched_setaffinity(thread.id, cores)

	def freeze(self) -> None:
		"""Stop it in its tracks: the port accepts, nobody answers."""
		self.process.suspend()

	def thaw(self) -> None:
		self.process.resume()


def _make_data_folder(folder: Path, as_root: list[str]) -> None:
	made = subprocess.run(
		[
			find_program("mariadb-install-db", "mysql_install_db"),
			"--no-defaults",
			f"--datadir={folder / 'data'}",
			"--auth-root-authentication-method=normal",
			"--skip-test-db",
			*as_root,
		],
		# A server that starts removes the temporary tables that it finds, those of another one too.
		env=os.environ | {"TMPDIR": str(folder / "tmp")},
		stdin=subprocess.DEVNULL,
		capture_output=True,
		text=True,
	)
	if made.returncode:
		raise RuntimeError(f"no data folder could be made in {folder}:\n{made.stdout}\n{made.stderr}")


# Of SHOW SLAVE STATUS: what tells how replication is.
IN_SHORT = (
	"Gtid_IO_Pos",
	"Slave_IO_Running",
	"Slave_SQL_Running",
	"Slave_SQL_Running_State",
	"Last_Error",
)


class MariaDB(Server):
	"""A MariaDB server with a binary log and GTIDs, a primary until `follow` makes it a replica."""

	def __init__(self, folder: Path, server_id: int, *options: str):
		super().__init__(folder)
		self.server_id = server_id
		self._options = list(options)
		self._as_root = ["--user=root"] if os.geteuid() == 0 else []
		(folder / "tmp").mkdir()
		# Kept out of the binary log, or the replicas would be given root a second time.
		(folder / "init.sql").write_text(
			"SET SESSION sql_log_bin = 0;\n"
			f"CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY '{ROOT_PASSWORD}';\n"
			"GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n"
		)
		_make_data_folder(folder, self._as_root)

	def command(self) -> list[str]:
		return [
			find_program("mariadbd", "mysqld"),
			"--no-defaults",
			*self._as_root,
			f"--datadir={self.folder / 'data'}",
			# A server that starts removes the temporary tables that it finds in there, whoever made them.
			f"--tmpdir={self.folder / 'tmp'}",
			f"--socket={self.folder / 's.sock'}",
			f"--pid-file={self.folder / 'pid'}",
			f"--init-file={self.folder / 'init.sql'}",
			f"--port={self.port}",
			"--bind-address=127.0.0.1",
			f"--server-id={self.server_id}",
			"--log-bin=binlog",
			"--log-slave-updates",
			"--gtid-strict-mode=1",
			"--binlog-format=MIXED",
			"--character-set-server=utf8mb4",
			"--collation-server=utf8mb4_unicode_ci",
			"--innodb-buffer-pool-size=128M",
			"--innodb-log-file-size=48M",
			"--innodb-flush-log-at-trx-commit=2",
			"--sync-binlog=0",
			"--max-connections=400",
			"--tcp-keepalive-time=60",
			f"--loose-innodb-snapshot-isolation={'ON' if SNAPSHOT_ISOLATION else 'OFF'}",
			"--skip-name-resolve",
			*self._options,
		]

	def admin(self, database: str | None = None) -> pymysql.Connection:
		"""An autocommit connection of root."""
		return pymysql.connect(**self.address(database), autocommit=True)

	def address(self, database: str | None = None) -> dict:
		"""What pymysql.connect needs to log in as root."""
		return {
			"host": self.host,
			"port": self.port,
			"user": "root",
			"password": ROOT_PASSWORD,
			"database": database,
			"charset": "utf8mb4",
		}

	def query(self, statement: str, values: tuple | None = None) -> tuple:
		"""Run one statement as root on a connection of its own, and return its rows."""
		with self.admin() as connection:
			return run(connection, statement, values)

	def start(self) -> None:
		"""Start and return once the port answers and, for a replica, replication is at work again.

		A replica that is killed while its replication starts may have a relay log index that names files
		which it has just deleted. MariaDB then starts without replication ("Failed to initialize the master
		info structure" in its log, no error in SHOW SLAVE STATUS), whatever relay_log_recovery is.
		"""
		super().start()
		replication = self._replication()
		if replication.get("Slave_SQL_Running") == "No" and not replication["Last_Error"]:
			self.query("RESET SLAVE")
			self.query("START SLAVE")

	def follow(self, primary: "MariaDB") -> None:
		"""Become a read-only replica of a primary, from its first transaction on."""
		self.query(
			f"CHANGE MASTER TO master_host='127.0.0.1', master_port={primary.port}, master_user='root',"
			f" master_password='{ROOT_PASSWORD}', master_use_gtid=slave_pos, master_connect_retry=1"
		)
		self.query("START SLAVE")
		self.query("SET GLOBAL read_only = 1")
		# Also when it is started again.
		self._options.append("--read-only=1")

	def catch_up(self, primary: "MariaDB", timeout: float = 30) -> None:
		"""Return once all that the primary has committed is here."""
		position = primary.query("SELECT @@gtid_binlog_pos")[0][0]
		if self.query("SELECT MASTER_GTID_WAIT(%s, %s)", (position, timeout))[0][0] != 0:
			raise TimeoutError(
				f"The replica on port {self.port} did not reach {position} in {timeout} s: {self._replication()}"
			)

	def _replication(self) -> dict[str, str | None]:
		"""How replication is, of what SHOW SLAVE STATUS says; empty where there is none."""
		with self.admin() as connection, connection.cursor(pymysql.cursors.DictCursor) as cursor:
			cursor.execute("SHOW SLAVE STATUS")
			status = cursor.fetchone() or {}
		return {name: status[name] for name in IN_SHORT if name in status}


class Redis(Server):
	"""A Redis server that keeps nothing on disk."""

	def client(self) -> redis.Redis:
		"""The one client of this process."""
		if self._client is None:
			self._client = redis.Redis(self.host, self.port)
		return self._client

	def __init__(self, folder: Path):
		super().__init__(folder)
		self._client: redis.Redis | None = None

	def command(self) -> list[str]:
		program = find_program("redis-server")
		return [
			program,
			"--port",
			str(self.port),
			"--bind",
			"127.0.0.1",
			"--save",
			"",
			"--dir",
			str(self.folder),
		]


def run(connection: pymysql.Connection, statement: str, values: tuple | None = None) -> tuple:
	with connection.cursor() as cursor:
		cursor.execute(statement, values)
		return cursor.fetchall()


def make_certificates(folder: Path) -> dict[str, str]:
	"""Files of a certificate authority, and of a certificate and key of it for 127.0.0.1."""
	import trustme

	authority = trustme.CA()
	certificate = authority.issue_cert("127.0.0.1")
	paths = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key")}
	authority.cert_pem.write_to_path(paths["ca"])
	certificate.cert_chain_pems[0].write_to_path(paths["cert"])
	certificate.private_key_pem.write_to_path(paths["key"])
	return {name: str(path) for name, path in paths.items()}


class Cluster:
	"""A primary, its replicas, and a Redis.

	:param options: more options for each of the MariaDB servers
	"""

	def __init__(
		self,
		folder: Path,
		replicas: int = 2,
		redis: bool = True,
		tls: bool = False,
		options: Sequence[str] = (),
	):
		self.folder = folder
		self._options = options
		self._started: list[Server] = []
		self.tls = make_certificates(self._folder("tls")) if tls else {}
		self.primary = self._mariadb("primary", 1)
		self.replicas = [
			self._mariadb(f"replica{number:02}", number + 1) for number in range(1, replicas + 1)
		]
		self.redis = self._start(Redis(self._folder("redis"))) if redis else None
		for replica in self.replicas:
			replica.follow(self.primary)

	def _folder(self, name: str) -> Path:
		(self.folder / name).mkdir()
		return self.folder / name

	def _mariadb(self, name: str, server_id: int) -> MariaDB:
		options = [f"--ssl-{name}={path}" for name, path in self.tls.items()]
		return self._start(MariaDB(self._folder(name), server_id, *options, *self._options))

	def _start(self, server: Server) -> Server:
		self._started.append(server)
		server.start()
		return server

	def catch_up(self) -> None:
		"""Return once every replica has all that the primary has committed."""
		for replica in self.replicas:
			replica.catch_up(self.primary)

	def stop(self) -> None:
		for server in reversed(self._started):
			server.kill()


def pin_apart(servers: Cluster) -> tuple[list[int], list[int]]:
	"""Give the primary and the replicas cores of their own, as if on machines of their own.

	Returns the cores of the primary and those of the replicas; a machine with one core has them share it.
	"""
	cores = sorted(psutil.Process().cpu_affinity())
	half = len(cores) // 2
	of_primary, of_replicas = cores[:half] or cores, cores[half:]
	servers.primary.pin_to(of_primary)
	for replica in servers.replicas:
		replica.pin_to(of_replicas)
	return of_primary, of_replicas


@contextlib.contextmanager
def cluster(
	replicas: int = 2, redis: bool = True, tls: bool = False, options: Sequence[str] = ()
) -> Iterator[Cluster]:
	"""A running cluster in a temporary folder; nothing of it is left afterwards."""
	# Unix socket paths end at 107 characters, so the folder stands near the root, not under TMPDIR.
	folder = Path(tempfile.mkdtemp(prefix="rr-", dir="/tmp"))
	servers = None
	try:
		servers = Cluster.__new__(Cluster)
		servers.__init__(folder, replicas, redis, tls, options)
		yield servers
	finally:
		if servers is not None and hasattr(servers, "_started"):
			servers.stop()
		shutil.rmtree(folder, ignore_errors=True)
