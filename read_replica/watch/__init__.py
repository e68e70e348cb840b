# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Reports for people and machines: status, findings, metrics, and a response header with the age of the data.

Uses all rooms below it and changes nothing. Used by commands, api, lifecycle and hooks.
Offers to others: status, methods, monitor, examination, tables, json_output, job_findings, prometheus,
Offers to others: status, methods, monitor, examination, tables, json_output, job_findings, prometheus,
metrics_access, freshness_header, top, top_screen, state_changes.
"""
