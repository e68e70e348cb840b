# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Checks the token that a request for the metrics sends."""

import hmac
from typing import Literal

import frappe

from read_replica.config.settings import metrics_token

METHOD = "read_replica.api.metrics"


def take() -> None:
	"""Hook before_request: move the metrics token out of the Authorization header.

	Core refuses a bearer token that is not one of its own, before our method is called.
	"""
	if frappe.request.path.rstrip("/").endswith(METHOD):
		frappe.local.read_replica_token = frappe.request.environ.pop("HTTP_AUTHORIZATION", "")


def check() -> Literal["right", "refused", "switched_off"]:
	"""Returns whether the request has sent the metrics token of the site."""
	token = metrics_token(frappe.local.conf)
	if not token:
		return "switched_off"
	given = getattr(frappe.local, "read_replica_token", "")
	is_right = hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
	return "right" if is_right else "refused"
