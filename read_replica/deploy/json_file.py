# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Changes a JSON file such as site_config.json: shown as a diff first, and put in place in one step."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from read_replica.deploy.text_file import check_unchanged, diff_of, put_in_place

# Keys whose values are shown as they stand. All others may be secrets: apps keep theirs under names of their own.
PLAIN_KEYS = frozenset(
	{
		"name",
		"host",
		"port",
		"user",
		"pool",
		"bench_id",
		"timeout",
		"background_workers",
		"weight",
		"db_name",
		"db_host",
		"db_port",
		"read_from_replica",
		"different_credentials_for_replica",
		"replica_host",
		"replica_db_name",
		"replica_db_port",
		"replica_db_user",
		"use_slave_for_read_only",
		"slave_host",
		"slave_db_name",
	}
)
HIDDEN = "…"
HIDDEN_NEW = "… (new)"

# What a file counts as that is not there.
NO_FILE = "{}"


@dataclass(frozen=True)
class Change:
	"""A file's text as it is, and as it is to be."""

	path: Path
	before: str
	after: str

	def __bool__(self) -> bool:
		return self.before != self.after

	def diff(self) -> str:
		"""Returns the change as a unified diff, in which only values of PLAIN_KEYS, true, false and null are shown."""
		before, after = json.loads(self.before), json.loads(self.after)
		return diff_of(self.path, _dumped(_masked(before, before)), _dumped(_masked(after, before)))

	def write(self) -> None:
		"""Put the new text in place; who reads the file meanwhile reads the old one or the new one, and never a part.

		:raises FileExistsError: if the file has changed since it was read
		:raises OSError: if it cannot be written; it is as it was then
		"""
		check_unchanged(self.path, _text_of(self.path), self.before)
		put_in_place(self.path, self.after, mode=0o600)


def _text_of(path: Path) -> str:
	return path.read_text() if path.exists() else NO_FILE


def rewritten(path: Path, content: Mapping[str, Any]) -> Change:
	"""Returns the change that gives a JSON file this content, also where there is no such file yet.

	:raises ValueError: if the file is no JSON
	"""
	before = _text_of(path)
	if before != NO_FILE and json.loads(before) == dict(content):
		return Change(path, before, before)
	return Change(path, before, _dumped(dict(content)))


def changed(path: Path, keys: Mapping[str, Any]) -> Change:
	"""Returns the change that gives keys of a JSON file these values, and keeps all others in their order.

	:raises ValueError: if the file is no JSON object
	"""
	before = path.read_text()
	content = content_of(path, before)
	if all(content.get(key) == value for key, value in keys.items()):
		return Change(path, before, before)
	after = _dumped(content | dict(keys))
	return Change(path, before, after + "\n" * before.endswith("\n"))


def content_of(path: Path, text: str | None = None) -> dict[str, Any]:
	"""Returns the JSON object in a file.

	:param text: that of the file, if it has been read already
	:raises ValueError: if the file is no JSON object
	"""
	content = json.loads(path.read_text() if text is None else text)
	if not isinstance(content, dict):
		raise ValueError(f"{path} is no JSON object")
	return content


def _dumped(content: Any) -> str:
	# As Frappe writes it.
	return json.dumps(content, indent=1, ensure_ascii=False)


def _masked(value: Any, before: Any) -> Any:
	"""Returns a value with all that may be a secret masked, and told apart from what stood there before."""
	if isinstance(value, dict):
		old = before if isinstance(before, dict) else {}
		return {
			key: one if key in PLAIN_KEYS and _is_leaf(one) else _masked(one, old.get(key))
			for key, one in value.items()
		}
	if isinstance(value, list):
		old = before if isinstance(before, list) else []
		return [_masked(one, old[at] if at < len(old) else None) for at, one in enumerate(value)]
	if value is None or isinstance(value, bool):
		return value
	return HIDDEN if value == before else HIDDEN_NEW


def _is_leaf(value: Any) -> bool:
	return not isinstance(value, dict | list)
