# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A user of the site on two servers: a browser outside of both, with cookies of its own."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import requests

from support.bench import ADMIN_PASSWORD
from support.two_servers.network import FIRST, Namespaces
from support.two_servers.pair import SITE

ORIGIN = f"http://{SITE}"


class Answer(NamedTuple):
	status: int
	headers: dict[str, str]
	text: str
	cookies: dict[str, str]

	@property
	def message(self) -> Any:
		assert self.status == 200, self
		return json.loads(self.text).get("message")

	@property
	def by(self) -> str | None:
		"""The server that answered, as the front nginx says."""
		return self.headers.get("X-Answered-By")


class Browser:
	"""Somebody's browser.

	:param outside: where it stands
	"""

	def __init__(self, outside: Namespaces):
		self._outside = outside
		self.cookies: dict[str, str] = {}

	def log_in(self) -> "Browser":
		said = self.ask("POST", "/api/method/login", json={"usr": "Administrator", "pwd": ADMIN_PASSWORD})
		assert said.status == 200, said
		return self

	def ask(self, method: str, path: str, at: str = FIRST, **options: Any) -> Answer:
		"""Send a request to the front nginx, or to another address, and return the answer."""
		answer = self._outside.call(request, method, f"http://{at}{path}", self.cookies, options)
		self.cookies |= answer.cookies
		return answer

	def call(self, method: str, at: str = FIRST, **arguments: Any) -> Any:
		"""The message of a whitelisted method."""
		return self.ask("POST", f"/api/method/{method}", at, json=arguments).message

	def events(self, namespace: str, seconds: float, begin: str) -> list[list]:
		"""The realtime events that come within some seconds after a method was called, until there is one with 100 %."""
		return self._outside.call(listen, self.cookies, namespace, seconds, begin)

	def load(self, paths: list[str], seconds: float, threads: int) -> list[Answer]:
		"""Ask for these one after the other, in several threads, for some seconds; returns all answers."""
		return self._outside.call(load, self.cookies, paths, seconds, threads)


def request(method: str, url: str, cookies: dict[str, str], options: dict[str, Any]) -> Answer:
	headers = {"Host": SITE} | options.pop("headers", {})
	said = requests.request(method, url, cookies=cookies, headers=headers, timeout=60, **options)
	return Answer(said.status_code, dict(said.headers), said.text, said.cookies.get_dict())


def load(cookies: dict[str, str], paths: list[str], seconds: float, threads: int) -> list[Answer]:
	ends = time.monotonic() + seconds

	def work(number: int) -> list[Answer]:
		answers = []
		while time.monotonic() < ends:
			path = paths[(number + len(answers)) % len(paths)]
			try:
				answers.append(request("GET", f"http://{FIRST}{path}", cookies, {}))
			except requests.RequestException as error:
				answers.append(Answer(0, {}, str(error), {}))
		return answers

	with ThreadPoolExecutor(threads) as workers:
		return [answer for answers in workers.map(work, range(threads)) for answer in answers]


def listen(cookies: dict[str, str], namespace: str, seconds: float, begin: str) -> list[list]:
	"""What a browser does that has no websocket: Engine.IO by polling, and Socket.IO's packets in it."""
	socket = _Polling(cookies)
	socket.send(f"40{namespace}," if namespace != "/" else "40")
	until = time.monotonic() + seconds
	_wait_for(socket.packets, lambda packet: packet.startswith("40"), until)
	request("POST", f"http://{FIRST}/api/method/{begin}", cookies, {"json": {}})
	events: list[list] = []

	def is_done(packet: str) -> bool:
		if found := re.match(r"42(?:/[^,]*,)?(\[.*)", packet, re.DOTALL):
			events.append(json.loads(found[1]))
		return bool(events) and "100" in json.dumps(events[-1])

	_wait_for(socket.packets, is_done, until)
	return events


def _wait_for(packets: Callable[[], list[str]], is_it: Callable[[str], bool], until: float) -> None:
	while True:
		for packet in packets():
			assert not packet.startswith("44"), packet
			if is_it(packet):
				return
		assert time.monotonic() < until, "no such packet in time"


class _Polling:
	def __init__(self, cookies: dict[str, str]):
		self._session = requests.Session()
		self._session.headers.update({"Host": SITE, "Origin": ORIGIN})
		self._session.cookies.update(cookies)
		self._url = f"http://{FIRST}/socket.io/?EIO=4&transport=polling"
		[opened] = self.packets()
		self._url += f"&sid={json.loads(opened[1:])['sid']}"

	def packets(self) -> list[str]:
		"""Those that have come; waits for one."""
		said = self._session.get(self._url, timeout=30)
		assert said.status_code == 200, said.text
		packets = said.text.split("\x1e")
		for _ in (packet for packet in packets if packet == "2"):
			self.send("3")
		return [packet for packet in packets if packet != "2"]

	def send(self, packet: str) -> None:
		said = self._session.post(self._url, data=packet, timeout=30)
		assert said.text == "ok", said.text
