# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What an install and an uninstall do beside what Frappe does by itself."""

import click
import frappe

from read_replica import site
from read_replica.core import class_overrides
from read_replica.database.host import shared_of_site
from read_replica.jobs import annotations
from read_replica.patches.v0_1 import add_core_keys


def after_install() -> None:
	# Frappe marks the patches of a new app as done without running them.
	add_core_keys.execute()
	_tell_what_cannot_work()


def after_app_install(app: str) -> None:
	"""Another app was installed."""
	_tell_what_cannot_work()


def _tell_what_cannot_work() -> None:
	for problem in class_overrides.problems():
		click.secho(problem, fg="yellow")


def after_uninstall() -> None:
	# Frappe calls this in a dry run as well, which leaves the app installed.
	if site.APP in frappe.get_installed_apps():
		return
	add_core_keys.undo()
	# With them, a later install would take patches for done that never ran on that site.
	frappe.db.delete("Patch Log", {"patch": ("like", f"{site.APP}.%")})
	annotations.forget()
	site.forget()
	shared_of_site().forget()
	frappe.db.commit()
