# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Sends read-only work of a Frappe site to replicas of its database."""

from importlib import import_module
from typing import Any

from read_replica.patches import moved

__version__ = "0.2.0"

__all__ = ["enqueue", "primary", "read_only", "run_on"]

# The module of each public name. It is imported on first use (PEP 562), so that the engine and the installer
# work without Frappe.
_PUBLIC = {
	"enqueue": "read_replica.jobs.enqueue",
	"primary": "read_replica.routing",
	"read_only": "read_replica.routing",
	"run_on": "read_replica.jobs.annotations",
}

moved.install()


def __getattr__(name: str) -> Any:
	"""Returns a public name, such as `read_replica.read_only`."""
	if name not in _PUBLIC:
		raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
	return getattr(import_module(_PUBLIC[name]), name)
