# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Sets up the second server: the replica's database user, a front nginx, and a doctor for the servers.

Uses `config`, `policy` and the engine's words; only files named `site_…` import frappe, so the rest is tested without a bench.
Used by commands. Offers to others: site_user, site_doctor, tables,
site_nginx, nginx_report.
"""
