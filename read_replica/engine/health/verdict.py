# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What is known of a replica: a verdict, and how it is told to other processes."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from read_replica.engine.dialect import Position

State = Literal["up", "down"]

FOLLOWS_ANOTHER = "it has transactions that the primary does not have"


@dataclass(frozen=True)
class Verdict:
	"""What the last look at a replica has shown.

	:param lag: seconds by which it is behind the primary; None if that could not be measured
	:param as_of: up to when it has all that was committed, by the primary's clock; None if not known
	:param position: what it has, at least
	:param read_only: whether it refuses writes from ordinary users
	:param error: why it is down, or why its lag cannot be measured
	:param server: which server has answered, as an address may lead to one of several
	"""

	name: str
	state: State
	lag: float | None = None
	as_of: float | None = None
	position: Position = field(default_factory=Position)
	read_only: bool = True
	error: str = ""
	server: str = ""

	def older_by(self, seconds: float) -> "Verdict":
		"""The same verdict when nothing new has been heard for `seconds`."""
		return self if self.lag is None or seconds <= 0 else replace(self, lag=self.lag + seconds)


def to_text(verdicts: Iterable[Verdict], history: list, at: float) -> str:
	"""Verdicts, the samples of the primary that they rest on, and when they were found, as JSON."""
	rows = [asdict(verdict) | {"position": str(verdict.position)} for verdict in verdicts]
	return json.dumps({"at": at, "verdicts": rows, "history": history})


def from_text(text: str) -> tuple[list[Verdict], list, float]:
	"""What to_text has made.

	:raises ValueError: if the text is something else
	"""
	try:
		found = json.loads(text)
		verdicts = [Verdict(**row | {"position": Position(row["position"])}) for row in found["verdicts"]]
		return verdicts, found["history"], float(found["at"])
	except (TypeError, KeyError, AttributeError) as error:
		raise ValueError(f"these are no verdicts: {error}") from None
