# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Changes a JSON file such as site_config.json: shown as a diff first, and put in place in one step."""

import difflib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HIDDEN = "…"


@dataclass(frozen=True)
class Change:
	"""A file's text as it is, and as it is to be."""

	path: Path
	before: str
	after: str

	def __bool__(self) -> bool:
		return self.before != self.after

	def diff(self, secrets: Iterable[str]) -> str:
		"""Returns the change as a unified diff, without the secrets in it."""
		lines = difflib.unified_diff(
			self.before.splitlines(), self.after.splitlines(), str(self.path), str(self.path), lineterm=""
		)
		text = "\n".join(lines)
		for secret in sorted(filter(None, secrets), key=len, reverse=True):
			text = text.replace(json.dumps(secret), f'"{HIDDEN}"')
		return text

	def write(self) -> None:
		"""Put the new text in place; who reads the file meanwhile reads the old one or the new one, and never a part.

		:raises FileExistsError: if the file has changed since it was read
		:raises OSError: if it cannot be written; it is as it was then
		"""
		if self.path.read_text() != self.before:
			raise FileExistsError(
				f"{self.path} was changed by somebody else meanwhile. Run the command again."
			)
		# Through a symlink, to the file that it leads to.
		target = self.path.resolve()
		status = target.stat()
		handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
		try:
			with os.fdopen(handle, "w") as file:
				file.write(self.after)
				file.flush()
				os.fsync(file.fileno())
			os.chmod(name, status.st_mode & 0o7777)
			if os.geteuid() == 0:
				os.chown(name, status.st_uid, status.st_gid)
			os.replace(name, target)
		except BaseException:
			with suppress(FileNotFoundError):
				os.unlink(name)
			raise


def changed(path: Path, keys: Mapping[str, Any]) -> Change:
	"""Returns the change that gives keys of a JSON file these values, and keeps all others in their order.

	:raises ValueError: if the file is no JSON object
	"""
	before = path.read_text()
	content = json.loads(before)
	if not isinstance(content, dict):
		raise ValueError(f"{path} is no JSON object")
	if all(content.get(key) == value for key, value in keys.items()):
		return Change(path, before, before)
	# As Frappe writes it.
	after = json.dumps(content | dict(keys), indent=1, ensure_ascii=False)
	return Change(path, before, after + "\n" * before.endswith("\n"))
