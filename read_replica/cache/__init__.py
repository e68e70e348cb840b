# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""No value that was read from a replica enters a cache that others read.

Uses `database`, to see what is in place. Used by the site, which puts it in place of core's functions.
Offers to others: guard.guards_of_caches.
"""
