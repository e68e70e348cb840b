# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Sets up the second server: a replica and its database user, and a doctor for the servers.

Uses `config` and the engine's words; only files named `site_…` import frappe, so the rest is tested without a bench.
Used by commands. Offers to others: site_user, site_doctor, site_replication, replication_report,
tables.
"""
