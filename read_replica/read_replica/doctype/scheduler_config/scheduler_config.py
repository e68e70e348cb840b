# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import escape_html

from read_replica.engine.sentence import said, sentence_of
from read_replica.jobs import rule_checks, rule_sources, rules


class SchedulerConfig(Document):
	"""A rule: the server that runs a job, or all jobs that a glob matches, and where they read."""

	def validate(self) -> None:
		self.job = (self.job or "").strip()
		self.server_id = (self.server_id or "").strip()
		rule_checks.check_job(self.job)
		rule_checks.check_server_id(self.server_id)
		if frappe.utils.flt(self.takeover_after) < 0:
			frappe.throw(_("Take Over After cannot be negative; 0 means never"))
		self.max_lag = frappe.utils.cint(self.max_lag)
		try:
			rule_sources.need_of_desk(self)
		except (TypeError, ValueError) as error:
			# The error itself names the keys of site_config.json.
			why = escape_html(said(sentence_of(error), _))
			frappe.throw(_("Consistency and Max Lag: {0}").format(why))

	def on_update(self) -> None:
		rules.forget_rules()

	def on_trash(self) -> None:
		rules.forget_rules()
