# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Chooses a server for read-only work and keeps the scope in which it is used.

It imports neither frappe nor anything else of this app: it reaches the program it runs in through a `Host`, so
that the same code serves a Frappe site, the demo and the tests. Its rooms, from the bottom: `dialect`,
`shared`, `sticking` and `replicas`, `health`; above them `selector`, `scope`, `replica_scope` and `router`.
Offers to others: router.Router, scope.Scope and replica_scope.ReplicaScope, settings, errors, host.Host,
request.RequestState, metrics.PRIMARY; sentence; and, for what runs beside it, locks and forks.
"""
