# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The app's own log, logs/read_replica.log: one line for each event, with its name and its fields."""

import logging
from typing import Any

import frappe


def logger_of_site() -> logging.Logger:
	"""Returns the site's logger, for any thread. Its lines are written whatever the site's log level."""
	logger = frappe.logger("read_replica", allow_site=True)
	# In production Frappe writes nothing below ERROR, and a fallback to the primary would be silent.
	logger.setLevel(logging.INFO)
	return logger


def line_of(event: str, fields: dict[str, Any]) -> str:
	"""Returns the line of an event in the log."""
	return " ".join((f"event={event}", *(f"{name}={value!r}" for name, value in fields.items())))


def log_event(event: str, **fields: Any) -> None:
	"""Write one line to the log of the current site."""
	logger_of_site().warning(line_of(event, fields))
