# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Keeps values that were read from a replica out of caches that others read.

Uses `database`, to see whether a scope is open. Used by the site, which puts it in place of core's functions.
Offers to others: guard.cache_guards.
"""
