# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A shop on a throwaway Frappe site: documents, and a report that is decorated with read_only."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import frappe

from read_replica import lifecycle, read_only, routing
from read_replica.database.host import shared_of_site
from support.bench import SITE, Sites
from support.servers import Cluster

from .plain_shop import CHUNK, ITEMS, WAREHOUSES

LEDGER, ORDER = "Demo Stock Ledger Entry", "Demo Sales Order"

STOCK_BALANCE = f"""
	select item, warehouse,
		sum(if(posting_date < '2026-01-01', qty, 0)) as opening,
		sum(if(posting_date >= '2026-01-01' and qty > 0, qty, 0)) as received,
		sum(if(posting_date >= '2026-01-01' and qty < 0, qty, 0)) as issued,
		sum(qty) as balance, sum(value) as value
	from `tab{LEDGER}` group by item, warehouse order by value desc"""


@read_only
def stock_balance() -> str:
	frappe.db.sql(STOCK_BALANCE)
	scope = routing.current()
	return scope.replica.name if scope and not scope.pinned else "primary"


class FrappeShop:
	name = f"Frappe {frappe.__version__}"
	# A document costs Python some milliseconds, all of them in this one process.
	thinking = 0.03

	def __init__(self, servers: Cluster):
		self._servers = servers

	def __enter__(self) -> "FrappeShop":
		self._folder = tempfile.TemporaryDirectory(prefix="rr-demo-")
		self._sites = Sites(Path(self._folder.name), self._servers, apps=("frappe", "read_replica"))
		os.chdir(self._sites.path)
		self._sites.new_site()
		self._sites.bench("--site", SITE, "install-app", "read_replica")
		return self

	def __exit__(self, *exception) -> None:
		os.chdir("/")
		self._folder.cleanup()

	def load(self, rows: int) -> Iterator[int]:
		with self.client():
			_make_doctype(
				LEDGER, item="Int", warehouse="Int", posting_date="Date", qty="Float", value="Float"
			)
			_make_doctype(ORDER, customer="Int", total="Float")
			frappe.db.add_index(LEDGER, ["item", "warehouse"])
			for first in range(0, rows, CHUNK):
				frappe.db.sql(
					f"insert into `tab{LEDGER}` (name, creation, modified, owner, item, warehouse, posting_date, qty, value)"
					f" select concat('L', seq), now(), now(), 'Administrator', 1 + seq * 7 % {ITEMS}, 1 + seq * 3 % {WAREHOUSES},"
					" '2025-01-01' + interval seq % 600 day, seq % 19 - 7.0, (seq % 19 - 7.0) * (1 + seq % 13)"
					f" from seq_{first + 1}_to_{first + CHUNK}"
				)
				frappe.db.commit()
				yield first + CHUNK
			# As on a site that has been running for a while.
			shared_of_site().mark_incomplete(seconds_ago=3600)

	def prepare(self, routed: bool) -> None:
		replicas = [{"name": r.folder.name, "host": r.host, "port": r.port} for r in self._servers.replicas]
		self._sites.configure(read_replica={"enabled": int(routed), "replicas": replicas})

	@contextmanager
	def client(self) -> Iterator[None]:
		frappe.init(site=SITE, sites_path=".")
		frappe.connect()
		lifecycle.begin()
		try:
			yield
		finally:
			lifecycle.end()
			frappe.destroy()

	def order(self, number: int) -> None:
		frappe.get_doc({"doctype": ORDER, "customer": number % 97, "total": number % 1000}).insert()
		fields = ["name", "item", "warehouse", "posting_date", "qty", "value"]
		lines = [
			(
				frappe.generate_hash(),
				1 + (number * 5 + line) % ITEMS,
				1 + number % WAREHOUSES,
				"2026-06-01",
				-1,
				-5,
			)
			for line in range(3)
		]
		frappe.db.bulk_insert(LEDGER, fields, lines)
		frappe.db.commit()

	def report(self) -> str:
		answered_by = stock_balance()
		frappe.db.rollback()
		return answered_by


def _make_doctype(name: str, **fields: str) -> None:
	frappe.get_doc(
		{
			"doctype": "DocType",
			"name": name,
			"module": "Custom",
			"custom": 1,
			"autoname": "hash",
			"fields": [
				{"fieldname": field, "label": field.title(), "fieldtype": kind}
				for field, kind in fields.items()
			],
			"permissions": [{"role": "System Manager", "read": 1, "write": 1, "create": 1}],
		}
	).insert()
	frappe.db.commit()
