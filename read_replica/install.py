# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What an install and an uninstall do beside what Frappe does by itself."""

from read_replica import servers, shared_state, site
from read_replica.patches.v0_1 import add_core_keys


def after_install() -> None:
	# Frappe marks the patches of a new app as done without running them.
	add_core_keys.execute()


def before_uninstall() -> None:
	add_core_keys.undo()
	servers.forget()
	shared_state.forget()
	site.forget()
