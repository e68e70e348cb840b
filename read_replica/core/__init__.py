# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Replacements of core's functions, and all differences between the versions of Frappe, RQ and redis-py.

Uses `database` and `config`; what a replacement does is handed in by the rooms that know of routing and jobs.
Used by the site, jobs, watch, lifecycle and hooks. Offers to others: replacements, patching, callers,
class_overrides, column_permissions, core_keys, desk_address, replica_switch, rq_data, whitelist.
"""
