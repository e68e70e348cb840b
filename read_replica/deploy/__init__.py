# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Sets up the second server: the replica's database user.

Uses `config` for the keys of site_config.json; only `site_user` imports frappe, so the rest runs and is tested without a bench.
Used by commands. Offers to others: site_user, tables.
"""
