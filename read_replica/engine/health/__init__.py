# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is known of the replicas: who asks them, how they are, how late, and the watchdog of running calls.

Uses `replicas`, `dialect`, and what is shared in Redis through the host. Used by the selector and the router.
Offers to others: monitor.HealthMonitor, watchdog.Watchdog, verdict.Verdict, backends.Backends, failed_waits.Waits.
"""
