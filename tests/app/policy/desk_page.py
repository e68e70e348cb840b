# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The page that loads the desk: where it is, and what it tells the desk."""

import html
import json
import re

import frappe

from support.bench import Sites

VERSION = int(frappe.__version__.split(".")[0])
PATH = "/desk" if VERSION >= 16 else "/app"

# A hash of each time that caches were emptied, and what tells whether they were.
NOT_OF_THE_SITE = {"metadata_version", "from_cache", "change_log"}


def make_assets(sites: Sites) -> None:
	"""Let the page find the lists of what was built; the browser of the tests loads none of it."""
	folder = sites.path / "assets"
	folder.mkdir(exist_ok=True)
	for name in ("assets.json", "assets-rtl.json"):
		if not (folder / name).exists():
			(folder / name).write_text("{}")


def boot_in(page: str) -> dict:
	"""Returns what a page tells the desk."""
	# Pretty or not; of v14, JSON in a string.
	told, _ = json.JSONDecoder().raw_decode(re.split(r"frappe\.boot = (?:JSON\.parse\()?", page)[1])
	return json.loads(html.unescape(told)) if isinstance(told, str) else told


def of_the_site(boot: dict) -> dict:
	"""Returns the part of it that is the same for a user at each time."""
	# Where the user has been is added to what was kept.
	user = {key: value for key, value in boot["user"].items() if key != "recent"}
	told = {key: value for key, value in boot.items() if key not in NOT_OF_THE_SITE} | {"user": user}
	if sidebars := told.get("workspace_sidebar_item"):
		# v16 names the doctypes of a module that have most rows; of this app's that changes as it begins to route.
		told["workspace_sidebar_item"] = {
			key: value for key, value in sidebars.items() if key != "read replica"
		}
	return told
