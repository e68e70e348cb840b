# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Hooks of an install and an uninstall."""

import click
import frappe

from read_replica import site
from read_replica.core import class_overrides
from read_replica.database.host import shared_of_site
from read_replica.jobs import annotations
from read_replica.patches.v0_1 import add_core_keys


def after_install() -> None:
	"""Add core's keys to the site's configuration, and print problems with other apps."""
	# Frappe marks the patches of a new app as done without running them.
	add_core_keys.execute()
	_print_problems()


def after_app_install(app: str) -> None:
	"""Print problems with other apps, as one was just installed."""
	_print_problems()


def _print_problems() -> None:
	for problem in class_overrides.problems():
		click.secho(problem, fg="yellow")


def after_uninstall() -> None:
	"""Remove what this app has put into the site's configuration and Redis, once it is uninstalled."""
	# Frappe calls this in a dry run as well, which leaves the app installed.
	if site.APP in frappe.get_installed_apps():
		return
	add_core_keys.undo()
	# If these rows stayed, a later install would take patches for done that it has not run.
	frappe.db.delete("Patch Log", {"patch": ("like", f"{site.APP}.%")})
	annotations.forget()
	site.forget()
	shared_of_site().forget()
	frappe.db.commit()
