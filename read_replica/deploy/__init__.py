# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Sets up the second server: the replica's database user, a doctor for the servers, and the site's files.

Uses `config` and the engine's words; only files named `site_…` import frappe, so the rest is tested without a bench.
Used by commands. Offers to others: site_user, site_doctor, tables, sync, sync_command, sync_report.
"""
