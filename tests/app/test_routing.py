# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The decorators on a real site."""

import frappe

from read_replica import read_only


def server_id() -> int:
	return frappe.db.sql("select @@server_id")[0][0]


def test_a_decorated_function_reads_from_a_replica(site):
	@read_only
	def report():
		return server_id()

	assert report() in (2, 3)
	assert server_id() == 1
