# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Writes text files in one step, and shows the change as a diff."""

import difflib
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# The hash of a password in an aclfile of Redis, and a password in a URL.
SECRETS = re.compile(r"(?<= )[#>]\S+|(?<=://)[^/@\s]*(?=@)")


@dataclass(frozen=True)
class TextChange:
	"""A file's text as it is, and as it is to be.

	:param before: None: there is no such file yet
	:param mode: the permissions of a file that is not there yet
	:param is_secret: whether its text is not to be shown at all
	"""

	path: Path
	before: str | None
	after: str
	mode: int = 0o644
	is_secret: bool = False

	def __bool__(self) -> bool:
		return self.before != self.after

	def diff(self) -> str:
		"""Returns the change as a unified diff, with `…` in the place of passwords and their hashes."""
		if self.is_secret:
			return f"{self.path}: it holds passwords, and is not shown"
		return diff_of(self.path, SECRETS.sub("…", self.before or ""), SECRETS.sub("…", self.after))

	def write(self) -> None:
		"""Put the new text in place; who reads the file meanwhile reads the old one or the new one, and never a part.

		:raises FileExistsError: if the file has changed since it was read
		:raises OSError: if it cannot be written; it is as it was then
		"""
		check_unchanged(self.path, text_of(self.path), self.before)
		self.path.parent.mkdir(parents=True, exist_ok=True)
		put_in_place(self.path, self.after, self.mode)


def diff_of(path: Path, before: str, after: str) -> str:
	"""Returns the change of a file as a unified diff, with a line around each change."""
	lines = difflib.unified_diff(
		before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=1
	)
	return "\n".join(lines)


def check_unchanged(path: Path, now: str | None, before: str | None) -> None:
	"""Refuse to write over what somebody else has written meanwhile.

	:raises FileExistsError: if a file has changed since it was read
	"""
	if now != before:
		raise FileExistsError(f"{path} was changed by somebody else meanwhile. Run the command again.")


def text_of(path: Path) -> str | None:
	"""Returns the text of a file; None if there is no such file."""
	try:
		return path.read_text()
	except FileNotFoundError:
		return None


def put_in_place(path: Path, text: str, mode: int = 0o600) -> None:
	"""Write a file in one step. One that is there keeps its owner and its permissions.

	:param mode: the permissions of one that is not there yet; its owner is that of the folder
	:raises OSError: if it cannot be written; it is as it was then
	"""
	# Through a symlink, to the file that it leads to.
	target = path.resolve()
	is_there = target.exists()
	owner = (target if is_there else target.parent).stat()
	handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
	try:
		with os.fdopen(handle, "w") as file:
			file.write(text)
			file.flush()
			os.fsync(file.fileno())
		os.chmod(name, owner.st_mode & 0o7777 if is_there else mode)
		if os.geteuid() == 0:
			os.chown(name, owner.st_uid, owner.st_gid)
		os.replace(name, target)
	except BaseException:
		with suppress(FileNotFoundError):
			os.unlink(name)
		raise
