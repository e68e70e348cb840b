# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Core's bugs that no other file shows to be gone.

By their letters in core's own account: A, D, E, I stand in test_requests.py; B in test_writes.py; C and
K in test_cache.py; G in test_config.py; J in test_routing.py.
"""

import time

import frappe

from read_replica import read_only
from read_replica.site import router_of_site

from ..conftest import REPLICAS, server_id


@read_only
def report() -> int:
	return server_id()


def test_f_opening_a_replica_drops_nothing_that_waits_for_the_primarys_rollback(site):
	ran = []
	# Connects the primary, which on v14 drops what waits as well.
	assert server_id() == 1

	class Observer:
		def on_rollback(self):
			ran.append("rolled back")

	if hasattr(frappe.local, "rollback_observers"):
		frappe.local.rollback_observers.append(Observer())
	else:
		frappe.db.after_rollback.add(Observer().on_rollback)
	for replica in router_of_site().replicas:
		replica.pool.close_idle()
	assert report() in REPLICAS
	frappe.db.rollback()
	assert ran == ["rolled back"]


def test_h_the_primarys_transaction_does_not_stay_open_during_a_read(site, servers):
	def open_transactions() -> int:
		# InnoDB answers from a copy that it renews once nobody has asked for 0.1 s.
		time.sleep(0.15)
		return servers.primary.query("SELECT COUNT(*) FROM information_schema.innodb_trx")[0][0]

	@read_only
	def long_report():
		assert server_id() in REPLICAS
		return open_transactions()

	frappe.db.get_all("ToDo", limit=1)
	assert open_transactions() == 1
	assert long_report() == 0
	frappe.db.get_all("ToDo", limit=1)
	assert open_transactions() == 1


def test_h_a_transaction_in_use_is_not_ended(site, servers):
	frappe.db.set_value("User", "Guest", "bio", "in use")
	report()
	frappe.db.rollback()
	assert frappe.db.get_value("User", "Guest", "bio") != "in use"
