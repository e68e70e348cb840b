# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The stamp that a whole sync leaves in the site's folder: when it was, from where, and what of the configuration came over."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from read_replica.deploy.synced_config import TakenOver
from read_replica.deploy.text_file import put_in_place

NAME = "read_replica-sync.json"


@dataclass(frozen=True)
class Stamp:
	"""A sync that went through to its end.

	:param at: seconds since 1970, by this machine's clock
	"""

	source: str
	at: float
	taken_over: TakenOver


def read(folder: Path) -> Stamp | None:
	"""Returns the stamp in a site's folder; None if it was never synced, or if the stamp cannot be read."""
	try:
		found = json.loads((folder / NAME).read_text())
		return Stamp(
			found["source"], float(found["at"]), TakenOver(frozenset(found["keys"]), dict(found["groups"]))
		)
	except (OSError, ValueError, KeyError, TypeError):
		return None


def write(folder: Path, source: str, taken_over: TakenOver) -> None:
	"""Writes the stamp in one step; the last thing that a sync does."""
	stamp = {
		"source": source,
		"at": time.time(),
		"keys": sorted(taken_over.keys),
		"groups": dict(sorted(taken_over.groups.items())),
	}
	put_in_place(folder / NAME, json.dumps(stamp, indent=1) + "\n")


def age_of(folder: Path) -> float | None:
	"""Returns how many seconds ago the last whole sync of a site's folder ended; None if there was none."""
	stamp = read(folder)
	return max(0.0, time.time() - stamp.at) if stamp else None
