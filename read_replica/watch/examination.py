# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The last examination by the doctor that was asked for in the desk; kept in Redis, as it takes some seconds.

Each finding is kept in English, and beside that so that it can be said in the language of whoever looks at it.
"""

import json
from datetime import datetime
from typing import Any

from read_replica.database.host import shared_of_site
from read_replica.engine.sentence import from_plain, to_plain
from read_replica.watch.json_output import plain, without_secrets
from read_replica.watch.monitor_report import Examination, ExaminedCheck

NAME = "examination"
SECONDS_KEPT = 7 * 24 * 3600

WORST_FIRST = ("fail", "warn", "unknown", "skipped", "ok")


def keep(report: Any, secrets: set[str]) -> None:
	"""Keep what the doctor has found.

	:param report: a DoctorReport
	:param secrets: names and passwords that are left out
	"""
	kept = plain(report, secrets)
	for one, finding in zip(kept["findings"], report.findings, strict=True):
		one["sentence"] = to_plain(without_secrets(finding.seen, secrets))
		# These are this app's own words, also where they are those of a secret.
		one |= {"expected": finding.expected, "fix": finding.fix}
	shared_of_site().keep_text(NAME, json.dumps(kept), SECONDS_KEPT)


def last(shows_details: bool) -> Examination | None:
	"""Returns the last examination, in Sentences; None if there was none in a week.

	:param shows_details: whether what was seen is shown, which may name servers
	"""
	text = shared_of_site().kept_text(NAME)
	if text is None:
		return None
	found = json.loads(text)
	checks = [
		ExaminedCheck(
			id=one["id"],
			status=one["status"],
			seen=_sentence(one.get("sentence"), one["seen"]) if shows_details else None,
			expected=_sentence([one["expected"]], one["expected"]),
			fix=_sentence([one["fix"]], one["fix"]) if shows_details else None,
		)
		for one in found["findings"]
		if one["status"] in ("fail", "warn", "unknown")
	]
	return Examination(
		at=datetime.fromisoformat(found["at"].replace("Z", "+00:00")),
		ok=sum(one["status"] == "ok" for one in found["findings"]),
		checks=sorted(checks, key=lambda check: WORST_FIRST.index(check.status)),
	)


def _sentence(kept: Any, english: str) -> str:
	try:
		return from_plain(kept)
	except ValueError:
		# Kept by another version of this app.
		return english
