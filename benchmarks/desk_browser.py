# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Chromium, logged in to the desk: opens pages as users do, and tells when each one stands."""

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlencode

from playwright.sync_api import Browser, Request, Response

from benchmarks.desk_pages import Page
from support.bench import SITE

# A page stands once nothing was asked for so long.
SECONDS_OF_QUIET = 0.5
SECONDS_TO_STAND = 30

# What core shows when something went wrong, and its page for what is not there.
TROUBLE = (
	".msgprint-dialog.show, .modal.show .msgprint, .page-card .indicator.red, [data-page-route='404'].show"
)

OPEN = """([route, options]) => {
	if (options) frappe.route_options = options;
	frappe.set_route(route);
}"""
IDLE = "() => new Promise((done) => requestIdleCallback(done, { timeout: 2000 }))"


class PageFailed(Exception):
	"""A page did not come, or came with an error."""


class Desk:
	"""One user's browser on one server: its cookies, its cache, and one tab."""

	def __init__(self, browser: Browser, port: int, root: str):
		self._origin = f"http://{SITE}:{port}"
		self._root = root
		self._context = browser.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce")
		self._context.set_default_timeout(SECONDS_TO_STAND * 1000)
		self._waiting: set[Request] = set()
		self._quiet_since = self._ended = 0.0
		self._refused: list[str] = []
		self.new_tab()

	def new_tab(self) -> None:
		"""Close the tab and open another: what scripts have kept in memory is gone."""
		for tab in self._context.pages:
			tab.close()
		self._tab = self._context.new_page()
		self._tab.on("request", self._begins)
		self._tab.on("requestfinished", self._ends)
		self._tab.on("requestfailed", self._ends)
		self._tab.on("response", self._answered)

	def log_in(self, user: str, password: str) -> None:
		self._tab.goto(f"{self._origin}/login")
		log_in = """async (form) => {
			const answer = await fetch("/api/method/login", { method: "POST", body: new URLSearchParams(form) });
			return answer.status;
		}"""
		status = self._tab.evaluate(log_in, {"usr": user, "pwd": password})
		if status != 200:
			raise PageFailed(f"{user} cannot log in: {status}")

	def load(self, page: Page) -> float:
		"""Open a page by its address; returns the seconds until the last answer that it needed."""
		query = f"?{urlencode(page.options)}" if page.options else ""
		path = page.path if page.path.startswith("/") else f"{self._root}/{quote(page.path)}"
		return self._open(page, lambda: self._tab.goto(self._origin + path + query, wait_until="commit"))

	def route(self, page: Page) -> float:
		"""Move to a page inside the desk, as load does it."""
		return self._open(page, lambda: self._tab.evaluate(OPEN, [page.path, page.options or None]))

	def screenshot(self, path: Path) -> None:
		self._tab.screenshot(path=path)

	def close(self) -> None:
		self._context.close()

	def _open(self, page: Page, begin: Callable[[], object]) -> float:
		seconds = self._timed(page, begin)
		if page.then:
			seconds += self._timed(page, lambda: self._tab.evaluate(page.then))
		return seconds

	def _timed(self, page: Page, begin: Callable[[], object]) -> float:
		self._waiting.clear()
		self._refused.clear()
		begun = self._ended = time.time()
		self._quiet_since = time.monotonic()
		begin()
		self._settle(page)
		return self._ended - begun

	def _settle(self, page: Page) -> None:
		"""Return once the page shows what it is for and asks for nothing more.

		:raises PageFailed: if it does not in time, or shows an error
		"""
		deadline = time.monotonic() + SECONDS_TO_STAND
		while True:
			# Lets what the browser tells arrive.
			self._tab.wait_for_timeout(40)
			if self._refused or self._tab.locator(TROUBLE).count():
				raise PageFailed(
					f"{page.name}: {self._refused or self._tab.locator(TROUBLE).all_inner_texts()}"
				)
			if time.monotonic() > deadline:
				waiting = [request.url for request in self._waiting] or f"nothing shows {page.shows}"
				raise PageFailed(f"{page.name} has not come in {SECONDS_TO_STAND} s: {waiting}")
			if self._is_quiet() and self._shows(page):
				# A script that is at work may ask for more.
				self._tab.evaluate(IDLE)
				if self._is_quiet():
					return

	def _is_quiet(self) -> bool:
		return not self._waiting and time.monotonic() - self._quiet_since >= SECONDS_OF_QUIET

	def _shows(self, page: Page) -> bool:
		return self._tab.locator(f"{page.shows} >> visible=true").count() > 0

	def _begins(self, request: Request) -> None:
		if self._counts(request):
			self._waiting.add(request)

	def _ends(self, request: Request) -> None:
		if request in self._waiting:
			self._waiting.discard(request)
			self._quiet_since = time.monotonic()
			timing = request.timing
			if timing["responseEnd"] > 0:
				self._ended = max(self._ended, (timing["startTime"] + timing["responseEnd"]) / 1000)

	def _answered(self, response: Response) -> None:
		if response.status >= 400 and self._counts(response.request):
			self._refused.append(f"{response.status} {response.url}")

	def _counts(self, request: Request) -> bool:
		return request.url.startswith(self._origin) and "/socket.io" not in request.url
