# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A replica: its pool of connections, its circuit breaker, and the order in which several are tried.

Uses `dialect`, and what is shared in Redis through the host. Used by `health`, the selector and the router.
Offers to others: replica.Replica, pool.Lease and PoolTimeout, choice.in_order.
"""
