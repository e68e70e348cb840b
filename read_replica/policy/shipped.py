# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What this app ships for methods that nobody decorated: which are read on a replica, and which never are.

Plain data, compared with the names of requests: a method that a version does not have, or whose app is not
installed, never occurs. Each name was read in the sources of Frappe 14.93, 15.55, 15.101 and 16.9, ERPNext 15.99 and
16.9, HRMS 15.58 and 16.4, and CRM 1.59 and 1.81: what it calls writes nothing, and what it shows decides nothing that
another request writes, but as any page does that has been open for some seconds.
`tests/app/policy/test_shipped.py` calls each of them.
"""

# Reasons that several entries share.
_CHART = "It draws one chart from a query over many rows, and then notes when it was drawn."
_FIGURE = "It counts or adds up rows for a number that is only shown."
_TREE = "It lists the children of a node in a tree view."
_CALENDAR = "It lists what a calendar shows between two dates."
_LEADERS = "It adds up a period's documents for the leaderboard."
_LINK = "It searches for what a link field offers; which document is taken is checked when the form is saved."
_PORTAL = "It lists a user's documents in the portal."
_TIMELINE = "It reads what stands below a form: comments, mails, versions, assignments."
_FUNNEL = "It adds up leads, opportunities and quotations for a page that is only looked at."
_SETUP = "It reads how forms and reports are set up, which a page keeps for as long as it is open."
_STOCK = "It shows quantities in stock on a page that is only looked at; transactions look them up again."
_DEFINITION = "It loads how something is drawn, which the desk then keeps; a form that saves it is refused if it is not the last."
_MINE = "It lists an employee's own documents in the app for employees."

# Methods that are read on a replica, with the reason. Dotted paths as requests call them; `/api/resource` and
# `/api/v2/document` are the lists of REST, which are GETs of a doctype without a name behind it, and `/app` is the page
# that loads the desk (on Frappe 16 `/desk`). A name may be narrowed by a subject: `frappe.client.get_list(Item)`.
READS: dict[str, str] = {
	# The desk itself.
	"/app": (
		"It begins the desk: what is kept of that for the user is made on the primary, and the rest is only shown."
	),
	# Lists.
	"/api/resource": "It is the list of a doctype over REST.",
	"/api/v2/document": "It is the list of a doctype over REST, version 2.",
	"frappe.client.get_list": "It lists documents with the user's permissions.",
	"frappe.client.get_count": "It counts documents.",
	"frappe.desk.listview.get_group_by_count": "It counts the values of a field for the sidebar of a list.",
	"frappe.desk.listview.get_list_settings": _SETUP,
	"frappe.desk.doctype.kanban_board.kanban_board.get_kanban_boards": "It names the boards that a list offers.",
	"frappe.desk.query_report.get_data_for_custom_field": "It reads a column that a user adds to a report.",
	"frappe.desk.query_report.get_script": _SETUP,
	"frappe.core.api.file.get_files_in_folder": "It lists the files of a folder.",
	"frappe.core.api.file.get_files_by_search_text": "It searches for files by their names.",
	"frappe.core.api.file.get_attached_images": "It finds the images that a list shows as cards.",
	**dict.fromkeys(("frappe.www.list.get", "frappe.www.list.get_list_data"), _PORTAL),
	# Dashboards and workspaces.
	**dict.fromkeys(
		(
			"frappe.desk.doctype.number_card.number_card.get_result",
			"frappe.desk.doctype.number_card.number_card.get_percentage_difference",
		),
		_FIGURE,
	),
	"frappe.desk.doctype.dashboard.dashboard.get_permitted_cards": "It names the cards of a dashboard.",
	"frappe.desk.doctype.dashboard.dashboard.get_permitted_charts": "It names the charts of a dashboard.",
	"frappe.desk.doctype.dashboard_chart_source.dashboard_chart_source.get_config": _SETUP,
	"frappe.desk.doctype.sidebar_item_group.sidebar_item_group.get_reports": "It names the reports of a sidebar.",
	"frappe.desk.desktop.get_workspace_sidebar_items": "It names the workspaces that a user may see.",
	"frappe.apps.get_apps": "It names the apps that a user may open.",
	"frappe.utils.goal.get_monthly_goal_graph_data": "It adds up a year by months for the graph on a form.",
	"frappe.desk.doctype.route_history.route_history.frequently_visited_links": "It counts where a user goes most.",
	**dict.fromkeys(
		(
			"frappe.client.get(Dashboard Chart)",
			"frappe.desk.form.load.getdoc(Custom HTML Block)",
			"frappe.desk.form.load.getdoc(Dashboard Chart)",
			"frappe.desk.form.load.getdoc(Number Card)",
			"frappe.desk.form.load.getdoc(Report)",
		),
		_DEFINITION,
	),
	# Trees and calendars.
	**dict.fromkeys(("frappe.desk.treeview.get_children", "frappe.desk.treeview.get_all_nodes"), _TREE),
	**dict.fromkeys(
		("frappe.desk.calendar.get_events", "frappe.desk.doctype.event.event.get_events"), _CALENDAR
	),
	# Searches.
	**dict.fromkeys(("frappe.desk.search.search_link", "frappe.desk.search.search_widget"), _LINK),
	"frappe.desk.search.get_link_title": "It reads the title that is shown for a link.",
	"frappe.desk.link_preview.get_preview_data": "It shows a document in short while the mouse is over its link.",
	"frappe.utils.global_search.search": "It searches through all documents.",
	"frappe.email.get_contact_list": "It offers addresses while a mail is written.",
	"frappe.desk.doctype.tag.tag.get_tags": "It offers tags while one is typed.",
	"frappe.desk.doctype.tag.tag.get_tags_list_for_awesomebar": "It names all tags for the search bar.",
	"frappe.desk.doctype.tag.tag.get_tagged_docs": "It finds the documents that have a tag.",
	"frappe.desk.doctype.tag.tag.get_documents_for_tag": "It finds the documents that have a tag.",
	# Around a form, but not the document itself.
	"frappe.desk.form.linked_with.get": "It finds all documents that link to one, for a dialog that lists them.",
	**dict.fromkeys(
		("frappe.desk.form.load.get_communications", "frappe.desk.form.load.get_docinfo"), _TIMELINE
	),
	"frappe.desk.form.load.get_user_info_for_viewers": "It reads the names of those who look at the same form.",
	"frappe.desk.form.utils.get_next": "It finds the next document of a list.",
	# Notifications and what users have done.
	"frappe.desk.doctype.notification_log.notification_log.get_notification_logs": "It lists a user's notifications.",
	**dict.fromkeys(
		(
			"frappe.desk.leaderboard.get_energy_point_leaderboard",
			"frappe.desk.page.user_profile.user_profile.get_energy_points_heatmap_data",
			"frappe.desk.page.user_profile.user_profile.get_energy_points_list",
			"frappe.desk.page.user_profile.user_profile.get_energy_points_percentage_chart_data",
			"frappe.desk.page.user_profile.user_profile.get_user_rank",
		),
		"It adds up the points of users.",
	),
	# ERPNext.
	"erpnext.accounts.utils.get_fiscal_year": "It finds the year of a date for the filters of a report.",
	"erpnext.accounts.utils.get_account_balances": "It adds up the ledger for the chart of accounts.",
	"erpnext.accounts.doctype.accounting_dimension.accounting_dimension.get_dimensions": _SETUP,
	"erpnext.stock.doctype.inventory_dimension.inventory_dimension.get_inventory_dimensions": _SETUP,
	"erpnext.accounts.doctype.unreconcile_payment.unreconcile_payment.doc_has_references": (
		"It counts payments to show a button; what the button does is looked up again."
	),
	"erpnext.crm.utils.get_open_activities": "It lists the tasks and events of a lead, an opportunity or a customer.",
	"erpnext.manufacturing.doctype.bom.bom.get_bom_diff": "It compares two bills of materials on a page of its own.",
	**dict.fromkeys(
		(
			"erpnext.stock.dashboard.item_dashboard.get_data",
			"erpnext.stock.dashboard.warehouse_capacity_dashboard.get_data",
			"erpnext.stock.doctype.quick_stock_balance.quick_stock_balance.get_stock_item_details",
			"erpnext.manufacturing.doctype.plant_floor.plant_floor.get_stock_summary",
		),
		_STOCK,
	),
	**dict.fromkeys(
		(
			"erpnext.accounts.utils.get_children",
			"erpnext.assets.doctype.location.location.get_children",
			"erpnext.manufacturing.doctype.bom.bom.get_children",
			"erpnext.projects.doctype.task.task.get_children",
			"erpnext.quality_management.doctype.quality_procedure.quality_procedure.get_children",
			"erpnext.setup.doctype.company.company.get_children",
			"erpnext.setup.doctype.department.department.get_children",
			"erpnext.setup.doctype.employee.employee.get_children",
			"erpnext.stock.doctype.warehouse.warehouse.get_children",
		),
		_TREE,
	),
	**dict.fromkeys(
		(
			"erpnext.manufacturing.doctype.job_card.job_card.get_job_details",
			"erpnext.projects.doctype.timesheet.timesheet.get_events",
			"erpnext.selling.doctype.sales_order.sales_order.get_events",
			"erpnext.setup.doctype.holiday_list.holiday_list.get_events",
		),
		_CALENDAR,
	),
	**dict.fromkeys(
		(
			"erpnext.selling.page.sales_funnel.sales_funnel.get_funnel_data",
			"erpnext.selling.page.sales_funnel.sales_funnel.get_opp_by_lead_source",
			"erpnext.selling.page.sales_funnel.sales_funnel.get_opp_by_utm_campaign",
			"erpnext.selling.page.sales_funnel.sales_funnel.get_opp_by_utm_medium",
			"erpnext.selling.page.sales_funnel.sales_funnel.get_opp_by_utm_source",
			"erpnext.selling.page.sales_funnel.sales_funnel.get_pipeline_data",
		),
		_FUNNEL,
	),
	**dict.fromkeys(
		(
			"erpnext.startup.leaderboard.get_all_customers",
			"erpnext.startup.leaderboard.get_all_items",
			"erpnext.startup.leaderboard.get_all_sales_partner",
			"erpnext.startup.leaderboard.get_all_sales_person",
			"erpnext.startup.leaderboard.get_all_suppliers",
		),
		_LEADERS,
	),
	"erpnext.selling.page.point_of_sale.point_of_sale.get_past_order_list": "It lists past sales of a till.",
	"erpnext.selling.page.point_of_sale.point_of_sale.get_customer_recent_transactions": (
		"It lists a customer's last sales beside a till."
	),
	# HRMS.
	**dict.fromkeys(
		(
			"hrms.hr.doctype.job_applicant.job_applicant.get_applicant_to_hire_percentage",
			"hrms.hr.doctype.job_offer.job_offer.get_offer_acceptance_rate",
			"hrms.hr.doctype.job_requisition.job_requisition.get_avg_time_to_fill",
			"hrms.utils.custom_method_for_charts.get_upcoming_holidays",
			"hrms.hr.doctype.appraisal_cycle.appraisal_cycle.get_appraisal_cycle_summary",
			"hrms.api.get_unread_notifications_count",
		),
		_FIGURE,
	),
	**dict.fromkeys(
		(
			"hrms.api.get_attendance_calendar_events",
			"hrms.api.roster.get_events",
			"hrms.hr.doctype.attendance.attendance.get_events",
			"hrms.hr.doctype.interview.interview.get_events",
			"hrms.hr.doctype.leave_application.leave_application.get_events",
			"hrms.hr.doctype.shift_assignment.shift_assignment.get_events",
		),
		_CALENDAR,
	),
	**dict.fromkeys(
		(
			"hrms.hr.doctype.goal.goal.get_children",
			"hrms.hr.page.organizational_chart.organizational_chart.get_children",
			"hrms.utils.hierarchy_chart.get_all_nodes",
		),
		_TREE,
	),
	**dict.fromkeys(
		(
			"hrms.api.get_attendance_requests",
			"hrms.api.get_expense_claim_summary",
			"hrms.api.get_expense_claims",
			"hrms.api.get_holidays_for_employee",
			"hrms.api.get_leave_applications",
			"hrms.api.get_shift_requests",
			"hrms.api.get_shifts",
		),
		_MINE,
	),
	"hrms.api.get_all_employees": "It lists the employees for the app for employees.",
	"hrms.hr.report.monthly_attendance_sheet.monthly_attendance_sheet.get_attendance_years": (
		"It finds the years of all attendance for the filter of a report."
	),
	"hrms.payroll.report.provident_fund_deductions.provident_fund_deductions.get_years": (
		"It finds the years of all salary slips for the filter of a report."
	),
	# CRM.
	"crm.api.doc.get_data": "It lists the documents of a view.",
	"crm.api.dashboard.get_chart": _FIGURE,
	"crm.api.activities.get_activities": _TIMELINE,
	"crm.api.contact.get_linked_deals": "It lists the deals of a contact.",
	"crm.api.notifications.get_notifications": "It lists a user's notifications.",
	"crm.api.session.get_organizations": "It lists all organizations when the page is opened.",
	"crm.api.session.get_users": "It lists all users when the page is opened.",
}

# Methods that read, and write one small thing at the end of each call: they go to a replica again and again, though
# they were caught writing. A chart notes in `last_synced_on` when it was drawn.
REMEMBERS_NO_WRITES: dict[str, str] = dict.fromkeys(
	(
		"frappe.desk.doctype.dashboard_chart.dashboard_chart.get",
		"erpnext.accounts.dashboard_chart_source.account_balance_timeline.account_balance_timeline.get",
		"erpnext.stock.dashboard_chart_source.stock_value_by_item_group.stock_value_by_item_group.get",
		"erpnext.stock.dashboard_chart_source.warehouse_wise_stock_value.warehouse_wise_stock_value.get",
		"hrms.hr.dashboard_chart_source.employees_by_age.employees_by_age.get_data",
		"hrms.hr.dashboard_chart_source.hiring_vs_attrition_count.hiring_vs_attrition_count.get_data",
	),
	_CHART,
)

_FORM = "A form decides by what it answers what is written next."
_WRITES = "It writes."
_SESSION = "It begins, checks or ends a session."
_AFTERWARDS = (
	"It notes who has seen the document, on Frappe 16 after the answer, and its `modified` must be the last."
)
_PRINTS = "Papers that leave the house must be the last state; printing also logs, and may write."
_DOCUMENT = "It may run any method of a document's controller."
_MONEY = "What it answers is copied into a document that is posted."

# Methods that no scope is opened for, and that are never suggested: names, or globs as in fnmatch. They do not hold for
# the subjects that are named above.
NEVER: dict[str, str] = {
	**dict.fromkeys(
		(
			"login",
			"logout",
			"web_logout",
			"frappe.auth.*",
			"frappe.handler.logout",
			"frappe.handler.web_logout",
			"frappe.sessions.*",
			"frappe.core.doctype.user.user.*",
			"frappe.integrations.oauth2.*",
			"frappe.integrations.oauth2_logins.*",
			"frappe.integrations.doctype.ldap_settings.ldap_settings.*",
			"frappe.twofactor.*",
			"frappe.www.login.*",
		),
		_SESSION,
	),
	**dict.fromkeys(
		(
			"run_doc_method",
			"runserverobj",
			"frappe.handler.run_doc_method",
			"frappe.handler.runserverobj",
			"/api/v2/document/*/method/*",
		),
		_DOCUMENT,
	),
	**dict.fromkeys(("frappe.desk.form.load.getdoc",), _AFTERWARDS),
	"frappe.desk.form.load.getdoctype": "It fills the caches of metadata, which nothing that was read on a replica may.",
	**dict.fromkeys(
		(
			"frappe.client.get",
			"frappe.client.get_value",
			"frappe.client.get_single_value",
			"frappe.client.is_document_amended",
			"frappe.client.validate_link",
			"frappe.client.validate_link_and_fetch",
			"frappe.desk.form.linked_with.get_submitted_linked_docs",
			"frappe.model.mapper.*",
			"frappe.model.workflow.*",
			"frappe.workflow.*",
			"erpnext.*.make_*",
			"hrms.*.make_*",
			"erpnext.controllers.sales_and_purchase_return.*",
			"erpnext.stock.doctype.serial_and_batch_bundle.serial_and_batch_bundle.*",
			"hrms.hr.doctype.leave_application.leave_application.get_leave_*",
			"hrms.hr.doctype.leave_application.leave_application.get_number_of_leave_days",
			"crm.api.doc.get_linked_docs_of_document",
		),
		_FORM,
	),
	"frappe.model.utils.user_settings.*": "What it answers is written back.",
	**dict.fromkeys(
		(
			"erpnext.accounts.party.*",
			"erpnext.accounts.utils.get_balance_on",
			"erpnext.accounts.doctype.bank_reconciliation_tool.bank_reconciliation_tool.*",
			"erpnext.accounts.doctype.journal_entry.journal_entry.*",
			"erpnext.accounts.doctype.payment_entry.payment_entry.*",
			"erpnext.accounts.doctype.pricing_rule.pricing_rule.*",
			"erpnext.controllers.accounts_controller.*",
			"erpnext.selling.page.point_of_sale.point_of_sale.get_items",
			"erpnext.setup.utils.get_exchange_rate",
			"erpnext.stock.get_item_details.*",
			"erpnext.stock.utils.*",
		),
		_MONEY,
	),
	**dict.fromkeys(
		(
			"frappe.desk.form.save.*",
			"frappe.desk.form.assign_to.*",
			"frappe.desk.form.linked_with.cancel_all_linked_docs",
			"frappe.desk.reportview.delete_items",
			"frappe.desk.reportview.delete_report",
			"frappe.desk.reportview.save_report",
			"frappe.desk.query_report.save_report",
			"frappe.client.insert*",
			"frappe.client.save",
			"frappe.client.set_value",
			"frappe.client.submit",
			"frappe.client.cancel",
			"frappe.client.delete",
			"frappe.client.rename_doc",
			"frappe.client.bulk_update",
			"frappe.client.attach_file",
			"frappe.core.doctype.file.*",
			"upload_file",
			"uploadfile",
			"frappe.handler.upload_file",
			"frappe.handler.uploadfile",
		),
		_WRITES,
	),
	**dict.fromkeys(
		("download_file", "frappe.handler.download_file", "frappe.core.doctype.access_log.*"),
		"It logs who has taken what.",
	),
	**dict.fromkeys(
		("frappe.core.doctype.prepared_report.*", "frappe.desk.query_report.background_enqueue_run"),
		"It queues the report and watches over it; the report itself is read on a replica by the job.",
	),
	**dict.fromkeys(
		(
			"frappe.printing.*",
			"frappe.utils.print_format.*",
			"frappe.utils.weasyprint.*",
			"frappe.www.printview.*",
		),
		_PRINTS,
	),
	"erpnext.controllers.stock_controller.show_*_preview": "It submits the document, looks at it, and rolls back.",
	"crm.api.dashboard.get_dashboard": "It makes the dashboard that is missing, and commits.",
}

# The arguments of a request that name what a method works for, the first that is present: one controller, report
# or query that writes then keeps that alone on the primary. Behind a dot stands a key of an argument that is JSON.
# The lists of REST have their doctype in the path.
SUBJECTS: dict[str, tuple[str, ...]] = {
	**dict.fromkeys(
		(
			"frappe.client.get",
			"frappe.client.get_count",
			"frappe.client.get_list",
			"frappe.core.api.file.get_attached_images",
			"frappe.desk.calendar.get_events",
			"frappe.desk.doctype.kanban_board.kanban_board.get_kanban_boards",
			"frappe.desk.doctype.tag.tag.get_tagged_docs",
			"frappe.desk.form.linked_with.get",
			"frappe.desk.form.load.get_communications",
			"frappe.desk.form.load.get_docinfo",
			"frappe.desk.form.load.getdoc",
			"frappe.desk.form.utils.get_next",
			"frappe.desk.link_preview.get_preview_data",
			"frappe.desk.listview.get_group_by_count",
			"frappe.desk.listview.get_list_settings",
			"frappe.desk.notifications.get_open_count",
			"frappe.desk.query_report.get_data_for_custom_field",
			"frappe.desk.reportview.export_query",
			"frappe.desk.reportview.get",
			"frappe.desk.reportview.get_count",
			"frappe.desk.reportview.get_list",
			"frappe.desk.reportview.get_sidebar_stats",
			"frappe.desk.reportview.get_stats",
			"frappe.desk.search.get_link_title",
			"frappe.desk.treeview.get_children",
			"frappe.utils.global_search.search",
			"frappe.www.list.get",
			"frappe.www.list.get_list_data",
			"erpnext.accounts.utils.get_children",
			"crm.api.doc.get_data",
		),
		("doctype",),
	),
	# `query` and `tree_method` name any whitelisted function.
	"frappe.desk.search.search_link": ("query", "doctype"),
	"frappe.desk.search.search_widget": ("query", "doctype"),
	"frappe.desk.treeview.get_all_nodes": ("tree_method",),
	"hrms.utils.hierarchy_chart.get_all_nodes": ("method",),
	"frappe.desk.doctype.dashboard_chart.dashboard_chart.get": ("chart_name", "chart.name"),
	"frappe.desk.doctype.number_card.number_card.get_result": ("doc.document_type",),
	"frappe.desk.doctype.number_card.number_card.get_percentage_difference": ("doc.document_type",),
	"frappe.desk.doctype.dashboard.dashboard.get_permitted_cards": ("dashboard_name",),
	"frappe.desk.doctype.dashboard.dashboard.get_permitted_charts": ("dashboard_name",),
	"frappe.desk.desktop.get_desktop_page": ("page.name",),
	"frappe.desk.query_report.export_query": ("report_name",),
	"frappe.desk.query_report.get_script": ("report_name",),
	"frappe.desk.query_report.run": ("report_name",),
	"frappe.utils.goal.get_monthly_goal_graph_data": ("goal_doctype",),
	"crm.api.dashboard.get_chart": ("name",),
}
