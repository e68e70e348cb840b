# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A block in which frappe.db is the primary, for what core's caches keep for others."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import frappe

from read_replica.database.routed import RoutedMethods

# Makes a context manager in which frappe.db is the primary, also for decorated functions; it does nothing on a site
# that is being installed or migrated.
OnPrimary = Callable[[], AbstractContextManager[None]]


def in_scope() -> bool:
	"""Returns whether frappe.db is that of a scope."""
	return isinstance(getattr(frappe.local, "db", None), RoutedMethods)


@contextmanager
def for_all(on_primary: OnPrimary) -> Iterator[None]:
	"""A block that reads nothing from a replica, whatever scope it stands in and whatever the site does."""
	db = getattr(frappe.local, "db", None)
	if not isinstance(db, RoutedMethods):
		with on_primary():
			yield
		return
	with db.scope.primary_in_place(), on_primary():
		yield
