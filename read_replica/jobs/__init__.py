# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Runs each job once, on the server it belongs to: rules, servers, workers, queues, ticks, runs, execution.

Uses the site's router, `core` and `database`. Used by scheduler_split, lifecycle, install, commands, api and the
doctypes; `watch` reads from most of its files. Offers to the others: annotations, enqueue, enqueue_hook,
execution, heartbeat, positions, queue_setup, rule_checks, rule_set, rule_sources, rules, run_now, schedulers, servers, tick;
to `watch` also due_times, network_mounts, placement, run_locks, scheduled_runs, server_rows, tick_problems, workers.
"""
