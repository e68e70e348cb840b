# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A verdict: what the last health check has found of a replica, and its form as text for other processes."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, NamedTuple

from read_replica.engine.dialect import Position
from read_replica.engine.sentence import Sentence

State = Literal["up", "down"]

# A position of the primary, and its time then.
Sample = tuple[str, float]

# Other processes are told the English text, which has no values: the desk finds the translation by that.
FOLLOWS_ANOTHER = Sentence("it has transactions that the primary does not have")
NO_ANSWER = Sentence("no answer")


@dataclass(frozen=True)
class Verdict:
	"""What the last health check has found of a replica.

	:param lag: seconds by which it is behind the primary; None if that could not be measured
	:param as_of: the time, by the primary's clock, up to which it has all that was committed; None if not known
	:param position: the position that it has reached, at least
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
		"""Return this verdict with its lag grown by `seconds` in which nothing new was heard."""
		return self if self.lag is None or seconds <= 0 else replace(self, lag=self.lag + seconds)


class Published(NamedTuple):
	"""What the process that checks the replicas publishes.

	:param samples: those of the primary that the verdicts rest on
	:param at: the time.time() of the check
	:param revision: the value of the host's `revision`; None if the primary did not tell it in this check
	:param revision_age: how many seconds before this was published the primary was asked for it
	"""

	verdicts: list[Verdict]
	samples: list[Sample]
	at: float
	revision: str | None
	revision_age: float = 0.0


def to_text(published: Published) -> str:
	"""Return as JSON what a process publishes."""
	rows = [asdict(verdict) | {"position": str(verdict.position)} for verdict in published.verdicts]
	found = {"at": published.at, "verdicts": rows, "history": published.samples}
	return json.dumps(
		found | {"revision": published.revision, "revision_age": round(published.revision_age, 3)}
	)


def from_text(text: str) -> Published:
	"""Parse what `to_text` has returned.

	:raises ValueError: if the text is something else
	"""
	try:
		found = json.loads(text)
		verdicts = [Verdict(**row | {"position": Position(row["position"])}) for row in found["verdicts"]]
		samples = [(str(position), float(at)) for position, at in found["history"]]
		# An older version of this app publishes none, and may still run in some processes.
		revision, revision_age = found.get("revision"), float(found.get("revision_age", 0))
		return Published(verdicts, samples, float(found["at"]), revision, revision_age)
	except (TypeError, KeyError, AttributeError) as error:
		raise ValueError(f"these are no verdicts: {error}") from None
