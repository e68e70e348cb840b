# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Users of the proof of the policy: each writes a number, and must find it wherever a rule lets them read.

What they are told they keep with the times of it, so that it can be judged when all is over.
"""

import json
import random
import threading
import time
from typing import NamedTuple

from support.production_load import Client, Load

PROOF = "/api/method/sample_app.proof."


class Answer(NamedTuple):
	"""Which server has answered a request, in which process, and from when to when it was asked (monotonic)."""

	method: str
	began: float
	ended: float
	server: int
	pid: int


class Seen:
	"""All that was answered. Safe to share between threads."""

	def __init__(self):
		self.answers: list[Answer] = []
		# Writes that were acknowledged, by the method that wrote: where it began and where it ended.
		self.writes: list[tuple[Answer, Answer]] = []
		# Reads of a user's own number that replicas have answered, and all of them.
		self.own_reads = [0, 0]


class User:
	"""Somebody with a document of their own, who asks for one thing after another.

	:param document: the name of a ToDo that nobody else writes
	"""

	def __init__(self, load: Load, client: Client, rng: random.Random, document: str, seen: Seen):
		self._load = load
		self._client = client
		self._rng = rng
		self._document = document
		self._seen = seen
		self._number = 0

	def writes_and_looks(self) -> None:
		"""Write the next number, and look for it at once, on whichever server."""
		path = f"/api/resource/ToDo/{self._document}"
		number = str(self._number + 1)
		if self._load.note("write", self._client.ask("PUT", path, json={"description": number})):
			self._number += 1
			self.looks()

	def looks(self) -> None:
		"""Look for the last number that was written, in two ways."""
		for look in self._rng.sample(
			(self._by_rest, self._by_get_list, self._by_list_view, self._by_method), 2
		):
			found = look()
			if found is not None:
				assert found == str(self._number), f"{look.__name__} shows {found}, not {self._number}"

	def _by_rest(self) -> str | None:
		params = {"filters": json.dumps([["name", "=", self._document]]), "fields": '["description"]'}
		return self._first("GET", "/api/resource/ToDo", "data", params=params)

	def _by_get_list(self) -> str | None:
		asked = {"doctype": "ToDo", "filters": {"name": self._document}, "fields": ["description"]}
		return self._first("POST", "/api/method/frappe.client.get_list", "message", json=asked)

	def _first(self, verb: str, path: str, key: str, **options) -> str | None:
		answer = self._own("own list", self._client.ask(verb, path, **options))
		return answer and (answer.json()[key] or [{"description": "nothing"}])[0]["description"]

	def _by_list_view(self) -> str | None:
		asked = {
			"doctype": "ToDo",
			"fields": '["description"]',
			"filters": json.dumps([["ToDo", "name", "=", self._document]]),
		}
		answer = self._own(
			"own list view", self._client.ask("POST", "/api/method/frappe.desk.reportview.get", data=asked)
		)
		if not answer:
			return None
		# What shows no row at all has no columns either.
		found = answer.json()["message"]
		return found["values"][0][0] if found else "nothing"

	def _by_method(self) -> str | None:
		asked = {"name": self._document}
		answer = self._own("own number", self._client.ask("POST", PROOF + "number_of", json=asked))
		return answer and answer.json()["message"][0]

	def _own(self, kind: str, answer):
		self._seen.own_reads[0] += "X-Read-Replica" in answer.headers
		self._seen.own_reads[1] += 1
		return self._load.note(kind, answer)

	def probes(self, count: int) -> None:
		"""Call a method whose rule changes all the time."""
		method = f"probe_{self._rng.randrange(count)}"
		began = time.monotonic()
		answer = self._load.note("probe", self._client.ask("POST", PROOF + method))
		if answer:
			self._seen.answers.append(Answer(method, began, time.monotonic(), *answer.json()["message"]))

	def writes_by_method(self, count: int) -> None:
		"""Call a method that writes, and that a rule may send to a replica all the same."""
		method = f"writer_{self._rng.randrange(count)}"
		began = time.monotonic()
		answer = self._load.note(
			"writer", self._client.ask("POST", PROOF + method, json={"description": method})
		)
		if answer:
			first, last = (
				Answer(method, began, time.monotonic(), *told) for told in answer.json()["message"]
			)
			self._seen.writes.append((first, last))


class Cached:
	"""Documents that all read through caches, and that are written while nobody does.

	Core has races of its own between a read and a write at the same time; here the replicas are to be met.
	"""

	def __init__(self, load: Load, names: list[str]):
		self._load = load
		self.names = names
		self._lock = threading.Lock()
		self._written = 0
		# Reads that a replica has answered.
		self.on_replicas = 0

	def is_read(self, client: Client) -> dict | None:
		"""What one process shows of the documents, by each cache; with it, the process's id."""
		with self._lock:
			answer = client.ask("POST", PROOF + "cached", json={"names": self.names})
		if self._load.note("cached", answer) is None:
			return None
		shown, (server, pid) = answer.json()["message"]
		self.on_replicas += server != 1
		return {"pid": pid} | shown

	def is_written(self, client: Client, rng: random.Random) -> None:
		asked = {"name": rng.choice(self.names), "description": f"changed {self._written}"}
		with self._lock:
			self._written += 1
			self._load.note("write cached", client.ask("POST", PROOF + "write_cached", json=asked))
