# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes the reports of `bench read-replica` as JSON, for programs that collect and keep it.

So it leaves out what an administrator at a terminal may read and a collection of logs must not hold: the names
of database users, which may stand in a sentence on a problem, and passwords.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from read_replica.engine.sentence import Sentence, said

LEFT_OUT = "…"

# As MariaDB writes an account in its errors: 'user'@'host'.
_USER_OF_ACCOUNT = r"(?<=')[^'\s]+(?='@)"


def json_of(report: Any, secrets: Iterable[str] | None) -> str:
	"""Returns a report, a dataclass, as one JSON object, in one line.

	:param secrets: texts that are left out wherever they stand between quotes in a sentence, or after "user";
		None: nothing is left out, not even the names of accounts
	"""
	return json.dumps(plain(report, secrets), allow_nan=False)


def plain(report: Any, secrets: Iterable[str] | None, translate: Callable[[str], str] | None = None) -> Any:
	"""Returns a report, a dataclass, as what JSON knows; see `json_of`.

	:param translate: says its Sentences in another language, once secrets are left out
	"""
	return _plain(asdict(report), None if secrets is None else _left_out(secrets), translate)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
	"""Returns a text as `json_of` writes it; it is still a Sentence where each secret stands in one of its values."""
	return _without(text, _left_out(secrets))


def _without(text: str, left_out: re.Pattern[str]) -> str:
	if isinstance(text, Sentence):
		return text.with_replaced(left_out, LEFT_OUT)
	return left_out.sub(LEFT_OUT, text)


def _left_out(secrets: Iterable[str]) -> re.Pattern[str]:
	names = "|".join(re.escape(secret) for secret in sorted(secrets, key=len, reverse=True) if secret)
	pattern = _USER_OF_ACCOUNT
	if names:
		pattern += rf"|(?<=['\"`])(?:{names})(?=['\"`])|(?<=[Uu]ser )(?:{names})(?!\w)"
	return re.compile(pattern)


def _plain(value: Any, left_out: re.Pattern[str] | None, translate: Callable[[str], str] | None) -> Any:
	"""Returns a value as JSON knows it, with a time as ISO 8601 in UTC and a number that is none as null."""
	if isinstance(value, dict):
		return {key: _plain(each, left_out, translate) for key, each in value.items()}
	if isinstance(value, list):
		return [_plain(each, left_out, translate) for each in value]
	if isinstance(value, datetime):
		in_utc = value.astimezone(timezone.utc).replace(tzinfo=None)
		return f"{in_utc.isoformat(timespec='milliseconds')}Z"
	if isinstance(value, float) and not math.isfinite(value):
		return None
	if isinstance(value, str):
		text = _without(value, left_out) if left_out else value
		return str(said(text, translate) if translate else text)
	return value
