# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The documents that the shipped methods are called for: plain rows with names that the cases know."""

import json
from typing import Any

import frappe

from support import erpnext_site
from support.erpnext_site import COMPANY, CUSTOMER, ITEMS, day

READER = "reader@example.com"
PASSWORD = "Re4der-of-the-lists"

TODOS = ("shipped-todo-1", "shipped-todo-2", "shipped-todo-3")
NODE = "Shipped Node"
STORES = "Stores - S"
ACCOUNT = "Stock In Hand - S"
EMPLOYEE, CHIEF = "EMP-SHIPPED", "EMP-CHIEF"
HOLIDAYS = "Shipped Holidays"
ORDER = {
	"company": COMPANY,
	"transaction_date": day(),
	"docstatus": 1,
	"base_net_total": 90,
	"total_qty": 3,
	"total_commission": 9,
}
LINE = {"item_code": ITEMS[0], "qty": 3, "stock_qty": 3, "base_net_amount": 90, "docstatus": 1}
EMPLOYED = {
	"status": "Active",
	"company": COMPANY,
	"date_of_birth": day(-9000),
	"date_of_joining": day(-200),
	"holiday_list": HOLIDAYS,
}
CARD = {"name": "Shipped Card", "document_type": "ToDo", "function": "Count"}


def custom_chart(name: str, source: str, **filters: str) -> dict[str, Any]:
	"""A chart of a source of ERPNext or HRMS."""
	return {
		"doctype": "Dashboard Chart",
		"name": name,
		"chart_name": name,
		"chart_type": "Custom",
		"source": source,
		"timespan": "Last Year",
		"time_interval": "Monthly",
		"type": "Line",
		"is_public": 1,
		"filters_json": json.dumps({"company": COMPANY, **filters}),
	}


def children(of: str, parent: str, field: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
	"""Rows of a child table."""
	place = {"parent": parent, "parenttype": of, "parentfield": field}
	return [
		place | {"name": f"{parent}-{field}-{idx}", "idx": idx} | row for idx, row in enumerate(rows, start=1)
	]


FRAPPE: list[dict[str, Any]] = [
	*(
		{
			"doctype": "ToDo",
			"name": name,
			"description": f"The task {name}",
			"status": status,
			"date": day(),
			"allocated_to": READER,
			"creation": f"{day(-age)} 12:00:00",
		}
		for name, status, age in zip(TODOS, ("Open", "Closed", "Open"), (60, 1, 0), strict=True)
	),
	{
		"doctype": "ToDo",
		"name": "shipped-todo-link",
		"description": "A task about a task",
		"status": "Open",
		"date": day(),
		"reference_type": "ToDo",
		"reference_name": TODOS[0],
		"allocated_to": READER,
	},
	{"doctype": "Tag", "name": "Blue"},
	{
		"doctype": "Tag Link",
		"tag": "Blue",
		"document_type": "ToDo",
		"document_name": TODOS[0],
		"title": "Blue",
	},
	{
		"doctype": "Comment",
		"comment_type": "Comment",
		"reference_doctype": "ToDo",
		"reference_name": TODOS[0],
		"content": "Soon",
	},
	{
		"doctype": "Communication",
		"name": "shipped-mail",
		"communication_type": "Communication",
		"communication_medium": "Email",
		"communication_date": f"{day()} 08:00:00",
		"subject": "About it",
		"content": "<p>It is late</p>",
		"sender": READER,
		"reference_doctype": "ToDo",
		"reference_name": TODOS[0],
	},
	{
		"doctype": "Event",
		"name": "shipped-event",
		"subject": "A meeting",
		"event_type": "Public",
		"status": "Open",
		"starts_on": f"{day()} 09:00:00",
		"ends_on": f"{day()} 10:00:00",
	},
	{
		"doctype": "Contact",
		"name": "Shipped Contact",
		"first_name": "Shipped",
		"email_id": "them@example.com",
	},
	*children(
		"Contact",
		"Shipped Contact",
		"email_ids",
		{"doctype": "Contact Email", "email_id": "them@example.com", "is_primary": 1},
	),
	{
		"doctype": "File",
		"name": "shipped-file",
		"file_name": "shipped.png",
		"file_url": "/files/shipped.png",
		"folder": "Home",
		"is_folder": 0,
		"attached_to_doctype": "ToDo",
		"attached_to_name": TODOS[0],
	},
	{"doctype": "Kanban Board", "name": "Shipped Board", "reference_doctype": "ToDo", "field_name": "status"},
	*children(
		"Global Search Settings",
		"Global Search Settings",
		"allowed_doctypes",
		{"doctype": "Global Search DocType", "document_type": "Contact"},
	),
	{"doctype": "List View Settings", "name": "ToDo", "disable_count": 1},
	{
		"doctype": "Report",
		"name": "Shipped Report",
		"report_name": "Shipped Report",
		"ref_doctype": "ToDo",
		"report_type": "Query Report",
		"is_standard": "No",
		"query": "select name from tabToDo",
	},
	{"doctype": "Notification Log", "for_user": READER, "subject": "A notice", "type": "Alert"},
	{"doctype": "Route History", "user": READER, "route": "List/ToDo/List"},
	{
		"doctype": "Energy Point Log",
		"user": READER,
		"type": "Auto",
		"points": 5,
		"rule": "Shipped",
		"reference_doctype": "ToDo",
		"reference_name": TODOS[0],
	},
	CARD
	| {
		"doctype": "Number Card",
		"label": "Shipped Card",
		"type": "Document Type",
		"is_public": 1,
		"show_percentage_stats": 1,
		"stats_time_interval": "Monthly",
		"filters_json": "[]",
	},
	*(
		{
			"doctype": "Dashboard Chart",
			"name": name,
			"chart_name": name,
			"chart_type": "Group By",
			"document_type": "ToDo",
			"group_by_type": "Count",
			"group_by_based_on": "status",
			"type": "Bar",
			"is_public": 1,
			"filters_json": "[]",
		}
		# The second is never drawn: a chart that is drawn changes.
		for name in ("Shipped Chart", "Shipped Definition")
	),
	{"doctype": "Custom HTML Block", "name": "Shipped Block", "html": "<b>Shipped</b>"},
	{"doctype": "Dashboard", "name": "Shipped", "dashboard_name": "Shipped"},
	*children("Dashboard", "Shipped", "cards", {"doctype": "Number Card Link", "card": "Shipped Card"}),
	*children(
		"Dashboard", "Shipped", "charts", {"doctype": "Dashboard Chart Link", "chart": "Shipped Chart"}
	),
	{"doctype": "Sidebar Item Group", "name": "Shipped", "sidebar": "Shipped"},
	*children(
		"Sidebar Item Group",
		"Shipped",
		"links",
		{"doctype": "Sidebar Item Group Link", "report": "Shipped Report"},
	),
]

ERPNEXT: list[dict[str, Any]] = [
	ORDER
	| {
		"doctype": "Sales Order",
		"name": "SO-SHIPPED",
		"customer": CUSTOMER,
		"customer_name": CUSTOMER,
		"sales_partner": "Shipped Partner",
	},
	*children(
		"Sales Order",
		"SO-SHIPPED",
		"items",
		LINE | {"doctype": "Sales Order Item", "delivery_date": day(2)},
	),
	*children(
		"Sales Order",
		"SO-SHIPPED",
		"sales_team",
		{"doctype": "Sales Team", "sales_person": "Shipped Person", "allocated_amount": 90},
	),
	ORDER | {"doctype": "Purchase Order", "name": "PO-SHIPPED", "supplier": "Shipped Supplier"},
	*children("Purchase Order", "PO-SHIPPED", "items", LINE | {"doctype": "Purchase Order Item"}),
	{
		"doctype": "POS Invoice",
		"name": "POS-SHIPPED",
		"customer": CUSTOMER,
		"customer_name": CUSTOMER,
		"status": "Paid",
		"docstatus": 1,
		"posting_date": day(),
		"posting_time": "10:00:00",
		"grand_total": 90,
		"currency": "INR",
	},
	{"doctype": "Lead", "name": "LEAD-SHIPPED", "lead_name": "Shipped Lead", "company": COMPANY},
	{
		"doctype": "Opportunity",
		"name": "OPP-SHIPPED",
		"company": COMPANY,
		"status": "Open",
		"transaction_date": day(),
		"currency": "INR",
		"opportunity_amount": 500,
		"probability": 50,
		"sales_stage": "Prospecting",
		"opportunity_from": "Lead",
		**dict.fromkeys(("source", "utm_source", "utm_campaign", "utm_medium"), "Shipped"),
	},
	{
		"doctype": "ToDo",
		"name": "shipped-todo-lead",
		"description": "Call them",
		"status": "Open",
		"date": day(),
		"reference_type": "Lead",
		"reference_name": "LEAD-SHIPPED",
		"allocated_to": READER,
	},
	{"doctype": "Task", "name": "TASK-SHIPPED", "subject": "A task", "status": "Open"},
	{"doctype": "Location", "name": "Shipped Location", "location_name": "Shipped Location"},
	{"doctype": "Quality Procedure", "name": "PRC-SHIPPED", "quality_procedure_name": "Shipped Procedure"},
	{"doctype": "Employee", "name": CHIEF, "employee_name": "The Chief", "reports_to": ""} | EMPLOYED,
	{"doctype": "Employee", "name": EMPLOYEE, "employee_name": "A Reader", "reports_to": CHIEF}
	| {"user_id": READER}
	| EMPLOYED,
	{"doctype": "BOM", "name": "BOM-A", "item": ITEMS[0], "quantity": 1, "is_active": 1},
	{"doctype": "BOM", "name": "BOM-B", "item": ITEMS[0], "quantity": 2, "is_active": 1},
	*children(
		"BOM", "BOM-A", "items", {"doctype": "BOM Item", "item_code": ITEMS[1], "qty": 1, "stock_qty": 1}
	),
	*children(
		"BOM", "BOM-B", "items", {"doctype": "BOM Item", "item_code": ITEMS[2], "qty": 1, "stock_qty": 1}
	),
	{"doctype": "Job Card", "name": "JC-SHIPPED", "work_order": "WO-SHIPPED", "status": "Completed"},
	*children(
		"Job Card",
		"JC-SHIPPED",
		"time_logs",
		{"doctype": "Job Card Time Log", "from_time": f"{day()} 08:00:00", "to_time": f"{day()} 09:00:00"},
	),
	{"doctype": "Timesheet", "name": "TS-SHIPPED", "company": COMPANY},
	*children(
		"Timesheet",
		"TS-SHIPPED",
		"time_logs",
		{
			"doctype": "Timesheet Detail",
			"from_time": f"{day()} 08:00:00",
			"to_time": f"{day()} 10:00:00",
			"hours": 2,
			"activity_type": "Planning",
		},
	),
	{
		"doctype": "Holiday List",
		"name": HOLIDAYS,
		"holiday_list_name": HOLIDAYS,
		"from_date": day(-200),
		"to_date": day(200),
	},
	*children(
		"Holiday List",
		HOLIDAYS,
		"holidays",
		{"doctype": "Holiday", "holiday_date": day(), "description": "Nobody works"},
	),
	{
		"doctype": "Bin",
		"name": "BIN-SHIPPED",
		"item_code": ITEMS[0],
		"warehouse": STORES,
		"actual_qty": 7,
		"projected_qty": 7,
	},
	{
		"doctype": "Putaway Rule",
		"name": "PUT-SHIPPED",
		"item_code": ITEMS[0],
		"warehouse": STORES,
		"company": COMPANY,
		"stock_capacity": 5000,
	},
	{
		"doctype": "Payment Ledger Entry",
		"name": "PLE-SHIPPED",
		"voucher_type": "Payment Entry",
		"voucher_no": "PE-SHIPPED",
		"against_voucher_no": "SI-SHIPPED",
		"amount": -90,
	},
	{
		"doctype": "Inventory Dimension",
		"name": "Shipped Dimension",
		"dimension_name": "Shipped Dimension",
		"reference_document": "Location",
		"source_fieldname": "location",
		"target_fieldname": "location",
	},
	custom_chart("Shipped Balance", "Account Balance Timeline", account=ACCOUNT),
	custom_chart("Shipped Warehouses", "Warehouse wise Stock Value"),
	custom_chart("Shipped Groups", "Stock Value by Item Group"),
]

MINE = {"employee": EMPLOYEE, "employee_name": "A Reader", "company": COMPANY}

HRMS: list[dict[str, Any]] = [
	MINE | {"doctype": "Attendance", "attendance_date": day(-1), "status": "Present", "docstatus": 1},
	MINE
	| {
		"doctype": "Leave Application",
		"name": "LAP-SHIPPED",
		"leave_type": "Casual Leave",
		"from_date": day(3),
		"to_date": day(4),
		"posting_date": day(),
		"total_leave_days": 2,
		"status": "Approved",
		"docstatus": 1,
	},
	{"doctype": "Shift Type", "name": "Shipped Shift", "start_time": "08:00:00", "end_time": "16:00:00"},
	MINE
	| {
		"doctype": "Shift Assignment",
		"name": "SHA-SHIPPED",
		"shift_type": "Shipped Shift",
		"start_date": day(-2),
		"end_date": day(2),
		"status": "Active",
		"docstatus": 1,
	},
	MINE
	| {
		"doctype": "Shift Request",
		"name": "SHR-SHIPPED",
		"shift_type": "Shipped Shift",
		"from_date": day(),
		"to_date": day(1),
		"status": "Draft",
	},
	MINE
	| {
		"doctype": "Attendance Request",
		"name": "ARQ-SHIPPED",
		"reason": "On Duty",
		"from_date": day(),
		"to_date": day(1),
	},
	MINE
	| {
		"doctype": "Expense Claim",
		"name": "EXP-SHIPPED",
		"posting_date": day(),
		"approval_status": "Draft",
		"total_claimed_amount": 70,
	},
	*children(
		"Expense Claim",
		"EXP-SHIPPED",
		"expenses",
		{"doctype": "Expense Claim Detail", "expense_type": "Travel", "amount": 70},
	),
	MINE
	| {
		"doctype": "Goal",
		"name": "GOAL-SHIPPED",
		"goal_name": "A goal",
		"status": "Pending",
		"start_date": day(),
	},
	{"doctype": "PWA Notification", "name": 1, "to_user": READER, "from_user": READER, "message": "Read me"},
	{"doctype": "Job Applicant", "name": "APP-SHIPPED", "applicant_name": "One", "status": "Accepted"},
	{"doctype": "Job Applicant", "name": "APP-OTHER", "applicant_name": "Two", "status": "Open"},
	{"doctype": "Job Offer", "name": "OFF-SHIPPED", "company": COMPANY, "status": "Accepted", "docstatus": 1},
	{
		"doctype": "Job Requisition",
		"name": "REQ-SHIPPED",
		"company": COMPANY,
		"status": "Filled",
		"time_to_fill": 86400,
	},
	{
		"doctype": "Interview",
		"name": "INT-SHIPPED",
		"job_applicant": "APP-SHIPPED",
		"interview_round": "First",
		"status": "Pending",
		"scheduled_on": day(),
		"from_time": "10:00:00",
		"to_time": "11:00:00",
	},
	MINE | {"doctype": "Appraisal", "name": "APR-SHIPPED", "appraisal_cycle": "Shipped Cycle"},
	{
		"doctype": "Holiday List Assignment",
		"name": "HLA-SHIPPED",
		"applicable_for": "Employee",
		"assigned_to": EMPLOYEE,
		"holiday_list": HOLIDAYS,
		"from_date": day(-200),
		"docstatus": 1,
	},
	custom_chart("Shipped Ages", "Employees by Age"),
	custom_chart("Shipped Hiring", "Hiring vs Attrition Count"),
]

CRM: list[dict[str, Any]] = [
	{"doctype": "CRM Organization", "name": "Shipped Org", "organization_name": "Shipped Org"},
	{"doctype": "CRM Lead", "name": "CRM-LEAD-1", "first_name": "Ada", "lead_name": "Ada", "status": "New"},
	{
		"doctype": "CRM Deal",
		"name": "CRM-DEAL-1",
		"organization": "Shipped Org",
		"status": "Qualification",
		"deal_owner": READER,
		"deal_value": 900,
	},
	*children(
		"CRM Deal", "CRM-DEAL-1", "contacts", {"doctype": "CRM Contacts", "contact": "Shipped Contact"}
	),
	{
		"doctype": "CRM Notification",
		"name": "shipped-crm-notice",
		"from_user": READER,
		"to_user": READER,
		"type": "Mention",
		"notification_text": "Look here",
		"reference_doctype": "CRM Lead",
		"reference_name": "CRM-LEAD-1",
		"notification_type_doctype": "CRM Lead",
		"notification_type_doc": "CRM-LEAD-1",
	},
]

ROWS = {"frappe": FRAPPE, "erpnext": ERPNEXT, "hrms": HRMS, "crm": CRM}


def make(apps: list[str]) -> None:
	"""Make a reader with all roles, and the documents of these apps."""
	if "erpnext" in apps:
		erpnext_site.set_up()
	_make_reader()
	_make_tree()
	for app in apps:
		for values in ROWS[app]:
			if frappe.db.exists("DocType", values["doctype"]):
				# Without a controller's checks: the row is there to be read.
				frappe.get_doc(values).db_insert()
	frappe.db.set_value("ToDo", TODOS[0], "_user_tags", ",Blue", update_modified=False)
	_fill_global_search()
	frappe.db.commit()


def _make_reader() -> None:
	user = {"doctype": "User", "email": READER, "first_name": "Reader", "send_welcome_email": 0}
	roles = frappe.get_all(
		"Role", filters={"name": ("not in", ("Administrator", "All", "Guest"))}, pluck="name"
	)
	reader = frappe.get_doc(user | {"roles": [{"role": role} for role in roles]}).insert()
	reader.new_password = PASSWORD
	reader.save()


def _make_tree() -> None:
	"""A doctype with a tree view, which core has none of that is simple."""
	frappe.get_doc(
		{
			"doctype": "DocType",
			"name": NODE,
			"module": "Custom",
			"custom": 1,
			"is_tree": 1,
			"autoname": "field:title",
			"fields": [
				{"fieldname": "title", "fieldtype": "Data", "label": "Title", "reqd": 1},
				{"fieldname": "caption", "fieldtype": "Data", "label": "Caption"},
				{"fieldname": "remark", "fieldtype": "Data", "label": "Remark", "in_preview": 1},
			],
			"title_field": "caption",
			"show_title_field_in_link": 1,
			"show_preview_popup": 1,
			"permissions": [{"role": "System Manager", "read": 1, "write": 1, "create": 1}],
		}
	).insert()
	for title, parent, is_group in (("Root", "", 1), ("Branch", "Root", 1), ("Leaf", "Branch", 0)):
		node = {"doctype": NODE, "title": title, "parent_shipped_node": parent, "is_group": is_group}
		frappe.get_doc(node | {"caption": f"The {title}", "remark": "Seen"}).insert()


def _fill_global_search() -> None:
	"""Rows for the search, most of them of other words: one that half of the rows have finds nothing."""
	for number in range(8):
		word = "lighthouse" if number == 0 else f"other{number}"
		frappe.db.sql(
			"insert into __global_search (doctype, name, title, content, route, published) values (%s, %s, %s, %s, '', 0)",
			("Contact", "Shipped Contact" if number == 0 else word, word, f"First Name : {word}"),
		)
