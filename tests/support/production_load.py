# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What people and programs ask of a site's web servers: orders, lists, reports, REST."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import requests

from support.bench import SITE
from support.waiting import until

SECONDS_TO_ANSWER = 120

# What core answers when two requests want the same row; people try again. Releases that do not know the
# error 1020 of snapshot isolation answer with MariaDB's own sentence.
TRY_AGAIN = (
	"QueryDeadlockError",
	"QueryTimeoutError",
	"TimestampMismatchError",
	"Record has changed since last read",
)

# As nginx speaks to gunicorn, which closes what is kept alive when it is reloaded.
FIRST_HEADERS = {"Host": SITE, "Accept": "application/json", "Connection": "close"}


CHANGED_IN = re.compile(r"in table '(\w[^'\\]*)'")


def is_to_be_tried_again(answer: requests.Response) -> bool:
	return answer.status_code != 200 and any(word in answer.text for word in TRY_AGAIN)


def row_in_the_way(answer: requests.Response) -> str:
	"""The table of the row that another request has changed, where the database names it."""
	found = CHANGED_IN.search(answer.text)
	return found[1] if found else "not named"


class Client:
	"""One person or program, which asks any of the web servers as a load balancer would let it.

	Its cookies are sent to all of them, as cookies know no ports.
	"""

	def __init__(self, urls: Sequence[str], rng: random.Random, headers: dict[str, str] | None = None):
		self._urls = urls
		self._rng = rng
		self._session = requests.Session()
		self._session.headers.update(FIRST_HEADERS | (headers or {}))

	def log_in(self, user: str, password: str) -> None:
		def is_in() -> bool:
			answer = self.ask("POST", "/api/method/login", json={"usr": user, "pwd": password})
			assert answer.status_code == 200 or is_to_be_tried_again(answer), answer.text
			return answer.status_code == 200

		until(is_in, SECONDS_TO_ANSWER)

	def ask(self, verb: str, path: str, **options: Any) -> requests.Response:
		url = self._rng.choice(self._urls) + path
		return self._session.request(verb, url, timeout=SECONDS_TO_ANSWER, **options)


class Load:
	"""Threads that work until they are told to end, and what went wrong with them."""

	def __init__(self):
		self.asked: Counter[str] = Counter()
		# By the table of the row that two have wanted.
		self.tried_again: Counter[str] = Counter()
		self.failures: list[str] = []
		self._lock = threading.Lock()
		self._ended = threading.Event()
		self._going = threading.Event()
		self._going.set()
		self._at_work = 0
		self._threads: list[threading.Thread] = []

	def add(self, work: Callable[[], None], pause: float) -> None:
		"""Let a thread do this again and again, with `pause` seconds between."""
		thread = threading.Thread(target=self._repeat, args=(work, pause), daemon=True)
		self._threads.append(thread)
		thread.start()

	def _repeat(self, work: Callable[[], None], pause: float) -> None:
		while not self._ended.is_set():
			if not self._going.wait(0.1):
				continue
			with self._lock:
				# Under the lock, so that nobody begins whom `pause` has not seen.
				if not self._going.is_set():
					continue
				self._at_work += 1
			try:
				work()
			except Exception as error:
				with self._lock:
					self.failures.append(
						f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}"[:3000]
					)
			finally:
				with self._lock:
					self._at_work -= 1
			self._ended.wait(pause)

	def note(self, kind: str, answer: requests.Response) -> requests.Response | None:
		"""Count an answer; None if whoever asked is to try again.

		:raises AssertionError: if the request has failed
		"""
		with self._lock:
			self.asked[kind] += 1
			if is_to_be_tried_again(answer):
				self.tried_again[row_in_the_way(answer)] += 1
				return None
		assert answer.status_code in (200, 202), f"{kind}: {answer.status_code} {answer.text[-2000:]}"
		return answer

	def pause(self) -> None:
		"""Nobody asks anything, as before a migrate; returns when all that was asked is answered.

		:raises AssertionError: if a request is not answered in time
		"""
		with self._lock:
			self._going.clear()
		until(lambda: not self._at_work, SECONDS_TO_ANSWER)

	def go_on(self) -> None:
		self._going.set()

	def end(self) -> None:
		self._ended.set()
		for thread in self._threads:
			thread.join(SECONDS_TO_ANSWER)

	def hanging(self) -> int:
		"""How many threads have not ended, though `end` has waited for them."""
		return sum(thread.is_alive() for thread in self._threads)
