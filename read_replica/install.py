# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Hooks of an install and an uninstall."""

from pathlib import Path

import click
import frappe

from read_replica import site
from read_replica.core import class_overrides
from read_replica.database import revision
from read_replica.database.host import shared_of_site
from read_replica.jobs import annotations
from read_replica.patches.v0_1 import add_core_keys
from read_replica.policy import shipped_rows
from read_replica.watch import notices, viewers

# One word: v15 finds no other by the address of a tile on the screen of apps.
WORKSPACE = "Replicas"
TITLE = "Read Replica"


def after_install() -> None:
	"""Add core's keys to the site's configuration, and print problems with other apps."""
	# Frappe marks the patches of a new app as done without running them.
	add_core_keys.execute()
	# Only a new site reads by the shipped list from the first: on others, an administrator switches it on.
	frappe.db.set_single_value("Read Replica Settings", "shipped_methods", 1)
	shipped_rows.sync()
	revision.change()
	# What Redis has of an earlier install says nothing about this one.
	shared_of_site().forget()
	_print_problems()


def after_app_install(app: str) -> None:
	"""Read rules again, as an app may bring some, and print problems with other apps, as one was just installed."""
	shipped_rows.sync()
	revision.change()
	_print_problems()


def after_migrate() -> None:
	"""Read rules again, as apps may bring other ones."""
	shipped_rows.sync()
	revision.change()


def _print_problems() -> None:
	for problem in class_overrides.problems():
		click.secho(problem, fg="yellow")


def _doctypes() -> list[str]:
	"""Returns the doctypes of this app, also where the site has none of them any more."""
	folder = Path(__file__).parent / "read_replica" / "doctype"
	return [frappe.unscrub(path.parent.name) for path in folder.glob("*/*.json")]


def _forget_what_people_made_of(doctypes: list[str]) -> None:
	"""Delete what was set for our doctypes: core leaves it behind when an app is uninstalled."""
	for table, column in (
		("Custom Field", "dt"),
		("Property Setter", "doc_type"),
		("Custom DocPerm", "parent"),
		# The hook `default_log_clearing_doctypes` brings these.
		("Logs To Clear", "ref_doctype"),
		("__UserSettings", "doctype"),
	):
		frappe.db.delete(table, {column: ("in", doctypes)})
	settings = frappe.cache().hkeys("_user_settings")
	for key in (key.decode() if isinstance(key, bytes) else key for key in settings):
		if key.partition("::")[0] in doctypes:
			frappe.cache().hdel("_user_settings", key)


def _forget_icons() -> None:
	"""Delete what v16 shows the app by: it looks for an icon of another name, and deletes the sidebar without a commit."""
	if frappe.db.table_exists("Desktop Icon"):
		# v16 makes a hidden one for the workspace as well.
		frappe.db.delete("Desktop Icon", {"name": ("in", (WORKSPACE, TITLE))})
	if frappe.db.table_exists("Workspace Sidebar"):
		frappe.db.delete("Workspace Sidebar Item", {"parent": WORKSPACE})
		frappe.db.delete("Workspace Sidebar", {"name": WORKSPACE})


def after_uninstall() -> None:
	"""Remove what this app has put into the site's configuration and Redis, once it is uninstalled."""
	# Frappe calls this in a dry run as well, which leaves the app installed.
	if site.APP in frappe.get_installed_apps():
		return
	add_core_keys.undo()
	# If these rows stayed, a later install would take patches for done that it has not run.
	frappe.db.delete("Patch Log", {"patch": ("like", f"{site.APP}.%")})
	# Core leaves it until the next migrate, and each tick until then would fail to import it.
	frappe.db.delete("Scheduled Job Type", {"method": ("like", f"{site.APP}.%")})
	annotations.forget()
	revision.forget()
	_forget_icons()
	# v14 leaves the values of a Single behind.
	frappe.db.delete("Singles", {"doctype": "Read Replica Settings"})
	_forget_what_people_made_of(_doctypes())
	notices.forget()
	viewers.forget()
	site.forget()
	shared_of_site().forget_for_good()
	frappe.db.commit()
