# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Which server runs which job, once: rules, servers, workers, queues, ticks of the scheduler, runs and their execution.

Uses the site's router, `core` and `database`. Used by scheduler_split, lifecycle, `watch` and commands.
Offers to others: enqueue, enqueue_hook, positions, execution, run_now, tick, rules, servers, schedulers,
heartbeat, queue_setup, annotations; to `watch`, which reads what is known of them, due_times, network_mounts,
rule_checks, run_locks, scheduled_runs, server_rows, tick_problems.
"""
