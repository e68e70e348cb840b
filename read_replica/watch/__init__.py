# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Reports for people and machines: status, findings, metrics, and a response header with the age of the data.

Uses all rooms below it and changes nothing but its own note of what was told. Used by commands, api, install,
lifecycle and hooks.
Offers to others: status, methods, monitor, examination, tables, json_output, job_findings, job_notes,
desk_methods, desk_settings, help_pages, shares, notices, outage_rows, viewers, prometheus, metrics_access,
freshness_header, top, top_screen, state_changes.
"""
