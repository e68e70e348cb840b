# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""How a browser calls each of the shipped methods; what they are called for stands in `documents`."""

import json
from dataclasses import dataclass, field
from typing import Any

from support.erpnext_site import COMPANY, CUSTOMER, ITEMS, day

from .documents import ACCOUNT, CARD, EMPLOYEE, NODE, READER, STORES, TODOS

ALL = (14, 15, 16)
# Not on 16, which has neither points for users nor the old lists of the portal.
BEFORE_16 = (14, 15)
SINCE_15 = (15, 16)


@dataclass(frozen=True, eq=False)
class Case:
	"""A request.

	:param name: the method, as the shipped list has it
	:param versions: of Frappe, on which it exists
	:param app: that it needs
	:param path: instead of /api/method/name, and by GET
	"""

	name: str
	arguments: dict[str, Any] = field(default_factory=dict)
	versions: tuple[int, ...] = ALL
	app: str = "frappe"
	path: str = ""

	@property
	def method(self) -> str:
		"""The name without its subject."""
		return self.name.partition("(")[0]


PERIOD = {"start": day(-10), "end": day(10), "filters": "[]"}
FUNNEL = {"from_date": day(-10), "to_date": day(10), "company": COMPANY}
LEADERS = {"date_range": json.dumps([day(-30), day(30)]), "company": COMPANY}
POINT_OF_SALE = "erpnext.selling.page.point_of_sale.point_of_sale"
USER_PROFILE = "frappe.desk.page.user_profile.user_profile"
TAG = "frappe.desk.doctype.tag.tag"


def chart(name: str, **filters: str) -> dict[str, Any]:
	"""The arguments with which the desk draws a chart."""
	return {
		"chart_name": name,
		"filters": json.dumps({"company": COMPANY, **filters}),
		"refresh": 1,
		"time_interval": "Monthly",
		"timespan": "Last Year",
	}


FRAPPE = [
	Case("/app", versions=BEFORE_16, path="/app"),
	Case("/app", versions=(16,), path="/desk"),
	Case("/api/resource", {"fields": '["name", "status"]'}, path="/api/resource/ToDo"),
	Case("/api/v2/document", {"fields": '["name", "status"]'}, SINCE_15, path="/api/v2/document/ToDo"),
	Case("frappe.client.get_list", {"doctype": "ToDo", "fields": ["name", "description"]}),
	Case("frappe.client.get_count", {"doctype": "ToDo", "filters": {"status": "Open"}}),
	Case(
		"frappe.desk.listview.get_group_by_count",
		{"doctype": "ToDo", "current_filters": "[]", "field": "status"},
	),
	Case("frappe.desk.listview.get_list_settings", {"doctype": "ToDo"}),
	Case("frappe.desk.doctype.kanban_board.kanban_board.get_kanban_boards", {"doctype": "ToDo"}),
	Case("frappe.desk.query_report.get_data_for_custom_field", {"doctype": "ToDo", "field": "description"}),
	Case("frappe.desk.query_report.get_script", {"report_name": "Shipped Report"}),
	Case("frappe.core.api.file.get_files_in_folder", {"folder": "Home"}),
	Case("frappe.core.api.file.get_files_by_search_text", {"text": "shipped"}),
	Case("frappe.core.api.file.get_attached_images", {"doctype": "ToDo", "names": json.dumps(TODOS)}),
	Case("frappe.www.list.get", {"doctype": "ToDo"}, BEFORE_16),
	Case("frappe.www.list.get_list_data", {"doctype": "ToDo"}),
	Case(
		"frappe.desk.doctype.number_card.number_card.get_result",
		{"doc": json.dumps(CARD), "filters": "[]"},
	),
	Case(
		"frappe.desk.doctype.number_card.number_card.get_percentage_difference",
		{"doc": json.dumps(CARD), "filters": "[]", "result": "4"},
	),
	Case("frappe.desk.doctype.dashboard.dashboard.get_permitted_cards", {"dashboard_name": "Shipped"}),
	Case("frappe.desk.doctype.dashboard.dashboard.get_permitted_charts", {"dashboard_name": "Shipped"}),
	Case(
		"frappe.desk.doctype.dashboard_chart.dashboard_chart.get",
		{"chart_name": "Shipped Chart", "filters": "[]", "refresh": 1},
	),
	Case(
		"frappe.desk.doctype.sidebar_item_group.sidebar_item_group.get_reports",
		{"module_name": "Shipped"},
		(16,),
	),
	Case("frappe.client.get(Dashboard Chart)", {"doctype": "Dashboard Chart", "name": "Shipped Definition"}),
	*(
		Case(f"frappe.desk.form.load.getdoc({doctype})", {"doctype": doctype, "name": name})
		for doctype, name in (
			("Custom HTML Block", "Shipped Block"),
			("Dashboard Chart", "Shipped Definition"),
			("Number Card", "Shipped Card"),
			("Report", "Shipped Report"),
		)
	),
	Case("frappe.desk.desktop.get_workspace_sidebar_items"),
	Case("frappe.desk.doctype.route_history.route_history.frequently_visited_links"),
	Case("frappe.desk.treeview.get_children", {"doctype": NODE, "parent": "Root"}),
	Case(
		"frappe.desk.treeview.get_all_nodes",
		{
			"doctype": NODE,
			"label": "Root",
			"parent": "Root",
			"tree_method": "frappe.desk.treeview.get_children",
		},
	),
	Case(
		"frappe.desk.calendar.get_events",
		PERIOD
		| {
			"doctype": "ToDo",
			"field_map": json.dumps({"start": "date", "end": "date", "title": "description"}),
		},
	),
	Case("frappe.desk.doctype.event.event.get_events", PERIOD),
	Case("frappe.desk.search.search_link", {"doctype": "User", "txt": "reader"}),
	Case("frappe.desk.search.search_widget", {"doctype": "User", "txt": "reader"}),
	Case("frappe.desk.search.get_link_title", {"doctype": NODE, "docname": "Leaf"}),
	Case("frappe.desk.link_preview.get_preview_data", {"doctype": NODE, "docname": "Leaf"}),
	Case("frappe.utils.global_search.search", {"text": "lighthouse"}),
	Case("frappe.email.get_contact_list", {"txt": "them"}),
	Case(f"{TAG}.get_tags", {"doctype": "ToDo", "txt": "bl"}),
	Case(f"{TAG}.get_tags_list_for_awesomebar"),
	Case(f"{TAG}.get_tagged_docs", {"doctype": "ToDo", "tag": "%Blue%"}),
	Case(f"{TAG}.get_documents_for_tag", {"tag": "#Blue"}),
	Case("frappe.desk.form.linked_with.get", {"doctype": "ToDo", "docname": TODOS[0]}),
	Case("frappe.desk.form.load.get_communications", {"doctype": "ToDo", "name": TODOS[0]}),
	Case("frappe.desk.form.load.get_docinfo", {"doctype": "ToDo", "name": TODOS[0]}),
	Case("frappe.desk.form.load.get_user_info_for_viewers", {"users": json.dumps([READER])}),
	Case(
		"frappe.desk.form.utils.get_next", {"doctype": "ToDo", "value": TODOS[1], "prev": 0, "filters": "[]"}
	),
	Case("frappe.desk.doctype.notification_log.notification_log.get_notification_logs"),
	Case("frappe.desk.leaderboard.get_energy_point_leaderboard", LEADERS | {"field": "points"}, BEFORE_16),
	Case(f"{USER_PROFILE}.get_energy_points_heatmap_data", {"user": READER, "date": day()}, BEFORE_16),
	Case(f"{USER_PROFILE}.get_energy_points_list", {"user": READER, "start": 0, "limit": 10}, BEFORE_16),
	Case(
		f"{USER_PROFILE}.get_energy_points_percentage_chart_data",
		{"user": READER, "field": "type"},
		BEFORE_16,
	),
	Case(f"{USER_PROFILE}.get_user_rank", {"user": READER}, BEFORE_16),
]


def erpnext(name: str, versions: tuple[int, ...] = SINCE_15, /, **arguments: Any) -> Case:
	return Case(name, arguments, versions, "erpnext")


ERPNEXT = [
	erpnext("frappe.apps.get_apps"),
	erpnext(
		"frappe.desk.doctype.dashboard_chart_source.dashboard_chart_source.get_config",
		name="Account Balance Timeline",
	),
	erpnext(
		"frappe.utils.goal.get_monthly_goal_graph_data",
		title="Sales",
		doctype="Company",
		docname=COMPANY,
		goal_value_field="monthly_sales_target",
		goal_total_field="total_monthly_sales",
		goal_history_field="sales_monthly_history",
		goal_doctype="Sales Order",
		goal_doctype_link="company",
		goal_field="base_net_total",
		date_field="transaction_date",
		filters='{"docstatus": 1}',
		aggregation="sum",
	),
	erpnext("erpnext.accounts.utils.get_fiscal_year", date=day(), boolean=False),
	erpnext(
		"erpnext.accounts.utils.get_account_balances",
		accounts=json.dumps([{"value": ACCOUNT, "account_currency": "INR"}]),
		company=COMPANY,
	),
	erpnext(
		"erpnext.accounts.doctype.accounting_dimension.accounting_dimension.get_dimensions",
		with_cost_center_and_project="true",
	),
	erpnext("erpnext.stock.doctype.inventory_dimension.inventory_dimension.get_inventory_dimensions"),
	erpnext(
		"erpnext.accounts.doctype.unreconcile_payment.unreconcile_payment.doc_has_references",
		doctype="Payment Entry",
		docname="PE-SHIPPED",
	),
	erpnext("erpnext.crm.utils.get_open_activities", ref_doctype="Lead", ref_docname="LEAD-SHIPPED"),
	erpnext("erpnext.manufacturing.doctype.bom.bom.get_bom_diff", bom1="BOM-A", bom2="BOM-B"),
	erpnext("erpnext.stock.dashboard.item_dashboard.get_data", item_code=ITEMS[0]),
	erpnext(
		"erpnext.stock.dashboard.warehouse_capacity_dashboard.get_data",
		company=COMPANY,
		sort_by="stock_capacity",
		sort_order="desc",
	),
	erpnext(
		"erpnext.stock.doctype.quick_stock_balance.quick_stock_balance.get_stock_item_details",
		warehouse=STORES,
		date=day(),
		item=ITEMS[0],
	),
	erpnext("erpnext.manufacturing.doctype.plant_floor.plant_floor.get_stock_summary", warehouse=STORES),
	erpnext(
		"erpnext.accounts.utils.get_children",
		doctype="Account",
		parent=COMPANY,
		company=COMPANY,
		is_root=True,
	),
	erpnext(
		"erpnext.assets.doctype.location.location.get_children", doctype="Location", parent="All Locations"
	),
	erpnext("erpnext.manufacturing.doctype.bom.bom.get_children", parent="BOM-A", doctype="BOM"),
	erpnext("erpnext.projects.doctype.task.task.get_children", doctype="Task", parent="", is_root=True),
	erpnext(
		"erpnext.quality_management.doctype.quality_procedure.quality_procedure.get_children",
		doctype="Quality Procedure",
		parent="All Quality Procedures",
	),
	erpnext("erpnext.setup.doctype.company.company.get_children", doctype="Company", parent="All Companies"),
	erpnext(
		"erpnext.setup.doctype.department.department.get_children",
		doctype="Department",
		parent="All Departments",
		company=COMPANY,
	),
	erpnext(
		"erpnext.setup.doctype.employee.employee.get_children",
		doctype="Employee",
		parent=COMPANY,
		company=COMPANY,
		is_root=True,
	),
	erpnext(
		"erpnext.stock.doctype.warehouse.warehouse.get_children",
		doctype="Warehouse",
		parent="",
		company=COMPANY,
		is_root=True,
	),
	erpnext("erpnext.manufacturing.doctype.job_card.job_card.get_job_details", **PERIOD),
	erpnext("erpnext.projects.doctype.timesheet.timesheet.get_events", **PERIOD),
	erpnext("erpnext.selling.doctype.sales_order.sales_order.get_events", **PERIOD),
	erpnext("erpnext.setup.doctype.holiday_list.holiday_list.get_events", **PERIOD),
	*(
		erpnext(f"erpnext.selling.page.sales_funnel.sales_funnel.{name}", versions, **FUNNEL)
		for name, versions in (
			("get_funnel_data", SINCE_15),
			("get_opp_by_lead_source", (15,)),
			("get_opp_by_utm_campaign", (16,)),
			("get_opp_by_utm_medium", (16,)),
			("get_opp_by_utm_source", (16,)),
			("get_pipeline_data", SINCE_15),
		)
	),
	*(
		erpnext(f"erpnext.startup.leaderboard.get_all_{what}", **LEADERS, field=figure)
		for what, figure in (
			("customers", "total_sales_amount"),
			("items", "total_sales_amount"),
			("sales_partner", "total_sales_amount"),
			("sales_person", "total_sales_amount"),
			("suppliers", "total_purchase_amount"),
		)
	),
	erpnext(f"{POINT_OF_SALE}.get_past_order_list", search_term="", status="Paid"),
	erpnext(f"{POINT_OF_SALE}.get_customer_recent_transactions", (16,), customer=CUSTOMER),
	erpnext(
		"erpnext.accounts.dashboard_chart_source.account_balance_timeline.account_balance_timeline.get",
		**chart("Shipped Balance", account=ACCOUNT),
	),
	erpnext(
		"erpnext.stock.dashboard_chart_source.warehouse_wise_stock_value.warehouse_wise_stock_value.get",
		**chart("Shipped Warehouses"),
	),
	erpnext(
		"erpnext.stock.dashboard_chart_source.stock_value_by_item_group.stock_value_by_item_group.get",
		(16,),
		**chart("Shipped Groups"),
	),
]


def hrms(name: str, versions: tuple[int, ...] = SINCE_15, /, **arguments: Any) -> Case:
	return Case(f"hrms.{name}", arguments, versions, "hrms")


MONTH = {"month_start": day(-10), "month_end": day(10)}
HRMS = [
	hrms("hr.doctype.job_applicant.job_applicant.get_applicant_to_hire_percentage"),
	hrms("hr.doctype.job_offer.job_offer.get_offer_acceptance_rate"),
	hrms("hr.doctype.job_requisition.job_requisition.get_avg_time_to_fill"),
	hrms("utils.custom_method_for_charts.get_upcoming_holidays", (16,)),
	hrms(
		"hr.doctype.appraisal_cycle.appraisal_cycle.get_appraisal_cycle_summary", cycle_name="Shipped Cycle"
	),
	hrms("hr.doctype.attendance.attendance.get_events", **PERIOD),
	hrms("hr.doctype.interview.interview.get_events", **PERIOD),
	hrms("hr.doctype.leave_application.leave_application.get_events", **PERIOD),
	hrms("hr.doctype.shift_assignment.shift_assignment.get_events", **PERIOD),
	hrms("hr.doctype.goal.goal.get_children", doctype="Goal", parent="", is_root=True),
	hrms("hr.page.organizational_chart.organizational_chart.get_children", company=COMPANY),
	hrms(
		"utils.hierarchy_chart.get_all_nodes",
		method="hrms.hr.page.organizational_chart.organizational_chart.get_children",
		company=COMPANY,
	),
	hrms("hr.report.monthly_attendance_sheet.monthly_attendance_sheet.get_attendance_years"),
	hrms("payroll.report.provident_fund_deductions.provident_fund_deductions.get_years"),
	hrms("api.get_unread_notifications_count"),
	hrms("api.get_all_employees"),
	# Since 16, the employee is the one who asks.
	hrms("api.get_attendance_calendar_events", (15,), employee=EMPLOYEE, from_date=day(-9), to_date=day(9)),
	hrms("api.get_attendance_calendar_events", (16,), from_date=day(-9), to_date=day(9)),
	hrms("api.get_expense_claim_summary", (15,), employee=EMPLOYEE),
	hrms("api.get_expense_claim_summary", (16,)),
	hrms("api.get_shifts", (15,), employee=EMPLOYEE),
	hrms("api.get_shifts", (16,)),
	hrms("api.get_attendance_requests", employee=EMPLOYEE),
	hrms("api.get_expense_claims", employee=EMPLOYEE),
	hrms("api.get_holidays_for_employee", employee=EMPLOYEE),
	hrms("api.get_leave_applications", employee=EMPLOYEE),
	hrms("api.get_shift_requests", employee=EMPLOYEE),
	hrms("api.roster.get_events", **MONTH, employee_filters={"company": COMPANY}, shift_filters={}),
	hrms("hr.dashboard_chart_source.employees_by_age.employees_by_age.get_data", **chart("Shipped Ages")),
	hrms(
		"hr.dashboard_chart_source.hiring_vs_attrition_count.hiring_vs_attrition_count.get_data",
		**chart("Shipped Hiring", from_date=day(-360), to_date=day(), time_interval="Monthly"),
	),
]


def crm(name: str, /, **arguments: Any) -> Case:
	return Case(f"crm.api.{name}", arguments, SINCE_15, "crm")


CRM = [
	crm("doc.get_data", doctype="CRM Lead", filters={}, order_by="modified desc", view={"view_type": "list"}),
	crm("dashboard.get_chart", name="total_leads", type="number_chart"),
	crm("activities.get_activities", name="CRM-LEAD-1"),
	crm("contact.get_linked_deals", contact="Shipped Contact"),
	crm("notifications.get_notifications"),
	crm("session.get_organizations"),
	crm("session.get_users"),
]

CASES = [*FRAPPE, *ERPNEXT, *HRMS, *CRM]
