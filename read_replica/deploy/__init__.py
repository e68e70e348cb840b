# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Sets up the second server: a replica and its user, a second app server and its files, a front nginx, and a doctor.

Uses `config`, `policy`, `jobs` and the engine's words; only files named `site_…` import frappe, so the rest is tested
without a bench. Used by commands and api. Offers to others: site_user, site_replication, replication_report,
site_second_server, second_server_report, site_nginx, nginx_report, site_doctor, site_connection, tables, sync,
sync_command, sync_report.
"""
