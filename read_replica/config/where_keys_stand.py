# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells which file a key of this app stands in, and what it says, without its secrets."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import frappe

from read_replica.config.keys import FULL_KEY, SOURCE_KEYS
from read_replica.config.source import COMMON_CONFIG

SITE_CONFIG = "site_config.json"
SECRETS = ("password", "token")
LEFT_OUT = "…"

# As where a whole address was written for a host.
PASSWORD_OF_URL = re.compile(r"(?<=:).*(?=@)")

# What the settings are made from beside the keys that are about replicas.
OF_THE_PRIMARY = ("db_", "redis_")


class Key(NamedTuple):
	"""A key as a file has it.

	:param name: `read_replica.max_lag` for a key of the full form
	:param value: as JSON, with `…` for each password and token
	"""

	name: str
	value: str
	file: str


def keys() -> list[Key]:
	"""Returns this app's keys of the current site; what the site's own file has counts before the bench's."""
	files = [
		(SITE_CONFIG, _content(Path(frappe.get_site_path(), SITE_CONFIG))),
		(COMMON_CONFIG, _content(Path(frappe.local.sites_path, COMMON_CONFIG))),
	]
	found = []
	for name in SOURCE_KEYS:
		if name.startswith(OF_THE_PRIMARY):
			continue
		# Frappe takes a key from one file as a whole, and mixes no objects.
		of_key = next(((file, content[name]) for file, content in files if name in content), None)
		if of_key:
			found += _keys_of(name, of_key[1], of_key[0])
	return found


def _content(path: Path) -> Mapping[str, Any]:
	try:
		content = json.loads(path.read_text())
	except (OSError, ValueError):
		# Frappe itself says what is wrong with it.
		return {}
	return content if isinstance(content, dict) else {}


def _keys_of(name: str, value: Any, file: str) -> list[Key]:
	if name == FULL_KEY and isinstance(value, dict):
		return [Key(f"{name}.{key}", _shown(key, inner), file) for key, inner in value.items()]
	return [Key(name, _shown(name, value), file)]


def _shown(name: str, value: Any) -> str:
	return json.dumps(_without_secrets(name, value), ensure_ascii=False)


def _without_secrets(name: str, value: Any) -> Any:
	if value is not None and name.endswith(SECRETS):
		return LEFT_OUT
	if isinstance(value, dict):
		return {key: _without_secrets(key, inner) for key, inner in value.items()}
	if name == "replicas":
		# What is no object is wrong, and may have its password anywhere.
		return [_without_secrets("", row) if isinstance(row, dict) else LEFT_OUT for row in _rows(value)]
	if isinstance(value, list):
		return [_without_secrets("", inner) for inner in value]
	return PASSWORD_OF_URL.sub(LEFT_OUT, value) if isinstance(value, str) else value


def _rows(value: Any) -> list[Any]:
	return value if isinstance(value, list) else [value]
