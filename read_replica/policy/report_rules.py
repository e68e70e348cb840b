# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Rules for reports, by the names of the reports: for the button on a report's form and in the list of reports."""

from collections.abc import Iterable, Mapping
from typing import Any

import frappe
from frappe import _
from frappe.utils import escape_html

from read_replica.policy import sources
from read_replica.policy.called import Called
from read_replica.policy.rule_set import REPORTS
from read_replica.policy.rules import Rules

DOCTYPE = "Routed Method"
FIELDS = ("reads", "consistency", "max_lag", "pool", "timeout", "reason")
LIMITS = ("max_lag", "timeout")

# Its data are those of a list, and follow the rule of that.
LIST = "Report Builder"


def rule_of(report: str) -> dict[str, Any]:
	"""Returns where a report reads: its own row in the desk, if it has one, and the rule that counts now.

	`row` has the fields of the row, or is None; `counts` says where the rule that counts comes from, or is None.
	"""
	rule = Rules("", sources.load()).rule_for(Called(REPORTS, report))
	row = frappe.db.get_value(DOCTYPE, _row_of(report), FIELDS, as_dict=True)
	return {
		"row": row or None,
		"counts": {"where": rule.where, "source": rule.source, "name": rule.name} if rule else None,
	}


def set_rule(reports: Iterable[str], values: Mapping[str, Any]) -> None:
	"""Set where reports read, each by a row of its own.

	:param values: of the fields in FIELDS; those that are left out become empty
	:raises frappe.ValidationError: if a report cannot have such a rule; then none is set
	"""
	for report in reports:
		if frappe.db.get_value("Report", report, "report_type") == LIST:
			frappe.throw(
				_("Report {0} shows a list, and reads where that does: frappe.desk.reportview.get").format(
					escape_html(report)
				)
			)
		existing = frappe.db.get_value(DOCTYPE, _row_of(report))
		row = frappe.get_doc(DOCTYPE, existing) if existing else frappe.new_doc(DOCTYPE)
		row.update({field: values.get(field) or (0 if field in LIMITS else "") for field in FIELDS})
		row.report = report
		row.save()


def _row_of(report: str) -> dict[str, str]:
	# A rule that was written by its method has no link to the report.
	return {"method": REPORTS, "subject": report}
