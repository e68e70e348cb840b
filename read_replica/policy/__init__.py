# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which methods that nobody decorated are read on a replica, and why.

Uses nothing of the other rooms. Offers to others: shipped.
"""
