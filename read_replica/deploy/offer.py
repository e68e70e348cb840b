# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The file that the first server gives to the second: what both must have in common."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from read_replica.deploy.text_file import TextChange, text_of

FORMAT = 1
Queue = Literal["shared", "own"]


@dataclass(frozen=True)
class Offer:
	"""What the second server has to have as the first one has it; `keys` and `encryption_key` hold secrets.

	:param second: the SERVER_ID of the second server
	:param other_queues: queues that only other servers read
	:param queue: whether both have one Redis for jobs
	:param has_scheduler: whether the second server's scheduler runs
	:param keys: what common_site_config.json of the second server gets
	:param encryption_key: that of the site; without it, passwords in the database cannot be read
	:param db_name: the site's database, by which the site is told from another one of that name
	:param database_server: which server answers as primary, see `server_proofs.identity_of`
	:param frappe: its version
	"""

	site: str
	second: str
	other_queues: list[str]
	queue: Queue
	has_scheduler: bool
	keys: dict[str, Any] = field(repr=False)
	encryption_key: str = field(repr=False)
	db_name: str
	database_server: str
	frappe: str


def change(path: Path, offer: Offer) -> TextChange:
	"""Returns the change that writes an offer, for its owner's eyes only.

	:raises PermissionError: if the file is there, and others may read it
	"""
	before = text_of(path)
	if before is not None and os.stat(path).st_mode & 0o077:
		raise PermissionError(f"{path} would hold passwords, and others may read it. Run: chmod 600 {path}")
	text = json.dumps({"format": FORMAT} | asdict(offer), indent=1) + "\n"
	return TextChange(path, before, text, mode=0o600, is_secret=True)


def read(path: Path) -> Offer:
	"""Returns the offer in a file.

	:raises ValueError: if it is none, or one of another version of this app
	:raises OSError: if it cannot be read
	"""
	try:
		content = json.loads(path.read_text())
	except ValueError as error:
		raise ValueError(f"{path} is no JSON") from error
	known = {"format"} | {one.name for one in fields(Offer)}
	if (
		not isinstance(content, dict)
		or content.pop("format", None) != FORMAT
		or set(content) != known - {"format"}
	):
		raise ValueError(
			f"{path} is no offer that this version can read. Write it anew on the first server, with the same"
			" version of read_replica on both: bench --site SITE read-replica second-server --offer FILE"
		)
	return Offer(**content)
