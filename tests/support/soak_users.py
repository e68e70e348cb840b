# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the users of the soak do: place orders and look for them, read lists and reports, and use REST."""

import json
import random
from collections.abc import Callable
from typing import Any

from support.production_load import Client, Load

REPORT = "Soak Orders"


class Users:
	"""Work for the threads of a Load.

	:param doctype: what is ordered
	:param order: makes the values of a new one
	:param reports: reports to run, each with its filters
	"""

	def __init__(
		self,
		load: Load,
		doctype: str,
		order: Callable[[random.Random], dict[str, Any]],
		reports: dict[str, dict[str, Any]],
	):
		self._load = load
		self._doctype = doctype
		self._order = order
		self._reports = reports

	def places_order(self, client: Client, rng: random.Random) -> None:
		"""Place an order, and look for it in the list and by REST, on whichever server."""
		placed = self._load.note(
			"order", client.ask("POST", f"/api/resource/{self._doctype}", json=self._order(rng))
		)
		if placed is None:
			return
		name = placed.json()["data"]["name"]
		filters = [[self._doctype, "name", "=", name]]
		options = {"doctype": self._doctype, "fields": '["name"]', "filters": json.dumps(filters)}
		path, arguments = rng.choice(
			(
				("/api/method/frappe.desk.reportview.get", options | {"start": 0, "page_length": 20}),
				("/api/method/frappe.desk.reportview.get_count", options),
			)
		)
		found = self._load.note("own write", client.ask("POST", path, data=arguments))
		message = found and found.json()["message"]
		rows = message if isinstance(message, int) else len(message["values"]) if message else 0
		assert not found or rows == 1, f"{name} was placed, and {path} shows {rows}"

	def looks_around(self, client: Client, rng: random.Random) -> None:
		"""Open a list, a count, a workspace or a report in the desk."""
		listed = {
			"doctype": self._doctype,
			"fields": '["name","modified"]',
			"filters": "[]",
			"start": 0,
			"page_length": 50,
			"order_by": "modified desc",
		}
		report, filters = rng.choice(list(self._reports.items()))
		kind, verb, path, options = rng.choice(
			(
				("list", "POST", "frappe.desk.reportview.get", {"data": listed}),
				("count", "POST", "frappe.desk.reportview.get_count", {"data": listed}),
				(
					"open count",
					"GET",
					"frappe.desk.notifications.get_open_count",
					{"params": {"doctype": "User", "name": "Administrator", "items": "[]"}},
				),
				(
					"report",
					"GET",
					"frappe.desk.query_report.run",
					{"params": {"report_name": report, "filters": json.dumps(filters)}},
				),
			)
		)
		answer = self._load.note(kind, client.ask(verb, f"/api/method/{path}", **options))
		if answer and kind == "report":
			assert "result" in answer.json()["message"], f"{report}: {answer.text[:500]}"

	def uses_rest(self, client: Client, rng: random.Random) -> None:
		"""Ask for a list by REST."""
		params = {"limit_page_length": rng.choice((1, 20, 100)), "order_by": "modified desc"}
		self._load.note("REST list", client.ask("GET", f"/api/resource/{self._doctype}", params=params))
