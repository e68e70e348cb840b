# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What people and machines are told: status, findings, metrics, and the header that says how fresh an answer is.

Uses all rooms below it and changes nothing. Used by commands, api, lifecycle and hooks.
Offers to others: status, job_findings, prometheus, metrics_access, freshness_header.
"""
