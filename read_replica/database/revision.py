# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The revision of the site's policy: a text in one row that every process hears of once it has changed.

The process that checks the replicas asks the primary for it together with the primary's position, each second,
and the others read it with its verdicts: no request asks for it, and it does not matter which Redis a server has.
"""

import secrets

import frappe

NAME = "__read_replica_policy"

# An SQL expression with its value; empty until something has changed for the first time.
REVISION = f"(SELECT defvalue FROM `tabDefaultValue` WHERE name = '{NAME}')"


def current() -> str:
	"""Returns the revision as the primary has it; to be called with the primary in place."""
	return frappe.db.sql(f"SELECT {REVISION}")[0][0] or ""


def change() -> None:
	"""Let every process of the site read its policy again, once the transaction is committed.

	On other databases than MariaDB, where this app does nothing, it does nothing either.
	"""
	if frappe.db.db_type != "mariadb":
		return
	# One statement, as two administrators may change something at the same time.
	frappe.db.sql(
		"""INSERT INTO `tabDefaultValue` (name, parent, parenttype, parentfield, defkey, defvalue, creation, modified)
		VALUES (%(name)s, %(name)s, '__default', 'system_defaults', 'revision', %(revision)s, NOW(), NOW())
		ON DUPLICATE KEY UPDATE defvalue = %(revision)s""",
		{"name": NAME, "revision": secrets.token_hex(8)},
	)


def forget() -> None:
	"""Delete the row, as at an uninstall."""
	frappe.db.delete("DefaultValue", {"name": NAME})
