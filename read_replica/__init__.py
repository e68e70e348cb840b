# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Sends read-only work of a Frappe site to replicas of its database."""

from importlib import import_module
from typing import Any

from read_replica.patches import moved

__version__ = "0.1.0"

__all__ = ["enqueue", "primary", "read_only", "run_on"]

# Where each public name stands. Looked up on first use, so that the engine and the installer work where there
# is no Frappe (PEP 562).
_PUBLIC = {
	"enqueue": "read_replica.jobs.enqueue",
	"primary": "read_replica.routing",
	"read_only": "read_replica.routing",
	"run_on": "read_replica.jobs.annotations",
}

moved.install()


def __getattr__(name: str) -> Any:
	if name not in _PUBLIC:
		raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
	return getattr(import_module(_PUBLIC[name]), name)
