# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The docs of this app as the page Replica Help shows them: the folder docs beside the package, as bench gets an app."""

from pathlib import Path
from typing import Any

from markdown2 import markdown

import read_replica

FOLDER = Path(read_replica.__file__).resolve().parents[1] / "docs"

# In the order in which they are listed; the first one is shown if none is asked for.
PAGES = (
	"replica-monitor",
	"configuration",
	"behaviour",
	"jobs",
	"second-server",
	"sync",
	"doctor",
	"metrics",
	"limits",
	"architecture",
)

# Without emphasis by underscores, which names of keys are full of.
EXTRAS = ("code-friendly", "fenced-code-blocks", "highlightjs-lang", "tables")


def page(name: str = "") -> dict[str, Any]:
	"""Returns a page of the docs as HTML, and the names and titles of all.

	Without the folder, as where the package was installed without its repository, there are no pages. The HTML is
	empty if there is no page of this name.
	"""
	titles = [{"name": one, "title": _title(one)} for one in PAGES if _file(one).exists()]
	shown = name or PAGES[0]
	html = ""
	if shown in (one["name"] for one in titles):
		html = str(markdown(_file(shown).read_text(encoding="utf-8"), extras=list(EXTRAS)))
	return {"pages": titles, "name": shown, "html": html}


def _file(name: str) -> Path:
	return FOLDER / f"{name}.md"


def _title(name: str) -> str:
	with _file(name).open(encoding="utf-8") as file:
		return file.readline().lstrip("# ").strip()
