# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Frappe as the engine's host: the routed Database class, raw connections, the primary's transaction, log tables.

Uses the engine. The only room that assigns frappe.local.db. Used by `cache`, `core`, the site, jobs and watch.
Offers to others: host.FrappeHost and shared_of_site, routed.primary_of and RoutedMethods, transaction,
request_counts, client_identity, bookkeeping (statements of this app's own, each in a transaction of its own), event_log,
revision.
"""
