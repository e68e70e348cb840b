# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import escape_html

from read_replica.config.patterns import is_pattern
from read_replica.database import revision
from read_replica.engine.sentence import said, sentence_of
from read_replica.policy import desk, rules, shipped_rows, sources
from read_replica.policy.called import Called
from read_replica.policy.rule_set import REPORTS


class RoutedMethod(Document):
	"""A rule: where a method reads, or each method that a pattern matches; or a row that shows a shipped rule."""

	def validate(self) -> None:
		if self.report:
			self.method, self.subject = REPORTS, self.report
		self.method = (self.method or "").strip()
		self.subject = (self.subject or "").strip()
		self._check_method()
		if self.source == "Shipped":
			# Whoever saves it makes it a rule.
			self.source = "By Hand"
		try:
			sources.need_of_desk(self.as_dict())
		except (TypeError, ValueError) as error:
			why = escape_html(said(sentence_of(error), _))
			frappe.throw(_("What it asks of a replica: {0}").format(why))

	def _check_method(self) -> None:
		if not self.method:
			frappe.throw(_("Name a method, or a report"))
		if "(" in self.method or ")" in self.method:
			frappe.throw(_("What stands in parentheses goes into the field Subject"))
		if self.reads == "Replica" and not is_pattern(self.method):
			if reason := rules.reason_never(Called(self.method, self.subject)):
				frappe.throw(
					_("{0} cannot be read on a replica. {1}").format(escape_html(self.method), _(reason))
				)
		others = {"method": self.method, "subject": self.subject, "name": ("!=", self.name)}
		# A rule takes the place of the row that only shows what is shipped.
		frappe.db.delete("Routed Method", others | {"source": "Shipped"})
		if other := frappe.db.exists("Routed Method", others):
			frappe.throw(
				_("Routed Method {0} is a rule for the same method already").format(escape_html(other))
			)

	def on_update(self) -> None:
		revision.change()

	def on_trash(self) -> None:
		if self.source == "Shipped":
			frappe.throw(
				_("This row shows what the app ships. To overrule it, set Reads to Default or Primary.")
			)
		revision.change()

	def after_delete(self) -> None:
		name = desk.name_of(self.method, self.subject)
		if shipped_rows.reason_of(name):
			shipped_rows.add(name)
