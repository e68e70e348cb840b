# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A user's browser: real requests to Frappe's WSGI application."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from werkzeug.test import Client, TestResponse


class Browser:
	"""Keeps cookies. Its requests run in a thread of their own, as in a gunicorn worker."""

	def __init__(self, site: str):
		self._site = site
		self._worker = ThreadPoolExecutor(1)
		self._client: Client | None = None

	def request(self, path: str, method: str = "GET", **options: Any) -> TestResponse:
		return self._worker.submit(self._request, path, method, options).result(timeout=120)

	def _request(self, path: str, method: str, options: dict) -> TestResponse:
		if self._client is None:
			from frappe.app import application

			self._client = Client(application)
		return self._client.open(
			path, method=method, base_url=f"http://{self._site}", buffered=True, **options
		)

	def log_in(self, user: str, password: str) -> None:
		response = self.request("/api/method/login", "POST", json={"usr": user, "pwd": password})
		assert response.status_code == 200, response.text

	def call(self, name: str, /, headers: dict | None = None, **arguments: Any) -> Any:
		"""Call a whitelisted method and return its message; fails unless the answer is 200."""
		response = self.ask(name, headers, **arguments)
		assert response.status_code == 200, response.text
		return response.json.get("message")

	def ask(self, name: str, /, headers: dict | None = None, **arguments: Any) -> TestResponse:
		"""Call a whitelisted method and return the response, whatever it is."""
		return self.request(f"/api/method/{name}", "POST", json=arguments, headers=headers)

	def close(self) -> None:
		self._worker.shutdown()
