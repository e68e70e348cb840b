# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Runs checks of the real state of a site's servers, side by side, each guarded and timed by itself.

After GitLab's geo:check (a reason, how to mend it, a link), Homebrew's doctor (checks by name) and Django's system
checks (ids, tags, levels, silencing).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from read_replica.engine.sentence import Sentence

Status = Literal["ok", "warn", "fail", "unknown", "skipped"]
SEVERITY: tuple[Status, ...] = ("ok", "skipped", "unknown", "warn", "fail")

SECONDS_FOR_A_CHECK = 30
MOST_AT_ONCE = 8
PAGE = "docs/doctor.md"


class Skipped(Exception):
	"""Raised by a check that does not apply, or cannot look, with the reason."""


class Trouble(NamedTuple):
	"""One thing that a check has found wrong.

	:param seen: a Sentence, as the desk says it in its user's language; that of one that is skipped is not shown there
	"""

	status: Status
	seen: str


@dataclass(frozen=True)
class Check:
	"""A check.

	:param id: its name, such as `replication-running`
	:param expected: what is right, in a sentence
	:param tags: the kinds of things that it looks at
	:param look: returns what is wrong; given what the doctor knows of the site's servers
	:param fix: what to do about it: a command, a line of a configuration, or a sentence
	:param follows: checks whose trouble, if it is as grave, brings this one's about: that one is to be mended first, and
		this one is skipped
	"""

	id: str
	expected: str
	tags: tuple[str, ...]
	look: Callable[[Any], Iterable[Trouble]]
	fix: str
	follows: tuple[str, ...] = ()

	def at(self, servers: Any) -> "Check":
		"""Returns this check of certain servers, to be run beside checks of others."""
		return replace(self, look=lambda _: self.look(servers))

	def without(self, reason: Exception) -> "Check":
		"""Returns this check as one that cannot look, as what it looks at could not be asked."""

		def look(_: Any) -> Iterable[Trouble]:
			raise reason

		return replace(self, look=look)


@dataclass(frozen=True)
class Finding:
	"""What one check has found."""

	id: str
	status: Status
	seen: str
	expected: str
	fix: str
	link: str


def run(checks: Sequence[Check], servers: Any, seconds: float = SECONDS_FOR_A_CHECK) -> list[Finding]:
	"""Run checks side by side; returns a finding for each, in their order, also for one that fails or hangs.

	:param servers: what each check is given
	:param seconds: after which a check counts as hanging
	"""
	workers = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="read_replica_doctor")
	try:
		running = [workers.submit(_look, check, servers) for check in checks]
		found = [
			_finding(check, _result_within(future, seconds))
			for check, future in zip(checks, running, strict=True)
		]
		return _without_consequences(checks, found)
	finally:
		# Not waited for: a check that hangs must not hold up the others' findings.
		workers.shutdown(wait=False, cancel_futures=True)


def _without_consequences(checks: Sequence[Check], found: Sequence[Finding]) -> list[Finding]:
	"""Returns the findings, those skipped that another one brings about: one thing that is wrong is named once."""
	status_of = {finding.id: finding.status for finding in found}

	def causes(check: Check, status: Status) -> list[str]:
		if SEVERITY.index(status) < SEVERITY.index("unknown"):
			return []
		least = max(SEVERITY.index(status), SEVERITY.index("warn"))
		return [id for id in check.follows if SEVERITY.index(status_of.get(id, "ok")) >= least]

	def of(check: Check, finding: Finding) -> Finding:
		if not (named := causes(check, finding.status)):
			return finding
		seen = f"skipped, because {' and '.join(named)} may bring it about: {finding.seen}"
		return replace(finding, status="skipped", seen=seen)

	return [of(check, finding) for check, finding in zip(checks, found, strict=True)]


def _look(check: Check, servers: Any) -> list[Trouble]:
	try:
		return list(check.look(servers))
	except Skipped as reason:
		return [Trouble("skipped", f"skipped, because {reason}")]
	except Exception as error:
		# Such as an answer of a version that nobody has seen yet.
		said = Sentence("the check itself failed: {0}", f"{type(error).__name__}: {error}")
		return [Trouble("unknown", said)]


def _result_within(future: Any, seconds: float) -> list[Trouble]:
	try:
		return future.result(timeout=seconds)
	except TimeoutError:
		return [Trouble("unknown", Sentence("no answer within {0} s", f"{seconds:g}"))]


def _finding(check: Check, troubles: list[Trouble]) -> Finding:
	worst = max((trouble.status for trouble in troubles), key=SEVERITY.index, default="ok")
	seen = [trouble.seen for trouble in troubles if trouble.status == worst]
	between = " " if all(text.endswith(".") for text in seen) else "; "
	said = Sentence.joined(between, seen)
	return Finding(check.id, worst, said, check.expected, check.fix, f"{PAGE}#{check.id}")


def chosen(
	checks: Sequence[Check], ids: Collection[str], tags: Collection[str], silenced: Collection[str]
) -> list[Check]:
	"""Returns the checks of these ids and tags, or all if none is named, without those that are silenced.

	:raises ValueError: if there is no check of an id or tag
	"""
	known = {check.id for check in checks} | {tag for check in checks for tag in check.tags}
	if unknown := {*ids, *tags} - known:
		raise ValueError(f"There is no check {', '.join(sorted(unknown))}. --list shows them all.")
	if not ids and not tags:
		return [check for check in checks if check.id not in silenced]
	return [check for check in checks if check.id in ids or set(tags) & set(check.tags)]


def exit_status(findings: Iterable[Finding], fail_level: Literal["warn", "fail"]) -> int:
	"""Returns 0 if all is well, 1 with warnings or what is not known, 2 with failures.

	:param fail_level: "fail": warnings count as 0
	"""
	found = {finding.status for finding in findings}
	if "fail" in found:
		return 2
	return 1 if fail_level == "warn" and found & {"warn", "unknown"} else 0
