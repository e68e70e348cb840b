# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What Frappe does around a request's handler."""

import contextlib
from collections.abc import Iterator

import frappe

from support.bench import SITE


def connect(site: str = SITE) -> None:
	"""Begin as a request does, up to its handler."""
	frappe.init(site=site, sites_path=".")
	frappe.connect()
	if "read_replica" in frappe.get_installed_apps():
		from read_replica.lifecycle import begin

		begin()


def disconnect() -> None:
	"""End as a request does."""
	from read_replica.lifecycle import end

	end()
	if frappe.local.db:
		frappe.db.rollback()
	frappe.destroy()


@contextlib.contextmanager
def connected(site: str = SITE) -> Iterator[None]:
	connect(site)
	try:
		yield
	finally:
		disconnect()
