# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What an install and an uninstall do beside what Frappe does by itself."""

import frappe

from read_replica import annotations, site
from read_replica.host import shared_of_site
from read_replica.patches.v0_1 import add_core_keys


def after_install() -> None:
	# Frappe marks the patches of a new app as done without running them.
	add_core_keys.execute()


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
