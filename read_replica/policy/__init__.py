# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Where a request reads whose method nobody decorated: rules, and the scope that is opened by them.

Uses the site's router, `core`, `config` and `database`. Used by lifecycle, watch, commands, api and the
doctypes. Offers to others: opening, rules, desk, clicks, site_policy, report_rules, sources, called, rule_set,
suggestions, shipped, shipped_rows.
"""
