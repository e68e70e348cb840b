# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The token of whoever reads the metrics."""

import hmac
from typing import Literal

import frappe

from read_replica.config.settings import metrics_token

METHOD = "read_replica.api.metrics"


def take() -> None:
	"""before_request: take our token out of the request, as core refuses a bearer that is not its own."""
	if frappe.request.path.rstrip("/").endswith(METHOD):
		frappe.local.read_replica_token = frappe.request.environ.pop("HTTP_AUTHORIZATION", "")


def check() -> Literal["right", "refused", "switched_off"]:
	"""Whether the request has given the token of the site."""
	token = metrics_token(frappe.local.conf)
	if not token:
		return "switched_off"
	given = getattr(frappe.local, "read_replica_token", "")
	is_right = hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
	return "right" if is_right else "refused"
