# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Debian's Chromium, driven by Playwright, with a user logged in to the desk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from support.bench import SITE
from support.desk_bench import DeskBench
from support.servers import find_program

ARGUMENTS = (
	"--headless",
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	# The site by its name, and nothing else: no statistics, no pictures of users.
	f"--host-resolver-rules=MAP {SITE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
SECONDS_TO_SHOW = 30
PHONE = {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Browser]:
	with sync_playwright() as playwright:
		browser = playwright.chromium.launch(
			executable_path=find_program("chromium"), args=list(ARGUMENTS), timeout=60_000
		)
		try:
			yield browser
		finally:
			browser.close()


class Desk:
	"""A user in the desk: a browser of its own, and one tab.

	`errors` has what scripts of the page have thrown, and `refused` the answers of 400 and above.
	"""

	def __init__(self, browser: Browser, server: DeskBench, **options: Any):
		options = {"viewport": {"width": 1400, "height": 1000}, "reduced_motion": "reduce"} | options
		self._context: BrowserContext = browser.new_context(**options)
		self._context.set_default_timeout(SECONDS_TO_SHOW * 1000)
		self._server = server
		self.page: Page = self._context.new_page()
		self.errors: list[str] = []
		self.refused: list[str] = []
		self.page.on("pageerror", lambda error: self.errors.append(str(error)))
		self.page.on("response", self._answered)

	def log_in(self, user: str, password: str) -> "Desk":
		self.page.goto(f"{self._server.origin}/login")
		status = self.page.evaluate(
			"""async (form) => (await fetch("/api/method/login", { method: "POST", body: new URLSearchParams(form) })).status""",
			{"usr": user, "pwd": password},
		)
		assert status == 200, f"{user} cannot log in: {status}"
		return self

	def open(self, route: str) -> Page:
		"""Load a page of the desk by its address, such as `read-replica-monitor`, and wait until the desk stands."""
		# v16 redirects it to /desk.
		self.page.goto(f"{self._server.origin}/app/{route}", wait_until="commit")
		self.page.wait_for_function(
			"window.frappe && frappe.boot && frappe.router && frappe.router.current_route"
		)
		return self.page

	def move(self, *route: str) -> Page:
		"""Move to a page inside the desk, as users do."""
		self.page.evaluate("(route) => frappe.set_route(route)", list(route))
		return self.page

	def use_theme(self, theme: str) -> None:
		"""Show the desk in the light or the dark theme."""
		self.page.evaluate("(theme) => document.documentElement.setAttribute('data-theme', theme)", theme)

	def screenshot(self, name: str) -> None:
		"""Keep a picture of what is shown in the folder READ_REPLICA_SCREENSHOTS, if that is set."""
		if folder := os.environ.get("READ_REPLICA_SCREENSHOTS"):
			self.page.screenshot(path=Path(folder) / f"{name}.png")

	def close(self) -> None:
		self._context.close()

	def _answered(self, response: Any) -> None:
		if response.status >= 400 and response.url.startswith(self._server.origin):
			if "/socket.io" not in response.url:
				self.refused.append(f"{response.status} {response.url}")
