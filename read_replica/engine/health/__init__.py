# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The health of the replicas: probes, health checks, lag, verdicts, and the watchdog of running calls.

Uses `replicas`, `dialect`, and what is shared in Redis through the host. Used by the selector and the router.
Offers to others: monitor.HealthMonitor, watchdog.Watchdog, verdict.Verdict, backends.Backends,
failed_waits.FailedWaits.
"""
