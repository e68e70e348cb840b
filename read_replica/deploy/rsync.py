# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Copies folders by rsync, so that an interrupted copy leaves the old files in place."""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OPTIONS = (
	"--recursive",
	"--links",
	# Folders of files that lie on another disk come over as what they hold.
	"--copy-unsafe-links",
	"--perms",
	"--times",
	"--omit-dir-times",
	# Into a folder beside them first, and in place in the end, by renaming.
	"--delay-updates",
	"--protect-args",
	"--8-bit-output",
	"--out-format=%i %n",
	# Seconds without a word from the other side.
	"--timeout=120",
)

# By the environment, as the option would send also rsync:// through ssh. A timer cannot type a password.
REMOTE_SHELL = "ssh -o BatchMode=yes -o ConnectTimeout=10"

# A file that was deleted while it was about to be copied.
VANISHED = 24

HINTS = {
	10: "Does rsync's daemon run there, and is its port open?",
	11: "Is the disk full, or does a folder belong to somebody else?",
	12: "Is rsync installed on the other server?",
	23: "Is the path right, and may this user read it?",
	30: "The other server fell silent.",
	127: "Is rsync installed on the other server?",
	255: "Does ssh log in there without a password? Try: ssh -o BatchMode=yes USER@HOST true",
}

# A file or link that is sent or made, or what is deleted; then the path.
ITEM = re.compile(r"([<>c][fLDS]\S{9}|\*deleting) +(.+)")

MOST_LINES_OF_AN_ERROR = 5


class RsyncFailed(Exception):
	"""Raised when rsync is missing, or ends with an error."""


@dataclass(frozen=True)
class Copied:
	"""What was copied, or would be.

	:param files: the paths that are new or other than before
	:param deleted: the paths that are gone
	"""

	files: list[str]
	deleted: list[str]


def copy(source: str, target: Path, options: Sequence[str] = (), dry_run: bool = False) -> Copied:
	"""Copies what has changed; a file is in place whole, or as it was before.

	:param source: as rsync has it: USER@HOST:PATH, rsync://HOST/MODULE/PATH or a path; with a slash behind it, what
		is in that folder
	:param dry_run: whether nothing is copied
	:raises RsyncFailed: if it could not be copied, or not all of it
	"""
	command = ["rsync", *OPTIONS, *options, *(["--dry-run"] if dry_run else []), "--", source, str(target)]
	environment = {"RSYNC_RSH": REMOTE_SHELL, **os.environ, "LC_ALL": "C"}
	# Errors go into a file, as a pipe would stay open as long as an ssh that serves later connections too.
	with tempfile.TemporaryFile("w+", errors="replace") as errors:
		try:
			ran = subprocess.run(
				command,
				env=environment,
				stdin=subprocess.DEVNULL,
				stdout=subprocess.PIPE,
				stderr=errors,
				text=True,
				errors="replace",
			)
		except FileNotFoundError as error:
			raise RsyncFailed("rsync is not installed here. On Debian: apt-get install rsync") from error
		errors.seek(0)
		said = errors.read()
	if ran.returncode not in (0, VANISHED):
		raise RsyncFailed(_sentence(source, ran.returncode, said))
	return _copied(ran.stdout)


def _sentence(source: str, status: int, said: str) -> str:
	lines = "\n".join(said.strip().splitlines()[:MOST_LINES_OF_AN_ERROR])
	return f"rsync from {source} ended with status {status}. {HINTS.get(status, '')}\n{lines}".strip()


def _copied(said: str) -> Copied:
	"""Returns what rsync has itemized; its other lines, such as on folders that it makes, are left out."""
	found = [match.groups() for match in map(ITEM.fullmatch, said.splitlines()) if match]
	return Copied(
		files=[path for what, path in found if what != "*deleting"],
		deleted=[path for what, path in found if what == "*deleting"],
	)
