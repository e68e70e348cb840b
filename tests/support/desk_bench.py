# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A web server that shows the desk, with the assets that a bench has built."""

import os
from pathlib import Path

import frappe

import read_replica
from support.bench import SITE, Sites
from support.frappe_request import connected
from support.production import ProductionBench


class DeskBench(ProductionBench):
	"""gunicorn, with what nginx does for it; its cache Redis is that of the site's other processes."""

	application = "support.desk_app:application"

	@property
	def origin(self) -> str:
		return f"http://{SITE}:{self.port}"


def built_assets() -> Path | None:
	"""The folder of assets that the bench of these tests has built; None if it has none."""
	folder = Path(os.environ["FRAPPE_BENCH"]) / "sites" / "assets"
	return folder if (folder / "assets.json").exists() else None


def link_assets(sites: Sites, bench: Path) -> None:
	"""What the bench has built; this app's files need no build."""
	assets = sites.path / "assets"
	for entry in (bench / "sites" / "assets").iterdir():
		if not (assets / entry.name).exists():
			_link(assets / entry.name, entry.resolve())
	if not (assets / "read_replica").exists():
		(assets / "read_replica").symlink_to(Path(read_replica.__file__).parent / "public")


def _link(place: Path, public: Path) -> None:
	"""An entry of a bench's assets; of an app with its node_modules, from which v14 loads its editor of code."""
	modules = public.parents[1] / "node_modules"
	if not public.is_dir() or (public / "node_modules").exists() or not modules.is_dir():
		place.symlink_to(public)
		return
	place.mkdir()
	for entry in (*public.iterdir(), modules):
		(place / entry.name).symlink_to(entry)


def complete_setup() -> None:
	"""Let the desk open without the setup wizard, as on a site that is in use."""
	with connected():
		frappe.db.set_single_value("System Settings", "setup_complete", 1)
		if frappe.db.table_exists("Installed Application") and frappe.db.has_column(
			"Installed Application", "is_setup_complete"
		):
			frappe.db.sql("update `tabInstalled Application` set is_setup_complete = 1")
		frappe.db.set_default("desktop:home_page", "workspace")
		frappe.db.commit()
		frappe.clear_cache()
