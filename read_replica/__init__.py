# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Sends read-only work of a Frappe site to replicas of its database."""

__version__ = "0.1.0"

__all__ = ["enqueue", "primary", "read_only", "run_on"]


def __getattr__(name: str):
	# Looked up on first use, so that the engine and the installer work where there is no Frappe.
	if name == "run_on":
		from read_replica.jobs import annotations

		return annotations.run_on
	if name == "enqueue":
		from read_replica.jobs import enqueue

		return enqueue.enqueue
	if name in __all__:
		from read_replica import routing

		return getattr(routing, name)
	raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
