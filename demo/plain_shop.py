# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A shop over bare connections: the engine with the plain Host, and no framework."""

from collections.abc import Iterator
from contextlib import contextmanager

from read_replica.engine.router import Router
from read_replica.engine.settings import Endpoint, Need, Settings
from support.plain import PlainHost
from support.servers import Cluster

ITEMS, WAREHOUSES = 400, 5
CHUNK = 20_000

TABLES = (
	"""CREATE TABLE stock_ledger (
		id INT AUTO_INCREMENT PRIMARY KEY, item INT NOT NULL, warehouse INT NOT NULL,
		posting_date DATE NOT NULL, qty DECIMAL(18, 6) NOT NULL, value DECIMAL(18, 6) NOT NULL,
		KEY (item, warehouse))""",
	"CREATE TABLE bin (item INT, warehouse INT, qty DECIMAL(18, 6) NOT NULL, PRIMARY KEY (item, warehouse))",
	"CREATE TABLE sales_order (id INT AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, total DECIMAL(18, 6))",
)

STOCK_BALANCE = """
	SELECT item, warehouse,
		SUM(IF(posting_date < '2026-01-01', qty, 0)) AS opening,
		SUM(IF(posting_date >= '2026-01-01' AND qty > 0, qty, 0)) AS received,
		SUM(IF(posting_date >= '2026-01-01' AND qty < 0, qty, 0)) AS issued,
		SUM(qty) AS balance, SUM(value) AS value
	FROM stock_ledger GROUP BY item, warehouse ORDER BY value DESC"""


class PlainShop:
	name = "bare connections"
	thinking = 0.01

	def __init__(self, servers: Cluster):
		self._servers = servers
		servers.primary.query("CREATE DATABASE shop")
		self._host = PlainHost(servers.primary.address("shop"), servers.redis.client())
		# As on a site that has been running for a while.
		self._host.shared.mark_incomplete(seconds_ago=3600)
		replicas = (Endpoint(name=r.folder.name, host=r.host, port=r.port) for r in servers.replicas)
		self._router = Router(Settings(replicas=tuple(replicas)), self._host)
		self._routed = False

	def __enter__(self) -> "PlainShop":
		return self

	def __exit__(self, *exception) -> None:
		self._host.current().close()
		for replica in self._router.replicas:
			replica.pool.close_idle()

	def load(self, rows: int) -> Iterator[int]:
		with self._servers.primary.admin("shop") as connection, connection.cursor() as cursor:
			for table in TABLES:
				cursor.execute(table)
			cursor.execute(
				f"INSERT INTO bin SELECT i.seq, w.seq, 0 FROM seq_1_to_{ITEMS} i JOIN seq_1_to_{WAREHOUSES} w"
			)
			for first in range(0, rows, CHUNK):
				cursor.execute(
					"INSERT INTO stock_ledger (item, warehouse, posting_date, qty, value)"
					f" SELECT 1 + seq * 7 % {ITEMS}, 1 + seq * 3 % {WAREHOUSES}, '2025-01-01' + INTERVAL seq % 600 DAY,"
					f" seq % 19 - 7.0, (seq % 19 - 7.0) * (1 + seq % 13) FROM seq_{first + 1}_to_{first + CHUNK}"
				)
				yield first + CHUNK

	def prepare(self, routed: bool) -> None:
		self._routed = routed

	@contextmanager
	def client(self) -> Iterator[None]:
		try:
			yield
		finally:
			self._host.current().close()

	def order(self, number: int) -> None:
		database = self._host.current()
		database.sql(
			"INSERT INTO sales_order (customer, total) VALUES (%s, %s)", (number % 97, number % 1000)
		)
		for line in range(3):
			item, warehouse = 1 + (number * 5 + line) % ITEMS, 1 + number % WAREHOUSES
			database.sql(
				"INSERT INTO stock_ledger (item, warehouse, posting_date, qty, value) VALUES (%s, %s, '2026-06-01', -1, -5)",
				(item, warehouse),
			)
			database.sql("UPDATE bin SET qty = qty - 1 WHERE item = %s AND warehouse = %s", (item, warehouse))
		database.commit()
		self._end_request()

	def report(self) -> str:
		self._host.log_in("manager")
		if not self._routed:
			self._host.current().sql(STOCK_BALANCE)
			self._host.current().rollback()
			return "primary"
		with self._router.read_only(Need(), "stock_balance") as scope:
			self._host.current().sql(STOCK_BALANCE)
			answered_by = scope.replica.name if scope and not scope.pinned else "primary"
		self._end_request()
		return answered_by

	def _end_request(self) -> None:
		if self._routed:
			self._host.end_request(self._router)
