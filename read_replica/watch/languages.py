# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The languages in which those read who are told of outages, and what they say in each.

All of it is looked up before the transaction in which outages are noted and notices are written. An error of the
database that is passed over within that, as core does where it loads translations, may have rolled it back: what
follows would be committed without the row that says that it was told, and be told again.
"""

from collections.abc import Mapping

import frappe
from frappe.translate import get_all_translations
from frappe.utils.user import get_system_managers

from read_replica.database.event_log import log_event
from read_replica.engine.sentence import said

ENGLISH = "en"


class Languages:
	"""The language of each reader, and that of the site for all others; English where one is not known.

	:param of_site: in which rows are written that all read
	:param of_users: by the names of users
	"""

	def __init__(self, of_site: str = ENGLISH, of_users: Mapping[str, str] | None = None) -> None:
		self.of_site = of_site
		self._of_users = dict(of_users or {})
		self._translations = {
			language: _translations(language) for language in {of_site, *self._of_users.values()}
		}

	def of(self, user: str) -> str:
		"""Returns the language of a user."""
		return self._of_users.get(user, self.of_site)

	def say(self, text: str, language: str) -> str:
		"""Returns a text in a language, as a plain str; queries nothing, and never fails."""
		found = self._translations.get(language, {})
		return str(said(text, lambda template: found.get(template) or template))


def languages_of_readers() -> Languages:
	"""Returns the languages of the Administrator and of all System Managers, as the desk has them now.

	As core's get_user_lang does, which is not the same in all versions: the user's own, else that of System Settings.
	"""
	try:
		frappe.db.commit()
		of_site = frappe.db.get_single_value("System Settings", "language") or frappe.local.lang
		readers = ["Administrator", *get_system_managers(only_name=True)]
		rows = frappe.get_all(
			"User", {"name": ("in", readers), "language": ("is", "set")}, ["name", "language"]
		)
		return Languages(of_site or ENGLISH, {row.name: row.language for row in rows})
	except Exception as error:
		frappe.db.rollback()
		_log(error)
		return Languages()


def _translations(language: str) -> dict[str, str]:
	try:
		return get_all_translations(language) or {}
	except Exception as error:
		_log(error)
		return {}


def _log(error: Exception) -> None:
	log_event("notice_failed", of="languages", error=f"{type(error).__name__}: {error}")
