# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import escape_html

from read_replica.database import revision
from read_replica.engine.sentence import said, sentence_of
from read_replica.policy import site_policy


class ReadReplicaSettings(Document):
	"""What holds for all methods of the site that are read on replicas."""

	def validate(self) -> None:
		try:
			site_policy.need_of_settings(self.as_dict())
		except (TypeError, ValueError) as error:
			why = escape_html(said(sentence_of(error), _))
			frappe.throw(_("What counts where nothing else is said: {0}").format(why))

	def on_update(self) -> None:
		revision.change()
