# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""An administrator of the proof of the policy, who changes one rule after another in the desk."""

import random
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from support.production_load import Client, Load
from support.waiting import until

PROOF = "sample_app.proof."
PATH = "/api/resource/Routed Method"

# Of the readers, whose users must find what they have written, wherever they read.
READERS = (
	("frappe.client.get_list", "ToDo"),
	("/api/resource", "ToDo"),
	("frappe.desk.reportview.get", "ToDo"),
	(f"{PROOF}number_of", ""),
	(f"{PROOF}number*", ""),
)

# A replica that is up and late answers too.
ANY_AGE = {"consistency": "Eventual", "max_lag": 3600}

Place = Literal["replica", "primary"]


class Reign(NamedTuple):
	"""Where a method reads from the change of its rule on: asked for at `sent`, and done by `done` (monotonic)."""

	sent: float
	done: float
	place: Place


class Administrator:
	"""Writes, changes and deletes rows of Routed Method."""

	def __init__(self, load: Load, client: Client, rng: random.Random):
		self._load = load
		self._client = client
		self._rng = rng
		self._rows: dict[tuple[str, str], str] = {}
		# By the method's name in the proof. Without a rule, it reads on the primary.
		self.reigns: dict[str, list[Reign]] = {}
		self.named_writers: set[str] = set()
		self._deck: list[Callable[[], None]] = []
		self.changes = 0

	def may_change(self, probes: int, writers: int) -> None:
		"""Of so many probes, writers, and the rules for what users read, each has its turn before any comes again."""
		self._kinds = [
			*(lambda at=at: self._change_probe(f"probe_{at}") for at in range(probes)),
			*(lambda at=at: self.name_writer(f"writer_{at}") for at in range(writers)),
			*(lambda reader=reader: self._change_reader(*reader) for reader in READERS),
			self._change_cached,
			self._switch_shipped_list,
		]

	def changes_something(self) -> None:
		if not self._deck:
			self._deck = self._rng.sample(self._kinds, len(self._kinds))
		self._deck.pop()()
		self.changes += 1

	def _change_probe(self, method: str) -> None:
		place = self.reigns[method][-1].place if method in self.reigns else "primary"
		wanted: Place = "primary" if place == "replica" else "replica"
		sent = time.monotonic()
		if wanted == "replica":
			self._set(PROOF + method, "", {"reads": "Replica"} | ANY_AGE)
		else:
			self._rng.choice((self._set_primary, self._set_default, self._delete))(PROOF + method)
		reign = Reign(sent, time.monotonic(), wanted)
		self.reigns.setdefault(method, [Reign(0.0, 0.0, "primary")]).append(reign)

	def name_writer(self, method: str) -> None:
		"""By a rule, a method that writes is to read on a replica."""
		self._set(PROOF + method, "", {"reads": "Replica"} | self._rng.choice((ANY_AGE, {})))
		self.named_writers.add(method)

	def _change_reader(self, method: str, subject: str) -> None:
		reads = self._rng.choice(("Replica", "Replica", "Replica", "Primary", "Default"))
		needs = {"consistency": self._rng.choice(("", "Session", "Strong")), "max_lag": 0}
		self._set(method, subject, {"reads": reads} | needs)

	def _change_cached(self) -> None:
		self._rng.choice((self._set_late, self._set_late, self._set_primary, self._delete))(PROOF + "cached")

	def _switch_shipped_list(self) -> None:
		path = "/api/resource/Read Replica Settings/Read Replica Settings"
		self._ask("PUT", path, {"shipped_methods": self._rng.randrange(2)})

	def _set_late(self, method: str) -> None:
		self._set(method, "", {"reads": "Replica"} | ANY_AGE)

	def _set_primary(self, method: str) -> None:
		self._set(method, "", {"reads": "Primary"})

	def _set_default(self, method: str) -> None:
		self._set(method, "", {"reads": "Default"})

	def _delete(self, method: str) -> None:
		if name := self._rows.pop((method, ""), None):
			self._ask("DELETE", f"{PATH}/{name}")

	def _set(self, method: str, subject: str, values: dict[str, Any]) -> None:
		key = (method, subject)
		if key in self._rows:
			self._ask("PUT", f"{PATH}/{self._rows[key]}", values)
			return
		answer = self._ask("POST", PATH, {"method": method, "subject": subject} | values)
		self._rows[key] = answer.json()["data"]["name"]

	def _ask(self, verb: str, path: str, values: dict[str, Any] | None = None):
		"""Ask until it is done: who is told that another was first tries again."""
		answers = []

		def is_done() -> bool:
			answers.append(self._load.note("rule", self._client.ask(verb, path, json=values)))
			return answers[-1] is not None

		until(is_done)
		return answers[-1]
