# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What stands on the site of the walk: ERPNext's company of the tests, and what it has done in a year.

A few documents are made as users make them. The rest are copies of their rows, made by the database in seconds.
"""

import random

import frappe
from frappe.desk.doctype.dashboard_settings.dashboard_settings import create_dashboard_settings
from frappe.utils.global_search import rebuild_for_doctype

from support import erpnext_site

USER, PASSWORD = "soak@example.com", "a-long-Password-9"
BOARD, URGENT = "Walk Board", '[["ToDo", "priority", "=", "High"]]'

STOCK_LEDGER_ROWS = 40_000
GL_ROWS = 30_000
INVOICES, STOCK_ENTRIES, ITEMS, TODOS, EVENTS, CUSTOMERS = 4000, 2000, 3000, 3000, 300, 500
# Most items lie on the shelf.
ITEMS_THAT_MOVE = 400

COPIED = (
	"Stock Ledger Entry",
	"GL Entry",
	"Payment Ledger Entry",
	"Sales Invoice",
	"Sales Invoice Item",
	"Stock Entry",
	"Stock Entry Detail",
	"Item",
	"Customer",
	"ToDo",
	"Event",
)

DAYS = 300
IN_THE_PAST = f"date_sub(curdate(), interval n.seq mod {DAYS} day)"


def fill() -> dict[str, str]:
	"""Make all of it, on a site that is connected; returns the names of documents to open, by doctype."""
	frappe.set_user("Administrator")
	erpnext_site.set_up()
	names = _documents()
	_copies(names)
	# Jobs would do it, which nobody runs here.
	rebuild_for_doctype("Customer")
	_let_nothing_stand_in_front()
	frappe.db.commit()
	_know_the_tables()
	return names


def _documents() -> dict[str, str]:
	def insert(doctype: str, **values) -> str:
		return frappe.get_doc({"doctype": doctype, **values}).insert().name

	company = erpnext_site.COMPANY
	items = [{"item_code": erpnext_site.ITEMS[0], "qty": 2, "rate": 12}]
	invoice = {"customer": erpnext_site.CUSTOMER, "company": company, "items": items}
	begins = {"starts_on": f"{erpnext_site.day()} 10:00:00", "ends_on": f"{erpnext_site.day()} 11:00:00"}
	columns = [{"column_name": status} for status in ("Open", "Closed", "Cancelled")]
	board = {"reference_doctype": "ToDo", "field_name": "status", "columns": columns, "filters": URGENT}
	insert("Kanban Board", kanban_board_name=BOARD, **board)
	# What the dashboard of accounts asks for.
	group = frappe.get_all(
		"Account", {"company": company, "account_type": "Bank", "is_group": 1}, pluck="name"
	)
	bank = {"account_name": "Walk Bank", "account_type": "Bank", "company": company}
	frappe.db.set_value(
		"Company", company, "default_bank_account", insert("Account", parent_account=group[0], **bank)
	)
	return {
		"Item": erpnext_site.ITEMS[0],
		"Customer": erpnext_site.CUSTOMER,
		"Sales Invoice": insert("Sales Invoice", **invoice, due_date=erpnext_site.day(30), docstatus=1),
		"Sales Order": insert("Sales Order", **erpnext_site.new_order(random.Random(1))),
		"Stock Entry": frappe.get_all("Stock Entry", pluck="name", limit=1)[0],
		"ToDo": insert("ToDo", description="Look at the walk", allocated_to=USER),
		"Event": insert("Event", subject="A walk", event_type="Public", **begins),
	}


def _copies(names: dict[str, str]) -> None:
	dated = {"posting_date": IN_THE_PAST, "creation": IN_THE_PAST, "modified": IN_THE_PAST}
	invoice, entry, item, customer = (_new(prefix) for prefix in ("ACC", "MAT", "Walk Item", "Walk Customer"))
	party = (
		f"if(coalesce(s.party, '') = '', s.party, {_one_of(names['Customer'], 'Walk Customer', CUSTOMERS)})"
	)
	moved = {"item_code": _one_of(names["Item"], "Walk Item", ITEMS_THAT_MOVE)}
	_copy(
		"Stock Ledger Entry",
		STOCK_LEDGER_ROWS,
		**dated,
		posting_datetime=IN_THE_PAST,
		voucher_no=entry,
		**moved,
	)
	_copy("GL Entry", GL_ROWS, **dated, voucher_no=invoice, party=party)
	_copy(
		"Payment Ledger Entry", INVOICES, **dated, voucher_no=invoice, against_voucher_no=invoice, party=party
	)
	sold_to = _one_of(names["Customer"], "Walk Customer", CUSTOMERS)
	_copy("Sales Invoice", INVOICES, names["Sales Invoice"], **dated, name=invoice, customer=sold_to)
	_copy("Sales Invoice Item", INVOICES, parent=invoice)
	_copy("Stock Entry", STOCK_ENTRIES, names["Stock Entry"], **dated, name=entry)
	_copy("Stock Entry Detail", STOCK_ENTRIES, parent=entry)
	_copy("Item", ITEMS, names["Item"], name=item, item_code=item, item_name=item, modified=IN_THE_PAST)
	_copy("Customer", CUSTOMERS, names["Customer"], name=customer, customer_name=customer)
	status = "elt(1 + n.seq mod 3, 'Open', 'Closed', 'Cancelled')"
	urgent = "if(n.seq mod 60 = 0, 'High', 'Medium')"
	_copy(
		"ToDo", TODOS, names["ToDo"], name=_new("walk"), status=status, priority=urgent, modified=IN_THE_PAST
	)
	day = "(cast(n.seq mod 61 as signed) - 30) * 24"
	begins, ends = (f"date_add(curdate(), interval {day} + {hour} hour)" for hour in (12, 13))
	_copy("Event", EVENTS, names["Event"], name=_new("EV"), starts_on=begins, ends_on=ends)


def _know_the_tables() -> None:
	"""Let all servers plan their queries by the same statistics: each would make its own some time later."""
	for doctype in COPIED:
		frappe.db.sql_ddl(f"analyze table `tab{doctype}`")


def _new(prefix: str) -> str:
	"""The expression of a name that no document has yet."""
	return f"concat('{prefix}-', n.seq)"


def _one_of(first: str, prefix: str, count: int) -> str:
	"""The expression of one of so many names: of a document that users made, and of its copies."""
	return f"if(n.seq mod {count} = 0, '{first}', concat('{prefix}-', n.seq mod {count}))"


def _copy(doctype: str, count: int, source: str | None = None, **values: str) -> None:
	"""Add about so many copies of a document's row, or of all rows that a table has.

	:param values: SQL expressions for columns that differ, where the table has them; `n.seq` counts
	"""
	table = f"`tab{doctype}`"
	rows = [source] if source else frappe.db.sql_list(f"select name from {table} limit 50")
	values = {"name": "concat(s.name, '-', n.seq)", "owner": f"'{USER}'"} | values
	columns = frappe.db.get_table_columns(doctype)
	names = ", ".join(f"`{column}`" for column in columns)
	expressions = ", ".join(values.get(column, f"s.`{column}`") for column in columns)
	frappe.db.sql(
		f"insert into {table} ({names}) select {expressions} from {table} s, seq_1_to_{count // len(rows)} n"
		" where s.name in %s",
		(rows,),
	)
	frappe.db.commit()


def _let_nothing_stand_in_front() -> None:
	"""No tours, no jobs, no report that waits for a worker; and users may log in as often as the walk does."""
	for field in ("enable_onboarding", "enable_telemetry", "enable_scheduler"):
		frappe.db.set_single_value("System Settings", field, 0)
	frappe.db.set_value("User", USER, "simultaneous_sessions", 100)
	frappe.db.sql("update `tabReport` set prepared_report = 0")
	# Two browsers of the user would make it at once.
	create_dashboard_settings(USER)
	frappe.clear_cache()
