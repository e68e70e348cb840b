# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Turns site_config.json into one frozen Settings object; every error names its key. Finds patterns in rules.

Uses the engine's settings and errors. Used by the site, `core`, `policy`, `jobs` and `watch`;
knows no database.
Offers to others: settings.settings_from, log_doctypes, metrics_token and split_address; keys; source; patterns;
where_keys_stand. Only source and where_keys_stand import frappe.
"""
