# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

import frappe


def execute(filters=None):
	"""A report that keeps its result in a temporary table, as some of ERPNext's do (erpnext#47892)."""
	frappe.db.sql("create temporary table todo_summary as select name, status from `tabToDo`")
	rows = frappe.db.sql("select status, count(*) from todo_summary group by status", as_list=True)
	frappe.db.sql("drop temporary table todo_summary")
	return [{"fieldname": "status", "label": "Status"}, {"fieldname": "count", "label": "Count"}], rows
